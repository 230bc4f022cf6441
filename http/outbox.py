"""One connection's outbox: every message goes through it, in order, and it is bounded.

Outside this module nothing knows how bytes leave: by a ``FrameWriter``.
"""

from collections import deque

import trio

from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.model import Record
from incident_manager.http.counters import Counters
from incident_manager.http.frame_writer import FrameWriter, Send, Spawn

__all__ = ["Outbox"]


class Outbox:
    """Messages that wait for one client, at most ``limit`` bytes of them.

    What streams offer is refused when it is full (one message always fits into an empty one): the
    stream then reads on from the journal at the client's pace. Control messages and results are
    always taken; whoever causes them waits in :meth:`room` before it reads more input.
    ``ended`` says that the close has been handed on.
    """

    __slots__ = (
        "_counters",
        "_ending",
        "_ends",
        "_fresh",
        "_fresh_size",
        "_latency",
        "_mark",
        "_news",
        "_oldest",
        "_room",
        "_send",
        "_spawn",
        "_wanted",
        "_writer",
        "bytes_out",
        "closed",
        "ended",
        "limit",
    )

    def __init__(
        self,
        writer: FrameWriter,
        send: Send,
        spawn: Spawn,
        limit: int,
        counters: Counters,
        latency: Deliveries,
    ) -> None:
        self._writer = writer
        self._send = send
        self._spawn = spawn
        self._counters = counters
        self._latency = latency
        self._oldest: Record | None = None  # of the payloads that are not with the writer
        self._news = 0
        self._mark: tuple[int, Record, int] | None = None  # where those end that the writer has
        self._fresh: list[bytes] = []
        self._fresh_size = 0
        self._ends: deque[int] | None = None  # of the messages that wait in the writer
        self._room: trio.Event | None = None
        self._wanted = 0  # size of what was refused last: what room must be there for
        self._ending: tuple[int, str] | None = None
        self.limit = limit
        self.bytes_out = 0
        self.closed = False
        self.ended = False
        writer.watch(self._progressed)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return 0 if self.closed else self._fresh_size + self._writer.size

    def offer(self, message: bytes) -> bool:
        """Take a message of a stream, or refuse it because the outbox is full or closing."""
        if self._ending is not None or self.closed:
            return False
        size = self._fresh_size + self._writer.size
        if size and size + len(message) > self.limit:
            self._wanted = len(message)
            return False
        self._fresh.append(message)
        self._fresh_size += len(message)
        subject = self._latency.subject
        if subject is not None:
            self._news += 1
            if self._oldest is None:
                self._oldest = subject
        return True

    def write(self, message: bytes) -> None:
        """Take a control message or a result, and send it on."""
        if self._ending is None and not self.closed:
            self._fresh.append(message)
            self._fresh_size += len(message)
            self.flush()

    def __len__(self) -> int:
        return len(self._fresh) + (0 if self._ends is None else len(self._ends))

    def end(self, code: int, reason: str) -> None:
        """Close the connection after what is in the outbox; the first call counts."""
        if self._ending is None and not self.closed:
            self.flush()
            self._ending = (code, reason)
            self._spawn(self._finish)

    def flush(self) -> None:
        """Send on what was taken since the last time."""
        fresh = self._fresh
        if not fresh or self.closed:
            return
        self._fresh = []
        size, self._fresh_size = self._fresh_size, 0
        oldest, news, self._oldest, self._news = self._oldest, self._news, None, 0
        start = self.bytes_out
        self.bytes_out += size
        self._counters.messages_out += len(fresh)
        self._counters.bytes_out += size
        writer = self._writer
        writer.write(fresh)
        if not writer.size:
            if oldest is not None and not self.closed:
                self._latency.sent(oldest, news)
            return
        if self._ends is None:
            self._ends = deque()
        for message in fresh:
            start += len(message)
            self._ends.append(start)
        if oldest is not None:
            if self._mark is None:
                self._mark = (start, oldest, news)
            else:
                self._oldest, self._news = oldest, news

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
        """Nothing is taken any more, and nobody waits for room."""
        self.closed = True
        self._fresh = []
        self._fresh_size = 0
        self._ends = None
        self._mark = None
        self._wake()

    def _wake(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    def _progressed(self) -> None:
        """The writer has sent some of what it has."""
        left = self.bytes_out - self._writer.size
        ends = self._ends
        while ends and ends[0] <= left:
            ends.popleft()
        if self._mark is not None and self._mark[0] <= left:
            _, oldest, news = self._mark
            self._mark = None
            self._latency.sent(oldest, news)
            if self._oldest is not None and not self._fresh:
                self._mark = (self.bytes_out, self._oldest, self._news)
                self._oldest, self._news = None, 0
        if self._room is not None and not self._crowded():
            self._wake()

    async def _finish(self) -> None:
        await self._writer.settled()
        if self._ending is not None:
            code, reason = self._ending
            self.close()
            self.ended = True
            await self._send({"type": "websocket.close", "code": code, "reason": reason})
