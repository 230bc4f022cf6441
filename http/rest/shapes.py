"""What REST answers with, as types: the views must give them, and the API's description tells them.

The fields are GraphQL's in snake_case.
"""

from collections.abc import Mapping
from typing import Annotated, NotRequired, TypedDict

from msgspec import Meta

from incident_manager.actors.audit import AuditAction
from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.vocabulary import (
    AckStatus,
    AlertStatus,
    AlertType,
    IncidentState,
    IncidentType,
    Kind,
    ResolutionMethod,
    Severity,
    TimelineEventType,
    UpdateType,
)
from incident_manager.schema.services import HealthState

__all__ = [
    "Ack",
    "Acks",
    "Alert",
    "Alerts",
    "Audit",
    "AuditEntry",
    "Before",
    "Comment",
    "Comments",
    "ComponentHealth",
    "Event",
    "Events",
    "FieldError",
    "Health",
    "Incident",
    "Incidents",
    "PageInfo",
    "Problem",
    "Resolution",
    "Timeline",
    "TimelineEvent",
]

Uuid = Annotated[str, Meta(extra_json_schema={"format": "uuid"})]
Time = Annotated[
    str,
    Meta(
        description="RFC 3339, in UTC, with microseconds.",
        extra_json_schema={"format": "date-time"},
    ),
]
Place = Annotated[str, Meta(description="A place in the journal: `epoch:offset`, opaque.")]
More = Annotated[str, Meta(description="The `after` that goes on behind the last one.")]
Labels = Mapping[str, str]


class Ack(TypedDict):
    """The answer to one alert."""

    alert_id: Uuid
    incident_id: Uuid | None
    status: AckStatus
    message: str
    received_at: Time


class Acks(TypedDict):
    """The answers to many alerts, in their order."""

    acks: list[Ack]


class Resolution(TypedDict):
    """How an incident was solved."""

    resolved_at: Time
    resolved_by: str
    resolution_method: ResolutionMethod
    root_cause: str | None
    notes: str


class Incident(TypedDict):
    """One incident."""

    id: Uuid
    title: str
    description: str
    severity: Severity
    state: IncidentState
    incident_type: IncidentType
    source: str
    created_at: Time
    updated_at: Time
    acknowledged_at: Time | None
    acknowledged_by: str | None
    resolved_at: Time | None
    closed_at: Time | None
    assigned_to: Annotated[str, Meta(description="The first assignee.")] | None
    assignees: tuple[str, ...]
    affected_resources: tuple[str, ...]
    labels: Labels
    metadata: Labels
    fingerprint: str
    resolution: Resolution | None
    is_active: bool
    is_critical: bool
    alert_count: int
    version: Annotated[int, Meta(description="The number in the ETag.")]


class PageInfo(TypedDict):
    """Where a page stands in its list; `page` is null where pages are not counted."""

    page: int | None
    page_size: int
    total_count: int
    total_pages: int
    has_next_page: bool
    has_previous_page: bool
    end_cursor: More | None


class Incidents(TypedDict):
    """A page of incidents; `cursor` is the journal's position when it was read."""

    incidents: list[Incident]
    page_info: PageInfo
    cursor: Place


class Alert(TypedDict):
    """One alert, and what became of it."""

    id: Uuid
    external_id: str
    source: str
    title: str
    description: str
    severity: Severity
    alert_type: AlertType
    incident_type: IncidentType
    labels: Labels
    affected_services: tuple[str, ...]
    runbook_url: str | None
    annotations: Labels
    timestamp: Time
    received_at: Time
    status: AlertStatus
    incident_id: Uuid | None
    deduplicated: bool
    fingerprint: str


class Alerts(TypedDict):
    """A page of alerts; `cursor` is the journal's position when it was read."""

    alerts: list[Alert]
    page_info: PageInfo
    cursor: Place


class Comment(TypedDict):
    """What somebody said about an incident."""

    id: Uuid
    author: str
    content: str
    created_at: Time


class Comments(TypedDict):
    """Comments on one incident, the oldest first; `total_count` is of all that it has."""

    comments: list[Comment]
    total_count: int
    end_cursor: More | None
    has_next_page: bool


class TimelineEvent(TypedDict):
    """One line of an incident's history; `cursor` is that of the event it comes from."""

    cursor: Place
    timestamp: Time
    event_type: TimelineEventType
    actor: str
    description: str
    metadata: Labels


class Timeline(TypedDict):
    """An incident's history, the oldest first; `total_count` is of all its lines."""

    events: list[TimelineEvent]
    total_count: int
    end_cursor: More | None
    has_next_page: bool


class Before(TypedDict):
    """What an incident was before an event."""

    state: IncidentState
    severity: Severity
    assignees: tuple[str, ...]


class Event(TypedDict):
    """One event of the journal: what happened, and the whole incident after it.

    `before` is null where the incident began with it. `update_type` and `incident` are null
    only for an alert that belongs to no incident. `changed` names the incident's fields that
    differ from before.
    """

    cursor: Place
    time: Time
    kind: Kind
    update_type: UpdateType | None
    actor: str
    before: Before | None
    incident: Incident | None
    alert: Alert | None
    comment: Comment | None
    related_id: Uuid | None
    reason: str | None
    changed: tuple[str, ...]
    traceparent: Annotated[str, Meta(description="As it came with the request.")] | None


class Events(TypedDict):
    """Events in the order of the journal; `next` is the `after` of the next request."""

    events: list[Event]
    next: Place
    has_more: Annotated[bool, Meta(description="Whether there were more when this was read.")]


class AuditEntry(TypedDict):
    """Who did what.

    `principal` is null where nobody was signed in, `offset` that of the change's event.
    """

    id: int
    time: Time
    action: AuditAction
    principal: str | None
    incident_id: Uuid | None
    offset: int | None
    traceparent: Annotated[str, Meta(description="As it came with the request.")] | None
    detail: Labels


class Audit(TypedDict):
    """Entries of the audit, the newest first."""

    entries: list[AuditEntry]
    end_cursor: More | None
    has_next_page: bool


class ComponentHealth(TypedDict):
    """How one part of the server does."""

    name: str
    status: HealthState
    message: str | None


class Health(TypedDict):
    """How the server does."""

    status: HealthState
    version: str
    uptime_seconds: int
    components: list[ComponentHealth]


class FieldError(TypedDict):
    """What is wrong with one field, header or parameter."""

    field: str
    message: str


class Problem(TypedDict):
    """An error (RFC 9457). `errors` names every bad field; `oldest` is with 410 only."""

    type: str
    title: str
    status: int
    detail: str
    code: ErrorCode
    instance: str
    errors: NotRequired[list[FieldError]]
    oldest: NotRequired[
        Annotated[str, Meta(description="The `after` that begins with the oldest event kept.")]
    ]
