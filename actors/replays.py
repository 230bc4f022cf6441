"""What those get who read the same events: matched, projected and put together once for all.

Ten thousand that come back after a restart, with the same filter and shape, share one passage for
each chunk of events, wherever inside of it each of them begins.
"""

from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Final

from incident_manager.actors.batch import Batch
from incident_manager.actors.journal.shared import CHUNK
from incident_manager.actors.model import Record
from incident_manager.actors.payload import Payload
from incident_manager.actors.ports import Shape
from incident_manager.actors.projections import Projections
from incident_manager.actors.streams import StreamFilter, matches

__all__ = ["CHUNK", "Passage", "Replays"]

_BYTES: Final = 2 * 1024 * 1024  # of payloads
_MOST: Final = 1024  # passages
_BATCHES: Final = 2  # of one passage: for all of it, and for what follows its first payload
_MADE: Final = 8  # of one batch, for sending: each about as large as its payloads


class Passage:
    """Of consecutive events, ``first`` to ``last``, those that a filter lets through, in one shape.

    ``offsets`` and ``payloads`` are theirs; ``failure`` is why the next one could not be projected.
    """

    __slots__ = ("_batches", "failure", "first", "last", "offsets", "payloads", "size")

    def __init__(self, first: int) -> None:
        self.first = first
        self.last = first - 1
        self.offsets: list[int] = []
        self.payloads: list[Payload] = []
        self.size = 0
        self.failure: Exception | None = None
        self._batches: OrderedDict[tuple[int, int], Batch] = OrderedDict()

    def add(self, offset: int, payload: Payload | None) -> None:
        """The next event, and what it is in the shape; None where the filter keeps it out."""
        self.last = offset
        if payload is not None:
            self.offsets.append(offset)
            self.payloads.append(payload)
            self.size += len(payload)

    def between(self, first: int, last: int) -> range:
        """The places of the payloads of the events ``first`` to ``last``."""
        return range(bisect_left(self.offsets, first), bisect_left(self.offsets, last + 1))

    def offer(
        self, places: range, fresh_after: int, offer: Callable[[int, bytes | Batch], bool]
    ) -> int:
        """Have the payloads at these places offered in order, together if they can be; the place
        up to which they were taken. ``offer`` gets the first event's offset, and what to offer:
        events after ``fresh_after`` and those before it are never in one batch.
        """
        start, stop = places.start, places.stop
        tries = 2  # the first may have to go alone, as it says that nothing was missed
        while start < stop:
            first, last = self.offsets[start], self.offsets[stop - 1]
            if tries and (first > fresh_after or last <= fresh_after):
                tries -= 1
                if offer(first, self._batch(start, stop)):
                    return stop
            if not offer(first, self.payloads[start]):
                return start
            start += 1
        return stop

    def _batch(self, start: int, stop: int) -> Batch:
        key = (start, stop)
        batch = self._batches.pop(key, None)
        # Clients choose what is made of it (by how long their ids are), so that has an end.
        if batch is None or len(batch.memo) > _MADE:
            batch = Batch(self.payloads[start:stop])
        self._batches[key] = batch
        if len(self._batches) > _BATCHES:
            self._batches.popitem(last=False)  # the least recently offered
        return batch


_Key = tuple[int, Hashable, StreamFilter]


class Replays:
    """Passages with at most ``budget`` bytes of payloads; the least recently used go.

    ``looked_at`` counts the events that had to be held against a filter.
    """

    def __init__(self, projections: Projections, *, budget: int = _BYTES) -> None:
        self._projections = projections
        self._budget = budget
        self._kept: OrderedDict[_Key, Passage] = OrderedDict()
        self._size = 0
        self._turn = projections.turn
        self.looked_at = 0

    def of(
        self, shape: Shape, wanted: StreamFilter, records: Sequence[Record], epoch: str
    ) -> Passage:
        """A passage with these events in it: consecutive ones of one chunk, for a flat shape.

        Where one of them cannot be projected, it ends before that and has the failure.
        """
        if self._turn != self._projections.turn:  # the journal has changed what they said
            self._kept.clear()
            self._size = 0
            self._turn = self._projections.turn
        first, last = records[0].offset, records[-1].offset
        key = (first - 1) // CHUNK, shape.key, wanted
        passage = self._kept.pop(key, None)
        if passage is not None:
            self._size -= passage.size
        if passage is None or not passage.first <= first <= passage.last + 1:
            passage = Passage(first)
        if passage.last < last:
            self._lengthen(passage, shape, wanted, records, epoch)
        if passage.failure is None:
            self._kept[key] = passage
            self._size += passage.size
            while self._size > self._budget or len(self._kept) > _MOST:
                _, oldest = self._kept.popitem(last=False)
                self._size -= oldest.size
        return passage

    def _lengthen(
        self,
        passage: Passage,
        shape: Shape,
        wanted: StreamFilter,
        records: Sequence[Record],
        epoch: str,
    ) -> None:
        for record in records[passage.last + 1 - records[0].offset :]:
            self.looked_at += 1
            payload = None
            if matches(shape.field, wanted, record):
                try:
                    payload = self._projections.flat(shape, record, epoch)
                except Exception as failure:  # noqa: BLE001 -- whose it is raises it
                    passage.failure = failure
                    return
            passage.add(record.offset, payload)
