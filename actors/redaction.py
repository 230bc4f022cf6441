"""Redaction: what becomes of everything that is stored about an incident. Pure functions.

Texts become :data:`REDACTED` where they say anything, maps and lists of them become empty. What an
incident is known, found and counted by stays: ids, offsets, times, severities, states, sources,
names of labels, and the fingerprint, which is a digest. Values of labels go where a pattern names
the label, for principals may be confined by them. Names of people who acted stay, too.
"""

from collections.abc import Mapping
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any

from attrs import evolve, frozen

from incident_manager.actors.model import Alert, Comment, Incident, Record
from incident_manager.actors.timeline import TimelineEntry
from incident_manager.actors.vocabulary import Kind

__all__ = [
    "REDACTED",
    "Redaction",
    "Scope",
    "redact_alert",
    "redact_comment",
    "redact_incident",
    "redact_line",
    "redact_record",
]

REDACTED = "[redacted]"
"""What stands where a text was."""


class Scope(StrEnum):
    """What a redaction takes away."""

    TITLE = "TITLE"
    DESCRIPTION = "DESCRIPTION"
    METADATA = "METADATA"
    RESOURCES = "RESOURCES"
    RESOLUTION = "RESOLUTION"
    COMMENTS = "COMMENTS"
    """And the reasons that were given for escalations and the like."""
    ALERTS = "ALERTS"
    """Title, description, annotations and runbook of its alerts."""


@frozen
class Redaction:
    """Which incident, and what of it; values of labels whose names match a glob of ``labels``."""

    incident_id: str
    scope: frozenset[Scope] = frozenset(Scope)
    labels: tuple[str, ...] = ()

    def relabelled(self, labels: Mapping[str, str]) -> Mapping[str, str]:
        """Labels without the values that go."""
        return {
            name: REDACTED if any(fnmatchcase(name, each) for each in self.labels) else value
            for name, value in labels.items()
        }


def _text(text: str) -> str:
    return REDACTED if text else text


def _maybe(text: str | None) -> str | None:
    return None if text is None else _text(text)


def redact_incident(incident: Incident, redaction: Redaction) -> Incident:
    """The incident without what goes."""
    scope = redaction.scope
    new: dict[str, Any] = {"labels": redaction.relabelled(incident.labels)}
    if Scope.TITLE in scope:
        new["title"] = _text(incident.title)
    if Scope.DESCRIPTION in scope:
        new["description"] = _text(incident.description)
    if Scope.METADATA in scope:
        new["metadata"] = {}
    if Scope.RESOURCES in scope:
        new["affected_resources"] = ()
    if Scope.RESOLUTION in scope and incident.resolution is not None:
        told = incident.resolution
        new["resolution"] = evolve(
            told, notes=_text(told.notes), root_cause=_maybe(told.root_cause)
        )
    return evolve(incident, **new)


def redact_alert(alert: Alert, redaction: Redaction) -> Alert:
    """The alert without what goes."""
    new: dict[str, Any] = {"labels": redaction.relabelled(alert.labels)}
    if Scope.ALERTS in redaction.scope:
        new |= {
            "title": _text(alert.title),
            "description": _text(alert.description),
            "annotations": {},
            "runbook_url": None,
        }
    if Scope.RESOURCES in redaction.scope:
        new["affected_services"] = ()
    return evolve(alert, **new)


def redact_comment(comment: Comment, redaction: Redaction) -> Comment:
    """The comment without what goes."""
    if Scope.COMMENTS not in redaction.scope:
        return comment
    return evolve(comment, content=_text(comment.content))


def redact_record(record: Record, redaction: Redaction) -> Record:
    """The event of the incident without what goes; its offset, and what happened, stay.

    The event of a redaction keeps its reason.
    """
    new: dict[str, Any] = {}
    if record.incident is not None:
        new["incident"] = redact_incident(record.incident, redaction)
    if record.alert is not None:
        new["alert"] = redact_alert(record.alert, redaction)
    if record.comment is not None:
        new["comment"] = redact_comment(record.comment, redaction)
    if Scope.COMMENTS in redaction.scope and record.kind is not Kind.REDACT:
        new["reason"] = _maybe(record.reason)
    return evolve(record, **new)


_KEPT = frozenset(
    {
        "alert_id",
        "changed",
        "comment_id",
        "from",
        "related_id",
        "severity",
        "source",
        "status",
        "to",
    }
)


def redact_line(line: TimelineEntry) -> TimelineEntry:
    """A line of the history whose event is not kept any more: nobody knows what of it may stay."""
    kept = {name: value for name, value in line.metadata.items() if name in _KEPT}
    return evolve(line, description=REDACTED, metadata=kept)
