"""``GET /v1/audit``: who did what, the newest first."""

from typing import Final

from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.audit import AuditAction, AuditEntry
from incident_manager.actors.journal.reads import AuditPage, AuditQuery
from incident_manager.http.replies import json_reply
from incident_manager.http.rest import parameters as p
from incident_manager.http.rest import shapes
from incident_manager.http.rest.operation import Operation
from incident_manager.http.rest.parameters import Parameters
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.http.serving import read_in_time, session
from incident_manager.schema.scalars import write_datetime

__all__ = ["LISTING", "listing"]

_MOST: Final = 100
_PARAMETERS: Final = (
    p.text("principal", "What this one did."),
    p.choices("action", "Any of these things was done.", AuditAction),
    p.identifier("incident_id", "What was done to this incident."),
    p.time("from", "Not before this time."),
    p.time("to", "Before this time."),
    p.number("first", "How many.", 1, _MOST, _MOST),
    p.text("after", "Where to go on: the `end_cursor` of the page before."),
)

LISTING: Final = Operation((shapes.Audit,), parameters=_PARAMETERS)


async def listing() -> TrioResponse:
    """Who did what, the newest first.

    Every change has an entry, written in one transaction with its event; refused sign-ins have
    one for each address and reason in a few seconds; restarts of actors and restored backups are
    told too. Entries are kept for `state.audit_retention_days`, longer than events.
    """
    given = Parameters(request.args)
    values = given.read(_PARAMETERS)
    size = _MOST if values["first"] is None else values["first"]
    if not 1 <= size <= _MOST:
        given.wrong("first", f"is {size}; it must be 1 to {_MOST}")
    given.done()
    query = AuditQuery(
        principal=values["principal"],
        actions=frozenset(values["action"]),
        incident_id=values["incident_id"],
        since=values["from"],
        until=values["to"],
        size=size,
        after=values["after"],
    )
    try:
        with read_in_time():
            page = await session().journal.audit(query)
    except ValueError as error:
        raise InvalidFields([FieldError("after", str(error))]) from None
    return json_reply(audit_view(page))


def audit_view(page: AuditPage) -> shapes.Audit:
    """Entries of the audit."""
    return {
        "entries": [_entry(entry) for entry in page.entries],
        "end_cursor": page.end_cursor,
        "has_next_page": page.has_next,
    }


def _entry(entry: AuditEntry) -> shapes.AuditEntry:
    return {
        "id": entry.id,
        "time": write_datetime(entry.time),
        "action": entry.action,
        "principal": entry.principal or None,
        "incident_id": entry.incident_id,
        "offset": entry.offset,
        "traceparent": entry.trace,
        "detail": entry.detail,
    }
