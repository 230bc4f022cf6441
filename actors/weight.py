"""What a value weighs in memory, roughly: so that caches are bounded by bytes and not by count."""

from collections.abc import Iterable, Mapping

from incident_manager.actors.model import Alert, Incident, Record

__all__ = ["incident_weight", "record_weight"]

_EMPTY = 1_500  # bytes of an incident or an alert without its text


def _pairs(pairs: Mapping[str, str]) -> int:
    return sum(len(name) + len(value) + 120 for name, value in pairs.items())


def _names(names: Iterable[str]) -> int:
    return sum(len(name) + 60 for name in names)


def incident_weight(incident: Incident | None) -> int:
    """Bytes of an incident, from the lengths of its texts; 0 for none."""
    if incident is None:
        return 0
    resolution = incident.resolution
    notes = 0 if resolution is None else len(resolution.notes) + len(resolution.root_cause or "")
    return (
        _EMPTY
        + len(incident.title)
        + len(incident.description)
        + notes
        + _pairs(incident.labels)
        + _pairs(incident.metadata)
        + _names(incident.affected_resources)
        + _names(incident.assignees)
    )


def _alert_weight(alert: Alert | None) -> int:
    if alert is None:
        return 0
    return (
        _EMPTY
        + len(alert.title)
        + len(alert.description)
        + _pairs(alert.labels)
        + _pairs(alert.annotations)
        + _names(alert.affected_services)
    )


def record_weight(record: Record) -> int:
    """Bytes of an event: its incident, its alert, its comment."""
    comment = 0 if record.comment is None else len(record.comment.content)
    return incident_weight(record.incident) + _alert_weight(record.alert) + comment
