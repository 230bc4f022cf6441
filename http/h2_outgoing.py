"""What leaves on the streams of one connection of HTTP/2, as far as their windows let it."""

from collections.abc import Awaitable, Callable
from typing import Final

import h2.exceptions
import trio

from incident_manager.http.h2_buffer import BoundedBuffer
from incident_manager.http.h2_state import State
from incident_manager.http.h2_turns import Turns
from incident_manager.http.h2_waiting import Waiting

__all__ = ["Outgoing"]

_CHUNK: Final = 16384  # bytes of one stream at its turn
_EARNED: Final = 3.0  # tokens for each DATA frame sent: the client answers it by window updates
_WORTH: Final = 1024  # bytes: a DATA frame of fewer earns nothing if a window cut it short
_LINGER: Final = 5.0  # seconds that a client may go on sending after it has its answer


class Outgoing:
    """The ``buffers`` of the streams, each in its turn.

    ``flush`` writes what the state machine has to say; ``sent`` is told of a stream of which
    everything has been sent.
    """

    __slots__ = ("_alarm", "_flush", "_sent", "_state", "_turns", "_waiting", "_work", "buffers")

    def __init__(
        self,
        state: State,
        buffers: dict[int, BoundedBuffer],
        patience: float,
        flush: Callable[[], Awaitable[None]],
        sent: Callable[[int], Awaitable[None]],
    ) -> None:
        self._state = state
        self._flush = flush
        self._sent = sent
        self._turns = Turns()
        self._work = trio.Event()
        self._waiting = Waiting(patience)
        self._alarm = trio.Event()
        self.buffers = buffers

    def schedule(self, stream_id: int) -> None:
        """A stream has something to send, or has ended."""
        self._turns.add(stream_id)
        self._work.set()

    def widened(self, stream_id: int) -> None:
        """The client has opened the window of a stream, or of all (0)."""
        for each in (stream_id,) if stream_id else tuple(self.buffers):
            buffer = self.buffers.get(each)
            if buffer is not None and len(buffer):
                self.schedule(each)

    def drop(self) -> None:
        """End all streams."""
        for buffer in tuple(self.buffers.values()):
            buffer.drop()
        self._work.set()

    def forget(self, stream_id: int) -> None:
        """A stream has nothing more to say."""
        self.buffers.pop(stream_id, None)
        self._turns.discard(stream_id)
        self._waiting.unblock(stream_id)

    def linger(self, stream_id: int) -> None:
        """The client may finish what it is sending on a stream that has had its answer."""
        self._waiting.linger(stream_id, trio.current_time() + _LINGER)
        self._alarm.set()

    def received(self, stream_id: int) -> None:
        """The client has ended a stream."""
        self._waiting.ended(stream_id)

    async def overdue(self) -> tuple[list[int], list[int]]:
        """Wait for streams of which the client takes nothing for too long, and for those that
        have lingered.
        """
        while True:
            self._alarm = trio.Event()
            with trio.move_on_at(self._waiting.earliest):
                await self._alarm.wait()
            blocked, lingering = self._waiting.due(trio.current_time())
            if blocked or lingering:
                return blocked, lingering

    async def turn(self) -> None:
        """Send some of the stream whose turn it is, or wait until there may be one."""
        stream_id = self._turns.next()
        if stream_id is None:
            self._work = trio.Event()
            await self._work.wait()
            return
        buffer = self.buffers.get(stream_id)
        if buffer is None:
            self._turns.discard(stream_id)
            return
        try:
            is_last = self._send(stream_id, buffer)
        except h2.exceptions.ProtocolError:  # it has ended meanwhile
            buffer.drop()
            is_last = True
        await self._flush()
        if is_last:
            await self._sent(stream_id)

    def _send(self, stream_id: int, buffer: BoundedBuffer) -> bool:
        """Send what the windows let go; whether that was the last of it."""
        connection = self._state.connection
        window = connection.local_flow_control_window(stream_id)
        data = buffer.take(max(0, min(window, connection.max_outbound_frame_size, _CHUNK)))
        is_last, rest = buffer.complete, len(buffer)
        if data:
            connection.send_data(stream_id, data, end_stream=is_last)
            self._waiting.moved(stream_id, len(data), rest=rest)
            if len(data) >= _WORTH or not rest:
                self._state.budget.earn(_EARNED)
        elif is_last:
            connection.end_stream(stream_id)
        elif rest:
            self._waiting.block(stream_id, trio.current_time())
            self._alarm.set()
        if not data or not rest:
            self._turns.discard(stream_id)
        return is_last
