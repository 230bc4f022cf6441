"""The newest records in memory, in order and without a hole."""

from collections import deque
from collections.abc import Sequence
from itertools import islice

from incident_manager.actors.model import Record

__all__ = ["Ring"]


class Ring:
    """At most ``capacity`` records with consecutive offsets; the oldest give way.

    What is no longer here is in the journal.
    """

    __slots__ = ("_records", "capacity")

    def __init__(self, capacity: int) -> None:
        self.capacity = capacity
        self._records: deque[Record] = deque(maxlen=capacity)

    def extend(self, records: Sequence[Record]) -> None:
        """Add records; one that does not follow the newest makes the ring forget the others."""
        for record in records:
            if self._records and record.offset <= self._records[-1].offset:
                continue
            if self._records and record.offset != self._records[-1].offset + 1:
                self._records.clear()
            self._records.append(record)

    def after(self, offset: int, limit: int) -> list[Record] | None:
        """At most ``limit`` records that follow ``offset``; None if the ring does not reach back.

        An empty list says that nothing follows, as far as the ring has been told.
        """
        if not self._records:
            return None
        first = self._records[0].offset
        if offset + 1 < first:
            return None
        skip = offset + 1 - first
        return list(islice(self._records, skip, skip + limit))
