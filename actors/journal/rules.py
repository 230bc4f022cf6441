"""What every journal does alike, decided without IO: checks of a batch, and where to trim."""

from collections.abc import Iterable

from incident_manager.actors.journal.base import Append, Bounds
from incident_manager.actors.model import Micros

__all__ = ["check_batch", "check_read", "trim_to"]


def check_batch(batch: Append) -> None:
    """Raise ValueError unless the records' offsets go on from ``expected_head`` without a hole."""
    for wanted, record in enumerate(batch.records, start=batch.expected_head + 1):
        if record.offset != wanted:
            raise ValueError(f"an event has offset {record.offset} where {wanted} follows")


def check_read(offset: int, limit: int) -> None:
    """Raise ValueError for an offset below 0 or a limit below 1."""
    if offset < 0:
        raise ValueError(f"offset is {offset}; it cannot be below 0")
    if limit < 1:
        raise ValueError(f"limit is {limit}; it must be at least 1")


def trim_to(
    bounds: Bounds, times: Iterable[Micros], *, keep: int, before: Micros, limit: int
) -> int:
    """The last offset that retention drops now; ``bounds.oldest - 1`` if none.

    ``times`` are those of the events from ``bounds.oldest`` on; no more than ``limit`` are taken.
    Events go from the front only: one that is young enough keeps all that follow it.
    """
    first = bounds.oldest
    last = min(first + limit - 1, bounds.head - 1)
    by_count = bounds.head - keep if keep > 0 else first - 1
    by_age = first - 1
    if before > 0:
        for offset, time in zip(range(first, last + 1), times, strict=False):
            if time >= before:
                break
            by_age = offset
    return max(first - 1, min(last, max(by_count, by_age)))
