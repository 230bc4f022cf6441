"""Counts, as a client sees them."""

from attrs import frozen

from incident_manager.actors.journal.reads import Stats

__all__ = ["IncidentStats", "SeverityStats", "incident_stats"]


@frozen
class SeverityStats:
    """How many incidents there are of each severity."""

    p0: int
    p1: int
    p2: int
    p3: int
    p4: int


@frozen
class IncidentStats:
    """How many incidents match; ``by_severity`` counts the active ones."""

    total: int
    active: int
    resolved: int
    by_severity: SeverityStats


def incident_stats(stats: Stats) -> IncidentStats:
    """What a client gets of the counts that the journal gave."""
    by_severity = {each.value.lower(): number for each, number in stats.by_severity.items()}
    return IncidentStats(stats.total, stats.active, stats.resolved, SeverityStats(**by_severity))
