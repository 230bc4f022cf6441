"""Values as REST shows them: GraphQL's fields in snake_case, times in RFC 3339."""

from typing import Final

from incident_manager.actors.model import Ack, Incident, Micros, Resolution
from incident_manager.schema.pages import Connection, PageInfo
from incident_manager.schema.scalars import write_datetime

__all__ = ["ack_view", "connection_view", "incident_view"]

View = dict[str, object]

_PAGE_INFO: Final = tuple(PageInfo.__annotations__)


def _time(at: Micros | None) -> str | None:
    return None if at is None else write_datetime(at)


def ack_view(ack: Ack) -> View:
    """The answer to one alert."""
    return {
        "alert_id": ack.alert_id,
        "incident_id": ack.incident_id,
        "status": ack.status,
        "message": ack.message,
        "received_at": write_datetime(ack.received_at),
    }


def incident_view(incident: Incident) -> View:
    """One incident."""
    return {
        "id": incident.id,
        "title": incident.title,
        "description": incident.description,
        "severity": incident.severity,
        "state": incident.state,
        "incident_type": incident.incident_type,
        "source": incident.source,
        "created_at": write_datetime(incident.created_at),
        "updated_at": write_datetime(incident.updated_at),
        "acknowledged_at": _time(incident.acknowledged_at),
        "acknowledged_by": incident.acknowledged_by,
        "resolved_at": _time(incident.resolved_at),
        "closed_at": _time(incident.closed_at),
        "assigned_to": incident.assignees[0] if incident.assignees else None,
        "assignees": incident.assignees,
        "affected_resources": incident.affected_resources,
        "labels": incident.labels,
        "metadata": incident.metadata,
        "fingerprint": incident.fingerprint,
        "resolution": _resolution(incident.resolution),
        "is_active": incident.is_active,
        "is_critical": incident.is_critical,
        "alert_count": incident.alert_count,
        "version": incident.version,
    }


def _resolution(resolution: Resolution | None) -> View | None:
    if resolution is None:
        return None
    return {
        "resolved_at": write_datetime(resolution.resolved_at),
        "resolved_by": resolution.resolved_by,
        "resolution_method": resolution.method,
        "root_cause": resolution.root_cause,
        "notes": resolution.notes,
    }


def connection_view(page: Connection) -> View:
    """A page of incidents; ``cursor`` is the journal's position when it was read."""
    return {
        "incidents": [incident_view(incident) for incident in page.incidents],
        "page_info": {name: getattr(page.page_info, name) for name in _PAGE_INFO},
        "cursor": str(page.cursor),
    }
