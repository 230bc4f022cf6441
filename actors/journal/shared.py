"""Reads that many share: after a restart, thousands come back to the same part of the journal.

Who asks for what somebody else is reading this moment waits for that; what was read is kept for a
while, as far as it is one and the same for everybody: events do not change, but for redactions.
"""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from incident_manager.actors.journal.base import Bounds, Chunk, JournalUnavailable
from incident_manager.actors.model import Record
from incident_manager.actors.weight import record_weight

__all__ = ["CHUNK", "Shared"]

CHUNK: Final = 64
"""Records in one read. Reads begin at its multiples, so that neighbours share them."""
_BYTES: Final = 8 * 1024 * 1024


class _Reading:
    """A read that is under way, and what has come of it: neither if it was cancelled."""

    __slots__ = ("chunk", "done", "failure")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.chunk: Chunk | None = None
        self.failure: str | None = None


class Shared:
    """The shared reads of one journal: at most about ``budget`` bytes of records are kept.

    ``bounds`` are what the journal was known to hold when somebody last looked: more may have
    come, but nothing has gone. None: nobody knows. ``reads`` counts those of the journal itself.
    """

    def __init__(
        self, read: Callable[[int, int], Awaitable[Chunk]], *, budget: int = _BYTES
    ) -> None:
        self._read = read
        self._budget = budget
        self._kept: OrderedDict[int, tuple[Chunk, int]] = OrderedDict()
        self._weight = 0
        self._reading: dict[int, _Reading] = {}
        self._turn = 0
        self.bounds: Bounds | None = None
        self.reads = 0

    @property
    def turn(self) -> int:
        """Another one after each :meth:`forget`: what was read before that is old."""
        return self._turn

    def learn(self, bounds: Bounds, turn: int) -> None:
        """These were read, by a read that began in that turn."""
        if turn == self._turn:
            self.bounds = bounds

    def forget(self) -> None:
        """Keep nothing that was read so far, or that is being read: the journal has changed it."""
        self._turn += 1
        self._kept.clear()
        self._weight = 0
        self._reading = {}
        self.bounds = None

    async def after(self, offset: int, limit: int) -> Chunk:
        """At most ``limit`` records after ``offset``, as ``View.read_after`` says.

        That nothing follows may be true of a moment ago only: another's read may have begun before
        the call. Raises :class:`JournalUnavailable` as the journal does.
        """
        start = offset - offset % CHUNK
        while True:
            kept = self._kept.get(start)
            if kept is not None and kept[0].examined > offset:
                self._kept.move_to_end(start)
                return _after(kept[0], offset, limit)
            reading = self._reading.get(start)
            if reading is None:
                return _after(await self._read_from(start), offset, limit)
            await reading.done.wait()
            if reading.failure is not None:
                raise JournalUnavailable(reading.failure)
            if reading.chunk is not None:
                return _after(reading.chunk, offset, limit)

    async def _read_from(self, start: int) -> Chunk:
        reading, turn, under_way = _Reading(), self._turn, self._reading
        under_way[start] = reading
        self.reads += 1
        try:
            reading.chunk = chunk = await self._read(start, CHUNK)
        except JournalUnavailable as failure:
            reading.failure = str(failure)
            raise
        finally:
            del under_way[start]
            reading.done.set()
        if turn == self._turn:
            self._keep(start, chunk)
        return chunk

    def _keep(self, start: int, chunk: Chunk) -> None:
        self.bounds = chunk.bounds
        if not chunk.records:
            return
        _, before = self._kept.pop(start, (None, 0))
        weight = sum(map(record_weight, chunk.records))
        self._kept[start] = chunk, weight
        self._weight += weight - before
        while self._weight > self._budget:
            _, (_, weight) = self._kept.popitem(last=False)
            self._weight -= weight


def _after(chunk: Chunk, offset: int, limit: int) -> Chunk:
    """The part of a chunk that follows ``offset``; its records follow one another."""
    records: Sequence[Record] = chunk.records
    if not records:
        return chunk
    skip = max(0, offset + 1 - chunk.records[0].offset)
    rest = chunk.records[skip : skip + limit]
    return Chunk(rest, chunk.bounds, rest[-1].offset if rest else chunk.bounds.head)
