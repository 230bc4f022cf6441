"""The newest records in memory, in order and without a hole."""

from collections import deque
from collections.abc import Sequence

from incident_manager.actors.model import Record
from incident_manager.actors.weight import record_weight

__all__ = ["Ring"]


class Ring:
    """At most ``capacity`` records of at most ``budget`` bytes, with consecutive offsets.

    The oldest give way; what is no longer here is in the journal.
    """

    __slots__ = ("_records", "_weight", "_weights", "budget", "capacity")

    def __init__(self, capacity: int, budget: int = 64 * 1024 * 1024) -> None:
        self.capacity = capacity
        self.budget = budget
        self._records: deque[Record] = deque()
        self._weights: deque[int] = deque()
        self._weight = 0

    def extend(self, records: Sequence[Record]) -> None:
        """Add records; one that does not follow the newest makes the ring forget the others."""
        for record in records:
            if self._records and record.offset <= self._records[-1].offset:
                continue
            if self._records and record.offset != self._records[-1].offset + 1:
                self.clear()
            weight = record_weight(record)
            self._records.append(record)
            self._weights.append(weight)
            self._weight += weight
        while len(self._records) > self.capacity or self._weight > self.budget:
            self._records.popleft()
            self._weight -= self._weights.popleft()

    def clear(self) -> None:
        """Forget all."""
        self._records.clear()
        self._weights.clear()
        self._weight = 0

    def after(self, offset: int, limit: int) -> list[Record] | None:
        """At most ``limit`` records that follow ``offset``; None if the ring does not reach back.

        An empty list says that nothing follows, as far as the ring has been told.
        """
        if not self._records:
            return None
        first = self._records[0].offset
        if offset + 1 < first:
            return None
        records, skip = self._records, offset + 1 - first
        # By their places: a deque goes to one from its nearer end, and by blocks.
        return [records[at] for at in range(skip, min(skip + limit, len(records)))]
