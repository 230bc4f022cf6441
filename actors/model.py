"""The values that live in the journal: incidents, alerts, comments, and the event record.

Times are whole microseconds since 1970 in UTC (:data:`Micros`): exact, small, and ordered.
Every class is frozen, and msgspec encodes and decodes it as it stands.
"""

import hashlib
from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec
from attrs import field, frozen

from incident_manager.actors.vocabulary import (
    ACTIVE_STATES,
    CRITICAL,
    AckStatus,
    AlertStatus,
    AlertType,
    IncidentState,
    IncidentType,
    Kind,
    ResolutionMethod,
    Severity,
)

__all__ = [
    "Ack",
    "Alert",
    "Before",
    "Comment",
    "Incident",
    "KeyState",
    "Micros",
    "Record",
    "Resolution",
    "fingerprint",
    "key_state",
]

Micros = int
"""Microseconds since 1970-01-01T00:00:00Z."""


@frozen
class Resolution:
    """How an incident was solved."""

    resolved_at: Micros
    resolved_by: str
    method: ResolutionMethod
    notes: str
    root_cause: str | None = None


@frozen
class Incident:
    """One incident as of one event: the after-image that the event carries whole."""

    id: str
    title: str
    description: str
    severity: Severity
    state: IncidentState
    incident_type: IncidentType
    source: str
    created_at: Micros
    updated_at: Micros
    fingerprint: str
    acknowledged_at: Micros | None = None
    acknowledged_by: str | None = None
    resolved_at: Micros | None = None
    closed_at: Micros | None = None
    assignees: tuple[str, ...] = ()
    affected_resources: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(factory=dict)
    metadata: Mapping[str, str] = field(factory=dict)
    resolution: Resolution | None = None
    alert_count: int = 0
    version: int = 1
    scope: str = ""
    """Whose deduplication it takes part in: alerts join only incidents of their own scope."""

    @property
    def is_active(self) -> bool:
        """Neither RESOLVED nor CLOSED."""
        return self.state in ACTIVE_STATES

    @property
    def is_critical(self) -> bool:
        """P0 or P1."""
        return self.severity in CRITICAL


@frozen
class Alert:
    """One alert as it was taken in, and what became of it."""

    id: str
    external_id: str
    source: str
    title: str
    description: str
    severity: Severity
    alert_type: AlertType
    incident_type: IncidentType
    timestamp: Micros
    received_at: Micros
    status: AlertStatus
    fingerprint: str
    labels: Mapping[str, str] = field(factory=dict)
    affected_services: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(factory=dict)
    runbook_url: str | None = None
    incident_id: str | None = None
    source_key: str | None = None
    """The sender's own name for the thing that fires; None if it has none."""
    scope: str = ""

    @property
    def deduplicated(self) -> bool:
        """It joined an incident that was already there."""
        return self.status in (AlertStatus.DEDUPLICATED, AlertStatus.MERGED)


@frozen
class Comment:
    """What somebody said about an incident."""

    id: str
    author: str
    content: str
    created_at: Micros


@frozen
class Before:
    """What filters and projections need of the incident as it was before an event."""

    state: IncidentState
    severity: Severity
    assignees: tuple[str, ...] = ()


@frozen
class Record:
    """One event of the journal: what happened, and the whole incident after it.

    ``before`` is None when the event created the incident. ``incident`` is None only for an
    alert that belongs to no incident (a resolve for a key that nobody knows).
    """

    offset: int
    time: Micros
    actor: str
    principal: str
    kind: Kind
    incident: Incident | None
    before: Before | None = None
    alert: Alert | None = None
    comment: Comment | None = None
    related_id: str | None = None
    reason: str | None = None
    changed: tuple[str, ...] = ()
    """Names of the incident's fields that differ from before, in the model's spelling."""
    trace: str | None = None
    """The ``traceparent`` that came with the command (W3C Trace Context)."""

    @property
    def created(self) -> bool:
        """The incident begins with this event."""
        return self.before is None and self.incident is not None


@frozen
class KeyState:
    """What is known of one source key: its incident, and whether it still fires."""

    scope: str
    key: str
    incident_id: str
    firing: bool


@frozen
class Ack:
    """The answer to one alert."""

    alert_id: str
    incident_id: str | None
    status: AckStatus
    message: str
    received_at: Micros


def key_state(record: Record) -> KeyState | None:
    """The change that an event makes to its alert's source key, or None if it makes none."""
    alert = record.alert
    if alert is None or alert.source_key is None or alert.incident_id is None:
        return None
    firing = alert.status is not AlertStatus.RESOLVED
    return KeyState(alert.scope, alert.source_key, alert.incident_id, firing)


def fingerprint(source: str, kind: IncidentType, title: str, affected: Iterable[str]) -> str:
    """SHA-256, in hex, of the canonical JSON of [source, incident type, title, sorted services].

    The contract's section 5 fixes the recipe, so that a sender can compute it too.
    """
    services = tuple(affected)
    return _digest(source, kind, title, services) if services else _plain(source, kind, title)


@lru_cache(maxsize=1024)  # asked for when an alert is looked up, and again when it is decided
def _plain(source: str, kind: IncidentType, title: str) -> str:
    return _digest(source, kind, title, ())


def _digest(source: str, kind: IncidentType, title: str, affected: tuple[str, ...]) -> str:
    canonical = msgspec.json.encode([source, kind.value, title, sorted(affected)])
    return hashlib.sha256(canonical).hexdigest()
