"""Pages of incidents: which match, in what order, and the cursor behind each.

A cursor is the sort key of the incident before, with the name and direction of the sort, so
that it cannot be used with another: base64url of a JSON array.
"""

import base64
import binascii
from collections.abc import Callable, Mapping

import msgspec

from incident_manager.actors.journal.base import IncidentQuery, SortField
from incident_manager.actors.model import Incident
from incident_manager.actors.vocabulary import IncidentState, Severity

__all__ = [
    "SEVERITY_WEIGHT",
    "STATE_ORDER",
    "SortKey",
    "check_query",
    "encode_after",
    "decode_after",
    "matches",
    "sort_key",
]

SortKey = tuple[int | str, ...]
"""What an incident is sorted by: one or two numbers, and the id last."""

SEVERITY_WEIGHT: Mapping[Severity, int] = {each: 4 - each.rank for each in Severity}
"""4 for P0 to 0 for P4: the higher, the worse."""

STATE_ORDER: Mapping[IncidentState, int] = {each: place for place, each in enumerate(IncidentState)}
"""0 for NEW to 5 for CLOSED: the order of declaration."""

_FIRST: Mapping[SortField, Callable[[Incident], tuple[int, ...]]] = {
    SortField.CREATED_AT: lambda _: (),
    SortField.UPDATED_AT: lambda incident: (incident.updated_at,),
    SortField.SEVERITY: lambda incident: (SEVERITY_WEIGHT[incident.severity],),
    SortField.STATE: lambda incident: (STATE_ORDER[incident.state],),
}

_NO_CURSOR = "after is not a cursor of this list"


def check_query(query: IncidentQuery) -> None:
    """Raise ValueError for a page, size or combination that cannot be answered."""
    if not 1 <= query.size <= 100:
        raise ValueError(f"size is {query.size}; it must be 1 to 100")
    if query.page < 0:
        raise ValueError(f"page is {query.page}; it cannot be below 0")
    if query.page and query.after is not None:
        raise ValueError("page and after exclude each other")


def matches(query: IncidentQuery, incident: Incident) -> bool:
    """Every condition of the query holds for the incident; times are exclusive bounds."""
    q = query
    return (
        (not q.states or incident.state in q.states)
        and (not q.severities or incident.severity in q.severities)
        and (not q.sources or incident.source in q.sources)
        and (not q.types or incident.incident_type in q.types)
        and (not q.active_only or incident.is_active)
        and (q.assigned_to is None or q.assigned_to in incident.assignees)
        and (q.created_after is None or incident.created_at > q.created_after)
        and (q.created_before is None or incident.created_at < q.created_before)
        and all(incident.labels.get(key) == value for key, value in q.labels.items())
    )


def sort_key(incident: Incident, sort: SortField) -> SortKey:
    """What the incident is sorted by: the field, then creation, then id."""
    return (*_FIRST[sort](incident), incident.created_at, incident.id)


def encode_after(incident: Incident, sort: SortField, *, descending: bool) -> str:
    """The cursor behind an incident in a list of that order."""
    body = msgspec.json.encode([sort.value, descending, *sort_key(incident, sort)])
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def decode_after(text: str, sort: SortField, *, descending: bool) -> SortKey:
    """The sort key in a cursor; raises ValueError if it is none, or of another order."""
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        body = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeError, msgspec.DecodeError) as error:
        raise ValueError(_NO_CURSOR) from error
    form = [str, bool, int, str] if sort is SortField.CREATED_AT else [str, bool, int, int, str]
    if not isinstance(body, list) or [type(each) for each in body] != form:
        raise ValueError(_NO_CURSOR)
    if body[:2] != [sort.value, descending]:
        raise ValueError(f"{_NO_CURSOR}: it belongs to another order")
    if any(isinstance(each, int) and abs(each) >= 1 << 63 for each in body[2:]):
        raise ValueError(_NO_CURSOR)
    return tuple(body[2:])
