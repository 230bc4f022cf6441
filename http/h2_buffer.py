"""What waits for the windows of one HTTP/2 stream."""

from collections.abc import Callable

import trio
from hypercorn.protocol.h2 import (
    BUFFER_HIGH_WATER,
    BUFFER_LOW_WATER,
    BufferCompleteError,
    StreamBuffer,
)
from hypercorn.typing import Event as EventType

__all__ = ["BoundedBuffer"]


class BoundedBuffer(StreamBuffer):
    """Bytes for one stream until its window, and the connection's, let them go.

    In Hypercorn 0.18 a pop that takes nothing, because the window is closed, lets the next push
    pass, so that it holds whatever the application has to say. Here who pushes waits while it
    holds ``BUFFER_HIGH_WATER`` bytes; who puts must look at ``len`` itself.
    """

    def __init__(self, event_class: type[EventType]) -> None:
        super().__init__(event_class)
        self._room = trio.Event()
        self._empty = trio.Event()
        self.on_room: Callable[[], None] | None = None
        """Called, not to wait nor to raise, after each pop that takes something, and when the
        buffer is closed."""

    def __len__(self) -> int:
        """The bytes in it."""
        return len(self.buffer)

    def __bool__(self) -> bool:
        """An empty buffer is a buffer."""
        return True

    @property
    def ended(self) -> bool:
        """Whether nothing more can be put into it."""
        return self._complete

    def put(self, data: bytes) -> None:
        """Add bytes, whatever is in it already. Raises BufferCompleteError where it has ended."""
        if self._complete:
            raise BufferCompleteError
        self.buffer += data
        if self._empty.is_set():
            self._empty = trio.Event()

    async def push(self, data: bytes) -> None:
        """Add bytes, and wait for room. Raises as :meth:`put` does."""
        self.put(data)
        while len(self.buffer) >= BUFFER_HIGH_WATER and not self._complete:
            if self._room.is_set():
                self._room = trio.Event()
            await self._room.wait()

    def take(self, most: int) -> bytes:
        """Take at most so many bytes."""
        data = bytes(self.buffer[:most])
        del self.buffer[:most]
        if len(self.buffer) < BUFFER_LOW_WATER:
            self._room.set()
        if not self.buffer:
            self._empty.set()
        if data:
            self._tell()
        return data

    async def pop(self, max_length: int) -> bytes:
        """Take at most so many bytes, as Hypercorn does."""
        return self.take(max_length)

    async def drain(self) -> None:
        """Wait until a pop, or :meth:`drop`, leaves it empty."""
        await self._empty.wait()

    def drop(self) -> None:
        """End it, and drop what is in it; nobody waits any more."""
        self._complete = True
        self.buffer = bytearray()
        self._empty.set()
        self._room.set()
        self._tell()

    async def close(self) -> None:
        """End it, as Hypercorn does."""
        self.drop()

    def _tell(self) -> None:
        if self.on_room is not None:
            self.on_room()
