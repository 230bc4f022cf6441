"""One connection's outbox: every message goes through it, in order, and it is bounded.

Outside this module nothing knows how bytes leave: by a ``FrameWriter``.
"""

from collections import deque
from collections.abc import Sequence

import trio

from incident_manager.actors.batch import Batch
from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.model import Record
from incident_manager.actors.ports import Listed, Ranks
from incident_manager.http.counters import Counters
from incident_manager.http.frame_writer import FrameWriter, Send, Spawn
from incident_manager.http.rank import Place, Rank

__all__ = ["Outbox"]


class Outbox:
    """Messages that wait for one client, at most ``limit`` bytes of them as they are sent.

    What streams offer is refused when it is full (one message always fits into an empty one): the
    stream then reads on from the journal at the client's pace. Control messages and results are
    always taken; whoever causes them waits in :meth:`room` before it reads more input.
    ``ended`` says that the close has been handed on.
    """

    __slots__ = (
        "_behind",
        "_count",
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
        "_shut",
        "_spawn",
        "_wanted",
        "_writer",
        "_written",
        "closed",
        "ended",
        "limit",
        "place",
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
        self._count = 0  # messages in the fresh frames
        self._behind = 0  # bytes that wait with the writer, as it said last
        # Of the messages with the writer: where so many of them end.
        self._ends: deque[tuple[int, int]] | None = None
        self._room: trio.Event | None = None
        self._wanted = 0  # size of what was refused last: what room must be there for
        self._ending: tuple[int, str] | None = None
        self._shut = False  # it takes nothing: it is closed, or will be
        self.limit = limit
        self._written = 0
        self.place: Place | None = None
        self.closed = False
        self.ended = False
        writer.watch(self._progressed)

    @property
    def bytes_out(self) -> int:
        """Bytes that were sent on."""
        return self._written + (0 if self.place is None else self.place.sent)

    @property
    def drilled(self) -> bool:
        """Whether its client may be fed in a rank with others."""
        return self._writer.drilled is not None

    def fall_in(self, ranks: Ranks, prefix: bytes, listed: Listed) -> bool:
        """Have what streams offer with this prefix go past it, in one of these ranks or a new one,
        if nothing waits here.
        """
        writer = self._writer.drilled
        if writer is None or self._shut or self._fresh or not writer.wire.clear:
            return False
        wire = writer.wire
        volley = wire.volley
        if volley is None or not volley.ready:
            return False
        key = (writer.kin, len(prefix))
        rank = ranks.get(key)
        if not isinstance(rank, Rank):
            rank = ranks[key] = Rank(volley, self._counters, self._latency, self.limit)
        self.place = Place(rank, prefix, writer, wire, listed, self)
        rank.add(self.place)
        return True

    def left(self, place: Place) -> None:
        """It is not fed in a rank any more."""
        self._written += place.sent
        self.place = None

    def fall_out(self) -> None:
        """Have nothing go past it."""
        if self.place is not None:
            self.place.fall_out()

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return 0 if self.closed else self._fresh_size + self._writer.size

    def offer(self, message: bytes) -> bool:
        """Take a message of a stream, or refuse it because the outbox is full or closing."""
        return not self._shut and self._offer(self._writer.frame(message))

    def offer_next(self, prefix: bytes, payload: bytes) -> bool:
        """Take ``prefix + payload + b"}"``, or refuse it as :meth:`offer` does."""
        return not self._shut and self._offer(self._writer.next_frame(prefix, payload))

    def _offer(self, frame: bytes) -> bool:
        size = len(frame)
        waits = self._fresh_size + self._behind
        if waits and waits + size > self.limit:
            self._wanted = size
            return False
        self._put((frame,), size, 1)
        return True

    def offer_all(self, prefix: bytes, batch: Batch) -> bool:
        """Take ``prefix + payload + b"}"`` for each payload of a batch, or refuse all of it."""
        writer, count = self._writer, len(batch.payloads)
        least = len(prefix) * count + (batch.size if writer.plain else 0)
        if self._shut or self._fresh_size + self._behind + least > self.limit:
            return False  # it is not even made
        return self._take(writer.frames(prefix, batch), count)

    def take(self, messages: Sequence[bytes]) -> bool:
        """Take all messages of a stream, or refuse all of them."""
        if self._shut:
            return False
        return self._take([self._writer.frame(each) for each in messages], len(messages))

    def _take(self, frames: Sequence[bytes], count: int) -> bool:
        size = len(frames[0]) if len(frames) == 1 else sum(map(len, frames))
        if self._fresh_size + self._behind + size > self.limit:
            return False
        self._put(frames, size, count)
        return True

    def _put(self, frames: Sequence[bytes], size: int, count: int) -> None:
        self._fresh += frames
        self._fresh_size += size
        self._count += count
        subject = self._latency.subject
        if subject is not None:
            self._news += count
            if self._oldest is None:
                self._oldest = subject

    def write(self, message: bytes) -> None:
        """Take a control message or a result, and send it on."""
        if not self._shut:
            frame = self._writer.frame(message)
            self._fresh.append(frame)
            self._fresh_size += len(frame)
            self._count += 1
            self.flush()

    def __len__(self) -> int:
        return self._count + sum(count for _, count in self._ends or ())

    def end(self, code: int, reason: str) -> None:
        """Close the connection after what is in the outbox; the first call counts."""
        if not self._shut:
            self.fall_out()
            self.flush()
            self._shut = True
            self._ending = (code, reason)
            self._spawn(self._finish)

    def flush(self) -> None:
        """Send on what was taken since the last time."""
        fresh = self._fresh
        if not fresh:
            return
        self._fresh = []
        size, self._fresh_size = self._fresh_size, 0
        count, self._count = self._count, 0
        oldest, news, self._oldest, self._news = self._oldest, self._news, None, 0
        self._written += size
        counters = self._counters
        counters.messages_out += count
        counters.bytes_out += size
        self._behind = behind = self._writer.write(fresh)
        if not behind:
            if oldest is not None and not self.closed:
                self._latency.sent(oldest, news)
            self._wake()  # nothing waits, and no progress is told of what never did
            return
        if self._ends is None:
            self._ends = deque()
        self._ends.append((self._written, count))
        if oldest is not None:
            if self._mark is None:
                self._mark = (self._written, oldest, news)
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
        self.fall_out()
        self.closed = self._shut = True
        self._fresh = []
        self._fresh_size = self._count = self._behind = 0
        self._ends = None
        self._mark = None
        self._wake()

    def _wake(self) -> None:
        if self._room is not None:
            self._room.set()
            self._room = None

    def _progressed(self) -> None:
        """The writer has sent some of what it has."""
        if self.closed:
            return
        self._behind = behind = self._writer.size
        left = self._written - behind
        ends = self._ends
        while ends and ends[0][0] <= left:
            ends.popleft()
        if self._mark is not None and self._mark[0] <= left:
            _, oldest, news = self._mark
            self._mark = None
            self._latency.sent(oldest, news)
            if self._oldest is not None and not self._fresh:
                self._mark = (self._written, self._oldest, self._news)
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
