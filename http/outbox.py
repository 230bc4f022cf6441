"""One connection's outbox: every frame goes through it, in order, and it is bounded.

Outside this module nothing knows how bytes leave. Here they leave by the plain ASGI ``send``.
"""

from collections import deque
from collections.abc import Awaitable, Callable

import trio

from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.model import Record
from incident_manager.http.counters import Counters

__all__ = ["Outbox"]

Send = Callable[[dict[str, object]], Awaitable[None]]
Spawn = Callable[[Callable[[], Awaitable[None]]], None]


class Outbox:
    """Frames of text that wait for one client, at most ``limit`` bytes of payloads.

    What streams offer is refused when it is full (one frame always fits into an empty one): the
    stream then reads on from the journal at the client's pace. Control frames and results are
    always taken; whoever causes them waits in :meth:`room` before it reads more input.
    ``ended`` says that the close has been handed on.
    """

    __slots__ = (
        "_counters",
        "_draining",
        "_ending",
        "_frames",
        "_fresh",
        "_latency",
        "_oldest",
        "_room",
        "_send",
        "_spawn",
        "_wanted",
        "bytes_out",
        "closed",
        "ended",
        "limit",
        "size",
    )

    def __init__(
        self, send: Send, spawn: Spawn, limit: int, counters: Counters, latency: Deliveries
    ) -> None:
        self._send = send
        self._spawn = spawn
        self._counters = counters
        self._latency = latency
        self._oldest: Record | None = None
        self._fresh = 0
        self._frames: deque[bytes] = deque()
        self._room: trio.Event | None = None
        self._wanted = 0  # size of the frame that was refused last: what room must be there for
        self._draining = False
        self._ending: tuple[int, str] | None = None
        self.limit = limit
        self.size = 0
        self.bytes_out = 0
        self.closed = False
        self.ended = False

    def offer(self, frame: bytes) -> bool:
        """Take a frame of a stream, or refuse it because the outbox is full or closing."""
        if self._ending is not None or self.closed:
            return False
        if self.size and self.size + len(frame) > self.limit:
            self._wanted = len(frame)
            return False
        self._put(frame)
        subject = self._latency.subject
        if subject is not None:
            self._fresh += 1
            if self._oldest is None:
                self._oldest = subject
        return True

    def write(self, frame: bytes) -> None:
        """Take a control frame or a result, and send it on."""
        if self._ending is None and not self.closed:
            self._put(frame)
            self.flush()

    def __len__(self) -> int:
        return len(self._frames)

    def _put(self, frame: bytes) -> None:
        self._frames.append(frame)
        self.size += len(frame)

    def end(self, code: int, reason: str) -> None:
        """Close the connection after what is in the outbox; the first call counts."""
        if self._ending is None and not self.closed:
            self._ending = (code, reason)
            self.flush()

    def flush(self) -> None:
        """Send on what waits: by one task, which lives as long as there is something to send."""
        if not self._draining and not self.closed and (self._frames or self._ending is not None):
            self._draining = True
            self._spawn(self._drain)

    async def room(self) -> None:
        """Wait until the outbox is at most half full and takes what it refused, or is closed."""
        while self._crowded() and not self.closed:
            if self._room is None:
                self._room = trio.Event()
            await self._room.wait()
        self._wanted = 0

    def _crowded(self) -> bool:
        size = self.size
        return size > self.limit // 2 or (size > 0 and size + self._wanted > self.limit)

    def close(self) -> None:
        """Nothing leaves any more; what waits is dropped, and nobody waits for room."""
        self.closed = True
        self._frames.clear()
        self.size = 0
        self._wake()

    def _wake(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    async def _drain(self) -> None:
        try:
            while self._frames:
                oldest, fresh = self._oldest, self._fresh
                self._oldest, self._fresh = None, 0
                await self._pass()
                if oldest is not None and not self.closed:
                    self._latency.sent(oldest, fresh)
            if self._ending is not None:
                code, reason = self._ending
                self.close()
                self.ended = True
                await self._send({"type": "websocket.close", "code": code, "reason": reason})
        finally:
            self._draining = False

    async def _pass(self) -> None:
        """Send what is here now; what comes meanwhile is for the next time."""
        left = len(self._frames)
        while left and self._frames:  # closing drops them all
            left -= 1
            frame = self._frames.popleft()
            await self._send({"type": "websocket.send", "text": frame.decode()})
            self.size = max(0, self.size - len(frame))
            self.bytes_out += len(frame)
            self._counters.messages_out += 1
            self._counters.bytes_out += len(frame)
            if self._room is not None and not self._crowded():
                self._wake()
            # After a disconnect the send returns at once, and would keep the loop for itself.
            await trio.lowlevel.checkpoint()
