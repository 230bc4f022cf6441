"""Where the messages of one WebSocket leave: the port, and its adapter to plain ASGI."""

from collections import deque
from collections.abc import Awaitable, Callable, Hashable, Sequence
from typing import Protocol

import trio

from incident_manager.actors.batch import Batch
from incident_manager.http.wire import Wire

__all__ = ["AsgiWriter", "Drilled", "FrameWriter", "Send", "Spawn"]

Send = Callable[[dict[str, object]], Awaitable[None]]
Spawn = Callable[[Callable[[], Awaitable[None]]], object]


class Drilled(Protocol):
    """A writer whose frames may go past it, to its wire."""

    @property
    def wire(self) -> Wire:
        """What frames go to as they are."""
        ...

    @property
    def kin(self) -> Hashable:
        """What writers share whose :meth:`joints` are equal."""
        ...

    def joints(self, prefix: int, batch: Batch) -> list[bytes]:
        """What stands before, between and behind prefixes of so many bytes, in the frames of a
        batch's payloads.
        """
        ...


class FrameWriter(Protocol):
    """Takes whole text messages as frames, and sends them in order; its caller bounds what waits.

    What :meth:`frame` and its like make is for this writer's own :meth:`write`.
    """

    @property
    def plain(self) -> bool:
        """Whether what is written of a message is no less than the message."""
        ...

    @property
    def drilled(self) -> "Drilled | None":
        """Itself, as long as its frames may go past it together with those of others."""
        ...

    def watch(self, progressed: Callable[[], None]) -> None:
        """Have it called whenever some of what waited has left, and when nothing will leave any
        more: in the middle of anything, so it must not block or raise.
        """
        ...

    @property
    def size(self) -> int:
        """Bytes that wait."""
        ...

    def frame(self, message: bytes) -> bytes:
        """A message (UTF-8) as it is written."""
        ...

    def next_frame(self, prefix: bytes, payload: bytes) -> bytes:
        """The message ``prefix + payload + b"}"`` as it is written."""
        ...

    def frames(self, prefix: bytes, batch: Batch) -> Sequence[bytes]:
        """The messages ``prefix + payload + b"}"`` of a batch's payloads as they are written."""
        ...

    def write(self, frames: Sequence[bytes]) -> int:
        """Send frames after all that waits; the bytes that wait then."""
        ...

    async def settled(self) -> None:
        """Wait until what is said by ASGI's ``send`` comes after all that was written."""
        ...


class AsgiWriter:
    """Sends by the ``send`` of ASGI, where the server offers nothing better.

    What waits is sent by a task that lives as long as there is something to send.
    """

    __slots__ = ("_draining", "_idle", "_progressed", "_send", "_spawn", "_waiting", "size")
    plain = True
    drilled = None

    def __init__(self, send: Send, spawn: Spawn) -> None:
        self._send = send
        self._spawn = spawn
        self._waiting: deque[bytes] = deque()
        self._draining = False
        self._idle: trio.Event | None = None
        self._progressed: Callable[[], None] | None = None
        self.size = 0

    def watch(self, progressed: Callable[[], None]) -> None:
        """Have it called whenever some of what waited has left."""
        self._progressed = progressed

    def frame(self, message: bytes) -> bytes:
        """The message: the server makes the frame."""
        return message

    def next_frame(self, prefix: bytes, payload: bytes) -> bytes:
        """The message ``prefix + payload + b"}"``."""
        return prefix + payload + b"}"

    def frames(self, prefix: bytes, batch: Batch) -> Sequence[bytes]:
        """The messages of a batch."""
        return [prefix + payload + b"}" for payload in batch.payloads]

    def write(self, frames: Sequence[bytes]) -> int:
        """Send messages (UTF-8) after all that waits; the bytes that wait then."""
        self._waiting.extend(frames)
        self.size += sum(map(len, frames))
        if not self._draining:
            self._draining = True
            self._spawn(self._drain)
        return self.size

    async def settled(self) -> None:
        """Wait until all of it is sent."""
        await trio.lowlevel.checkpoint()
        while self._draining:
            if self._idle is None:
                self._idle = trio.Event()
            await self._idle.wait()

    def _part(self) -> bytes:
        """Take what leaves next."""
        return self._waiting.popleft()

    def _said(self, part: bytes) -> dict[str, object]:
        """It as ASGI says it."""
        return {"type": "websocket.send", "text": part.decode()}

    async def _drain(self) -> None:
        try:
            while self._waiting:
                part = self._part()
                await self._send(self._said(part))
                self.size -= len(part)
                if self._progressed is not None:
                    self._progressed()
                # After a disconnect the send returns at once, and would keep the loop for itself.
                await trio.lowlevel.checkpoint()
        finally:
            self._draining = False
            if self._idle is not None:
                self._idle.set()
                self._idle = None
