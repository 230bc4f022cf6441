"""Where a subscription starts, and what it must be told: a pure decision."""

from attrs import frozen

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.base import Bounds
from incident_manager.actors.ports import Gap

__all__ = ["Start", "resume"]


@frozen
class Start:
    """From which offset to go on; ``recovered`` is None where nothing was asked for."""

    position: int
    recovered: bool | None = None
    gap: Gap | None = None


def resume(cursor: Cursor | None, bounds: Bounds) -> Start:
    """Decide where a stream starts (contract, section 2, "Cursors").

    Without a cursor: at the head. With one that the journal still reaches back to: right after
    it. With one of another epoch, older than retention, or ahead of the head: from the oldest
    event kept, and the gap is said.
    """
    if cursor is None:
        return Start(bounds.head)
    meant = bounds.open(cursor)
    if meant.epoch == bounds.epoch and bounds.oldest - 1 <= meant.offset <= bounds.head:
        return Start(meant.offset, recovered=True)
    until = bounds.oldest - 1
    return Start(until, recovered=False, gap=Gap(cursor, bounds.place(until)))
