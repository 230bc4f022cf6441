"""How many incidents are active: the journal's own sums, and not asked too often."""

from collections.abc import Mapping
from typing import Final

import trio
from attrs import define, field

from incident_manager.actors.journal.base import IncidentQuery, Journal, JournalUnavailable
from incident_manager.actors.vocabulary import Severity

__all__ = ["ActiveIncidents"]

_FRESH: Final = 1.0  # seconds that a count is good for
_PATIENCE: Final = 1.0  # seconds that anybody waits for a new one
_ACTIVE: Final = IncidentQuery(active_only=True)


@define(eq=False)
class ActiveIncidents:
    """How many incidents are active, by severity: the journal's own sums, asked once a second."""

    _known: Mapping[Severity, int] | None = None
    _until: float = float("-inf")
    _lock: trio.Lock = field(factory=trio.Lock)

    async def read(self, journal: Journal) -> Mapping[Severity, int] | None:
        """The counts; those known before while the journal gives none, None without any."""
        with trio.move_on_after(_PATIENCE):
            async with self._lock:
                if trio.current_time() >= self._until:
                    try:
                        stats = await journal.stats(_ACTIVE)
                    except JournalUnavailable:
                        return self._known
                    self._known = stats.by_severity
                    self._until = trio.current_time() + _FRESH
        return self._known
