"""HTTP/2 of Hypercorn's, with an end to what waits in it and to how long."""

from contextlib import suppress

import h2.errors
import h2.events
import h2.exceptions
import trio
from hypercorn.events import Closed, RawData
from hypercorn.events import Event as IOEvent
from hypercorn.protocol.events import Body, Data, EndBody, EndData, Event, Trailers
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER, BufferCompleteError, H2Protocol

from incident_manager.http.h2_buffer import BoundedBuffer
from incident_manager.http.transport import Guard, guard_of

__all__ = ["BoundedBuffer", "GuardedH2"]

_WAITING = Body | Data | EndBody | EndData | Trailers


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
            buffer.put(event.data)
            self.priority.unblock(event.stream_id)
            await self.has_data.set()

    def write_nowait(self, stream_id: int, data: bytes) -> bool:
        """Put bytes into the buffer of a stream, whatever is in it; whether they were taken.

        They are not where the stream has ended, or the connection.
        """
        buffer = self.stream_buffers.get(stream_id)
        if not isinstance(buffer, BoundedBuffer) or buffer.ended or self.closed:
            return False
        buffer.put(data)
        self.priority.unblock(stream_id)
        self.has_data._event.set()  # type: ignore[attr-defined]
        return True

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
