"""Values as REST shows them: GraphQL's fields in snake_case, times in RFC 3339."""

from incident_manager.actors import model
from incident_manager.actors.journal.base import Bounds, Chunk
from incident_manager.actors.model import Micros
from incident_manager.actors.updates import update_type
from incident_manager.http.rest import shapes
from incident_manager.schema import pages, relations
from incident_manager.schema.scalars import write_datetime

__all__ = [
    "ack_view",
    "alert_view",
    "alerts_view",
    "comments_view",
    "connection_view",
    "event_view",
    "events_view",
    "incident_view",
    "timeline_view",
]


def _time(at: Micros | None) -> str | None:
    return None if at is None else write_datetime(at)


def ack_view(ack: model.Ack) -> shapes.Ack:
    """The answer to one alert."""
    return {
        "alert_id": ack.alert_id,
        "incident_id": ack.incident_id,
        "status": ack.status,
        "message": ack.message,
        "received_at": write_datetime(ack.received_at),
    }


def incident_view(incident: model.Incident) -> shapes.Incident:
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


def _resolution(resolution: model.Resolution | None) -> shapes.Resolution | None:
    if resolution is None:
        return None
    return {
        "resolved_at": write_datetime(resolution.resolved_at),
        "resolved_by": resolution.resolved_by,
        "resolution_method": resolution.method,
        "root_cause": resolution.root_cause,
        "notes": resolution.notes,
    }


def alert_view(alert: model.Alert) -> shapes.Alert:
    """One alert, and what became of it."""
    return {
        "id": alert.id,
        "external_id": alert.external_id,
        "source": alert.source,
        "title": alert.title,
        "description": alert.description,
        "severity": alert.severity,
        "alert_type": alert.alert_type,
        "incident_type": alert.incident_type,
        "labels": alert.labels,
        "affected_services": alert.affected_services,
        "runbook_url": alert.runbook_url,
        "annotations": alert.annotations,
        "timestamp": write_datetime(alert.timestamp),
        "received_at": write_datetime(alert.received_at),
        "status": alert.status,
        "incident_id": alert.incident_id,
        "deduplicated": alert.deduplicated,
        "fingerprint": alert.fingerprint,
    }


def _page_info(info: pages.PageInfo) -> shapes.PageInfo:
    return {
        "page": info.page,
        "page_size": info.page_size,
        "total_count": info.total_count,
        "total_pages": info.total_pages,
        "has_next_page": info.has_next_page,
        "has_previous_page": info.has_previous_page,
        "end_cursor": info.end_cursor,
    }


def connection_view(page: pages.Connection) -> shapes.Incidents:
    """A page of incidents; ``cursor`` is the journal's position when it was read."""
    return {
        "incidents": [incident_view(incident) for incident in page.incidents],
        "page_info": _page_info(page.page_info),
        "cursor": str(page.cursor),
    }


def alerts_view(page: pages.AlertConnection) -> shapes.Alerts:
    """A page of alerts; ``cursor`` is the journal's position when it was read."""
    return {
        "alerts": [alert_view(alert) for alert in page.alerts],
        "page_info": _page_info(page.page_info),
        "cursor": str(page.cursor),
    }


def _comment(comment: model.Comment) -> shapes.Comment:
    return {
        "id": comment.id,
        "author": comment.author,
        "content": comment.content,
        "created_at": write_datetime(comment.created_at),
    }


def comments_view(page: relations.CommentConnection) -> shapes.Comments:
    """Comments on one incident."""
    return {
        "comments": [_comment(comment) for comment in page.comments],
        "total_count": page.total_count,
        "end_cursor": page.end_cursor,
        "has_next_page": page.has_next_page,
    }


def timeline_view(page: relations.TimelineConnection) -> shapes.Timeline:
    """Lines of one incident's history."""
    return {
        "events": [
            {
                "cursor": str(event.cursor),
                "timestamp": write_datetime(event.timestamp),
                "event_type": event.event_type,
                "actor": event.actor,
                "description": event.description,
                "metadata": event.metadata,
            }
            for event in page.events
        ],
        "total_count": page.total_count,
        "end_cursor": page.end_cursor,
        "has_next_page": page.has_next_page,
    }


def event_view(record: model.Record, bounds: Bounds) -> shapes.Event:
    """One event of the journal of those bounds."""
    before, incident = record.before, record.incident
    return {
        "cursor": str(bounds.event(record.offset)),
        "time": write_datetime(record.time),
        "kind": record.kind,
        "update_type": None if incident is None else update_type(record),
        "actor": record.actor,
        "before": None
        if before is None
        else {
            "state": before.state,
            "severity": before.severity,
            "assignees": before.assignees,
        },
        "incident": None if incident is None else incident_view(incident),
        "alert": None if record.alert is None else alert_view(record.alert),
        "comment": None if record.comment is None else _comment(record.comment),
        "related_id": record.related_id,
        "reason": record.reason,
        "changed": record.changed,
        "traceparent": record.trace,
    }


def events_view(chunk: Chunk) -> shapes.Events:
    """What the journal has behind a place."""
    bounds = chunk.bounds
    return {
        "events": [event_view(record, bounds) for record in chunk.records],
        "next": str(bounds.place(chunk.examined)),
        "has_more": chunk.examined < bounds.head,
    }
