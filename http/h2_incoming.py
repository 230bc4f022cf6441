"""What comes on the streams of one connection of HTTP/2, by the windows of each."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import h2.events
import h2.exceptions
import trio

from incident_manager.http.h2_inbox import Inbox, Room
from incident_manager.http.h2_state import State

__all__ = ["HELD", "Incoming"]

HELD: Final = 1024 * 1024
"""Bytes that all streams of a connection may leave lying before its own window is held."""
_CHUNK: Final = 16384  # bytes given to an application at a time
_TINY: Final = 6  # bytes: less is no frame of a WebSocket, and hardly of use


class Incoming:
    """The inboxes of the streams.

    A stream's window is opened for what its application has taken, the connection's for what has
    come, so that no stream holds up another. What comes for a stream without an inbox is thrown
    away. ``open`` has the streams that the client has not ended.
    """

    __slots__ = ("_flush", "_inboxes", "_room", "_state", "open")

    def __init__(self, state: State, flush: Callable[[], Awaitable[None]]) -> None:
        self._state = state
        self._flush = flush
        self._inboxes: dict[int, Inbox] = {}
        self._room = Room(HELD)
        self.open: set[int] = set()

    def begin(self, stream_id: int) -> Inbox:
        """An inbox for a stream."""
        inbox = self._inboxes[stream_id] = Inbox()
        return inbox

    def take(self, event: h2.events.DataReceived) -> None:
        """Put what has come for a stream where its application finds it."""
        stream_id, size = event.stream_id, len(event.data)
        if size >= _TINY or event.stream_ended is not None:
            self._state.proved()
        inbox = self._inboxes.get(stream_id)
        if inbox is None:
            self._widen(stream_id, event.flow_controlled_length)
            self._widen(0, self._room.passed(event.flow_controlled_length))
            return
        padding = event.flow_controlled_length - size
        self._widen(stream_id, inbox.credit.owe(padding))
        self._widen(0, self._room.passed(padding))
        if size:
            inbox.put(event.data)
            self._widen(0, self._room.came(size))

    def end(self, stream_id: int) -> None:
        """The client has ended a stream."""
        self.open.discard(stream_id)
        if stream_id in self._inboxes:
            self._inboxes[stream_id].end()

    def close(self, stream_id: int) -> None:
        """Nobody takes what comes for a stream."""
        inbox = self._inboxes.pop(stream_id, None)
        if inbox is not None:
            dropped = inbox.close()
            self._widen(0, self._room.went(dropped))
            self._widen(stream_id, dropped)

    async def feed(
        self,
        stream_id: int,
        inbox: Inbox,
        give: Callable[[bytes], Awaitable[None]],
        patience: float,
    ) -> bool:
        """Give an application what comes for it; whether it came to the end that the client set.

        Raises:
            trio.TooSlowError: nothing came for so many seconds.
        """
        while not inbox.closed:
            with trio.fail_after(patience):
                await inbox.wait()
            data = inbox.take(_CHUNK)
            if not data:
                return inbox.ended and not inbox.closed
            self._widen(0, self._room.went(len(data)))
            await give(data)
            self._widen(stream_id, inbox.credit.owe(len(data)))
            await self._flush()
        return False

    def _widen(self, stream_id: int, size: int) -> None:
        """Let the client send so many bytes more: on a stream, or on the connection (0)."""
        if size:
            with suppress(h2.exceptions.ProtocolError):  # it has ended
                connection = self._state.connection
                connection.increment_flow_control_window(size, stream_id or None)
