"""Where the events of one stream leave: the body of its answer."""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

import trio

from incident_manager.http.frame_writer import Send, Spawn

__all__ = ["EventWriter"]

_TOGETHER: Final = 64 * 1024  # bytes of events that leave in one part, where more than one waits


class EventWriter:
    """Implements :class:`incident_manager.http.frame_writer.FrameWriter`.

    What waits is sent by a task that lives as long as there is something to send.
    """

    __slots__ = ("_draining", "_idle", "_progressed", "_send", "_spawn", "_waiting", "size")

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

    def write(self, messages: Sequence[bytes]) -> None:
        """Send events after all that waits."""
        self._waiting.extend(messages)
        self.size += sum(map(len, messages))
        if not self._draining:
            self._draining = True
            self._spawn(self._drain)

    async def settled(self) -> None:
        """Wait until all of it is sent."""
        await trio.lowlevel.checkpoint()
        while self._draining:
            if self._idle is None:
                self._idle = trio.Event()
            await self._idle.wait()

    async def _drain(self) -> None:
        try:
            while self._waiting:
                part = self._part()
                await self._send({"type": "http.response.body", "body": part, "more_body": True})
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

    def _part(self) -> bytes:
        """Whole events, at least one."""
        events = [self._waiting.popleft()]
        size = len(events[0])
        while self._waiting and size + len(self._waiting[0]) <= _TOGETHER:
            events.append(self._waiting.popleft())
            size += len(events[-1])
        return events[0] if len(events) == 1 else b"".join(events)
