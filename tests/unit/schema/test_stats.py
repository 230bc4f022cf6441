"""Counts: every severity has its own."""

from incident_manager.actors.journal.reads import Bounds, Stats
from incident_manager.actors.vocabulary import Severity
from incident_manager.schema.stats import IncidentStats, SeverityStats, incident_stats


def test_counts() -> None:
    by_severity = {each: 10 + each.rank for each in Severity}
    found = incident_stats(Stats(100, 60, 40, by_severity, Bounds("e", 1, 0)))
    assert found == IncidentStats(100, 60, 40, SeverityStats(p0=10, p1=11, p2=12, p3=13, p4=14))
