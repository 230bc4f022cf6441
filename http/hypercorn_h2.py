"""HTTP/2 of Hypercorn's, with an end to what waits in it and to how long."""

from contextlib import suppress

import h2.errors
import h2.events
import h2.exceptions
import trio
from hypercorn.events import Closed, RawData
from hypercorn.events import Event as IOEvent
from hypercorn.protocol.events import Body, Data, EndBody, EndData, Event, Trailers
from hypercorn.protocol.h2 import (
    BUFFER_HIGH_WATER,
    BUFFER_LOW_WATER,
    BufferCompleteError,
    H2Protocol,
    StreamBuffer,
)
from hypercorn.typing import Event as EventType

from incident_manager.http.transport import Guard, guard_of

__all__ = ["BoundedBuffer", "GuardedH2"]

_WAITING = Body | Data | EndBody | EndData | Trailers


class BoundedBuffer(StreamBuffer):
    """What waits for a window of HTTP/2: whoever pushes waits while it is full.

    In Hypercorn 0.18 a pop that takes nothing, because the window is closed, lets the next push
    pass, so that it holds whatever the application has to say.
    """

    def __init__(self, event_class: type[EventType]) -> None:
        super().__init__(event_class)
        self._room = trio.Event()

    async def push(self, data: bytes) -> None:
        """Add bytes, and wait for room. Raises BufferCompleteError where the stream has ended."""
        await self.put(data)
        while len(self.buffer) >= BUFFER_HIGH_WATER and not self._complete:
            if self._room.is_set():
                self._room = trio.Event()
            await self._room.wait()

    async def put(self, data: bytes) -> None:
        """Add bytes without waiting for room. Raises as :meth:`push` does."""
        if self._complete:
            raise BufferCompleteError
        self.buffer.extend(data)
        await self._is_empty.clear()

    async def pop(self, max_length: int) -> bytes:
        """Take at most so many bytes."""
        data = bytes(self.buffer[:max_length])
        del self.buffer[:max_length]
        if len(self.buffer) < BUFFER_LOW_WATER:
            self._room.set()
        if not self.buffer:
            await self._is_empty.set()
        return data

    async def close(self) -> None:
        """Drop what is in it; nobody waits any more."""
        await super().close()
        self._room.set()


class GuardedH2(H2Protocol):
    """A stream of which nothing is taken for the guard's ``write_timeout`` is reset.

    What comes for a stream that has had its answer is thrown away.
    """

    _guard: Guard
    _scopes: dict[int, set[trio.CancelScope]]
    _reader: trio.lowlevel.Task | None = None

    async def initiate(
        self, headers: list[tuple[bytes, bytes]] | None = None, settings: bytes | None = None
    ) -> None:
        """Begin."""
        self._guard = guard_of(self.app)
        self._scopes = {}
        await super().initiate(headers, settings)

    async def handle(self, event: IOEvent) -> None:
        """Take what the socket has."""
        if isinstance(event, RawData):
            self._reader = trio.lowlevel.current_task()
        elif isinstance(event, Closed):
            for buffer in tuple(self.stream_buffers.values()):
                await buffer.close()
        await super().handle(event)

    async def stream_send(self, event: Event) -> None:
        """Send on what a stream says, or have it reset."""
        stream_id = event.stream_id
        if isinstance(event, Data) and trio.lowlevel.current_task() is self._reader:
            await self._answer(event)
        elif not isinstance(event, _WAITING):
            await super().stream_send(event)
        else:
            with trio.CancelScope(deadline=self._deadline()) as scope:
                self._scopes.setdefault(stream_id, set()).add(scope)
                try:
                    await super().stream_send(event)
                finally:
                    self._scopes[stream_id].discard(scope)
                    if not self._scopes[stream_id]:
                        del self._scopes[stream_id]
            if scope.cancelled_caught:
                await self._give_up(stream_id)

    def _deadline(self) -> float:
        return trio.current_time() + self._guard.write_timeout

    async def _answer(self, event: Data) -> None:
        """Send a pong or a close, for which the task that reads must not wait: the window that
        it would wait for comes by it. Of who opens no window they are dropped.
        """
        buffer = self.stream_buffers.get(event.stream_id)
        if not isinstance(buffer, BoundedBuffer) or len(buffer.buffer) > 2 * BUFFER_HIGH_WATER:
            return
        with suppress(BufferCompleteError):
            await buffer.put(event.data)
            self.priority.unblock(event.stream_id)
            await self.has_data.set()

    async def _send_data(self, stream_id: int) -> None:
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None:
            self.priority.block(stream_id)
            return
        before = len(buffer.buffer)
        await super()._send_data(stream_id)
        if len(buffer.buffer) < before:
            for scope in self._scopes.get(stream_id, ()):
                scope.deadline = self._deadline()

    async def _give_up(self, stream_id: int) -> None:
        self._guard.stalled += 1
        buffer = self.stream_buffers.get(stream_id)
        if buffer is not None:
            await buffer.close()
        with suppress(h2.exceptions.ProtocolError):
            self.connection.reset_stream(stream_id, h2.errors.ErrorCodes.CANCEL)
        await self._flush()
        await self._window_updated(stream_id)
        # By another task, because the application, whose task this is, may have to read first.
        self.task_group.spawn(self._close_stream, stream_id)

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        for event in events:
            if isinstance(event, h2.events.DataReceived) and event.stream_id not in self.streams:
                self.connection.acknowledge_received_data(
                    event.flow_controlled_length, event.stream_id
                )
                continue
            if isinstance(event, h2.events.StreamReset) and event.stream_id in self.stream_buffers:
                await self.stream_buffers[event.stream_id].close()
            await super()._handle_events([event])
        await self._flush()
