"""An incident's history, line by line, as it follows from the journal's events."""

from collections.abc import Iterator, Mapping

from attrs import field, frozen

from incident_manager.actors.model import Incident, Micros, Record
from incident_manager.actors.vocabulary import (
    AlertStatus,
    IncidentState,
    Kind,
    TimelineEventType,
)

__all__ = ["TimelineEntry", "timeline_entries"]


@frozen
class TimelineEntry:
    """One line of an incident's history; ``offset`` is that of the event it comes from."""

    offset: int
    timestamp: Micros
    event_type: TimelineEventType
    actor: str
    description: str
    metadata: Mapping[str, str] = field(factory=dict)


def timeline_entries(record: Record) -> tuple[TimelineEntry, ...]:
    """The lines that one event adds to its incident's history, the headline first.

    Pure; every event with an incident adds at least one line.
    """
    if record.incident is None:
        return ()
    return tuple(
        TimelineEntry(record.offset, record.time, kind, record.actor, text, dict(metadata))
        for kind, text, metadata in _lines(record, record.incident)
    )


# Fields whose change has a line of its own, or goes with one.
_TOLD = frozenset(
    {"state", "severity", "assignees", "resolution", "resolved_at", "closed_at"}
    | {"acknowledged_at", "acknowledged_by", "alert_count"}
)
_Line = tuple[TimelineEventType, str, Mapping[str, str]]


def _lines(record: Record, after: Incident) -> Iterator[_Line]:
    before = record.before
    if before is None:
        yield (
            TimelineEventType.CREATED,
            f"Incident created: {after.title}",
            {"severity": after.severity.value, "source": after.source},
        )
    if record.alert is not None:
        yield _alert_line(record)
    if before is None:
        return
    said = record.alert is not None
    for line in (*_state_lines(record, after), *_field_lines(record, after)):
        said = True
        yield line
    if record.comment is not None:
        said = True
        yield (
            TimelineEventType.COMMENT_ADDED,
            record.comment.content[:200],
            {"comment_id": record.comment.id},
        )
    if record.related_id is not None:
        said = True
        yield (
            TimelineEventType.LINKED,
            f"Linked to incident {record.related_id}",
            {"related_id": record.related_id},
        )
    rest = [name for name in record.changed if name not in _TOLD]
    if record.kind is Kind.UPDATE and said and rest:
        fields = ", ".join(rest)
        yield TimelineEventType.ACTION_EXECUTED, f"Updated {fields}", {"changed": fields}
    elif not said or record.kind is Kind.ACKNOWLEDGE:
        yield _action_line(record)


def _alert_line(record: Record) -> _Line:
    alert = record.alert
    assert alert is not None  # noqa: S101 -- the caller has looked
    resolved = alert.status is AlertStatus.RESOLVED
    what = "Alert resolved" if resolved else "Alert received"
    metadata = {"alert_id": alert.id, "status": alert.status.value, "source": alert.source}
    return TimelineEventType.ALERT_RECEIVED, f"{what}: {alert.title}", metadata


def _state_lines(record: Record, after: Incident) -> Iterator[_Line]:
    before = record.before
    if before is None or before.state is after.state:
        return
    metadata = {"from": before.state.value, "to": after.state.value}
    if after.state is IncidentState.RESOLVED:
        notes = after.resolution.notes if after.resolution else ""
        yield TimelineEventType.RESOLVED, f"Resolved: {notes}" if notes else "Resolved", metadata
        return
    why = f": {record.reason}" if record.reason and record.kind is Kind.REOPEN else ""
    text = f"State changed from {before.state.value} to {after.state.value}{why}"
    yield TimelineEventType.STATE_CHANGED, text, metadata


def _field_lines(record: Record, after: Incident) -> Iterator[_Line]:
    before = record.before
    if before is None:
        return
    if before.severity is not after.severity:
        metadata = {"from": before.severity.value, "to": after.severity.value}
        text = f"{before.severity.value} to {after.severity.value}"
        if record.kind is Kind.ESCALATE:
            yield TimelineEventType.ESCALATED, f"Escalated from {text}: {record.reason}", metadata
        else:
            yield TimelineEventType.SEVERITY_CHANGED, f"Severity changed from {text}", metadata
    if before.assignees != after.assignees:
        names = ", ".join(after.assignees)
        metadata = {"from": ", ".join(before.assignees), "to": names}
        text = f"Assigned to {names}" if names else "Unassigned"
        yield TimelineEventType.ASSIGNMENT_CHANGED, text, metadata


_DONE = {
    Kind.ACKNOWLEDGE: "Acknowledged",
    Kind.ASSIGN: "Assigned again",
    Kind.ESCALATE: "Escalated",
    Kind.REDACT: "Redacted",
}


def _action_line(record: Record) -> _Line:
    text = _DONE.get(record.kind, "Updated")
    fields = ", ".join(record.changed)
    if text == "Updated" and fields:
        text = f"Updated {fields}"
    if record.kind is Kind.ESCALATE and record.reason:
        text = f"Escalated: {record.reason}"
    return TimelineEventType.ACTION_EXECUTED, text, {"changed": fields} if fields else {}
