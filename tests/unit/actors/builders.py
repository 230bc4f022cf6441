"""Values for tests: each builder gives a whole, valid value, and takes what the test is about."""

from typing import Any

from attrs import evolve

from incident_manager.actors.journal.base import Append, Journal
from incident_manager.actors.model import Alert, Before, Comment, Incident, Record
from incident_manager.actors.vocabulary import (
    AlertStatus,
    AlertType,
    IncidentState,
    IncidentType,
    Kind,
    Severity,
)

START = 1_700_000_000_000_000
"""The first moment of every test's history, in microseconds."""
SECOND = 1_000_000


def make_incident(number: int = 1, **changes: Any) -> Incident:
    """Incident ``number``: its id, title, fingerprint and creation follow from the number."""
    created = START + number * SECOND
    return Incident(
        **{
            "id": f"00000000-0000-4000-8000-{number:012}",
            "title": f"Checkout is slow, case {number}",
            "description": "p99 above 2 s",
            "severity": Severity.P2,
            "state": IncidentState.NEW,
            "incident_type": IncidentType.PERFORMANCE,
            "source": "prometheus",
            "created_at": created,
            "updated_at": created,
            "fingerprint": f"fingerprint-{number}",
            **changes,
        }
    )


def make_alert(number: int = 1, incident: Incident | None = None, **changes: Any) -> Alert:
    """Alert ``number``, which made or joined ``incident``."""
    at = START + number * SECOND
    return Alert(
        **{
            "id": f"00000000-0000-4000-a000-{number:012}",
            "external_id": f"external-{number}",
            "source": "prometheus",
            "title": "Checkout is slow",
            "description": "p99 above 2 s",
            "severity": Severity.P2,
            "alert_type": AlertType.METRIC,
            "incident_type": IncidentType.PERFORMANCE,
            "timestamp": at,
            "received_at": at,
            "status": AlertStatus.CREATED_INCIDENT,
            "fingerprint": incident.fingerprint if incident else "fingerprint-0",
            "incident_id": incident.id if incident else None,
            "scope": incident.scope if incident else "",
            **changes,
        }
    )


def make_comment(number: int = 1, **changes: Any) -> Comment:
    """Comment ``number``."""
    return Comment(
        **{
            "id": f"00000000-0000-4000-b000-{number:012}",
            "author": "rae",
            "content": f"Looking at it ({number})",
            "created_at": START + number * SECOND,
            **changes,
        }
    )


def make_record(offset: int, incident: Incident | None = None, **changes: Any) -> Record:
    """The event at ``offset``: by default it creates ``incident``."""
    return Record(
        **{
            "offset": offset,
            "time": START + offset * SECOND,
            "actor": "rae",
            "principal": "rae",
            "kind": Kind.CREATE,
            "incident": make_incident(offset) if incident is None else incident,
            **changes,
        }
    )


def before_of(incident: Incident) -> Before:
    """The incident as the next event's ``before``."""
    return Before(incident.state, incident.severity, incident.assignees)


def change(offset: int, incident: Incident, kind: Kind = Kind.UPDATE, **changes: Any) -> Record:
    """The event at ``offset`` that changes ``incident``'s fields as given, one version up."""
    time = START + offset * SECOND
    after = evolve(incident, **{"updated_at": time, "version": incident.version + 1, **changes})
    return make_record(offset, after, kind=kind, before=before_of(incident), changed=(*changes,))


def make_history(count: int, first: int = 1) -> tuple[Record, ...]:
    """``count`` events from offset ``first`` on, each of which creates an incident."""
    return tuple(make_record(offset) for offset in range(first, first + count))


async def write(journal: Journal, *records: Record) -> None:
    """Append the records in one transaction, behind what is there."""
    await journal.append(Append(records[0].offset - 1, records))
