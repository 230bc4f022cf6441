"""Queries: which incidents and alerts match, in what order, and the cursor behind each."""

from collections.abc import Callable, Mapping

from incident_manager.actors.journal.place import (
    PlaceKey,
    check_place,
    decode_place,
    encode_place,
)
from incident_manager.actors.journal.reads import (
    AlertQuery,
    IncidentQuery,
    SearchQuery,
    SortField,
)
from incident_manager.actors.model import Alert, Incident
from incident_manager.actors.selectors import bears
from incident_manager.actors.vocabulary import IncidentState, Severity

__all__ = [
    "ALERTS",
    "AUDIT",
    "COMMENTS",
    "SEARCH",
    "SEVERITY_WEIGHT",
    "STATE_ORDER",
    "TIMELINE",
    "SortKey",
    "alert_key",
    "alert_matches",
    "bears",
    "check_query",
    "decode_after",
    "encode_after",
    "matches",
    "search_place",
    "sort_key",
]

SortKey = PlaceKey
"""What an incident is sorted by: one or two numbers, and the id last."""

ALERTS = ("ALERTS",)
"""The list of alerts: by ``received_at`` and id."""
SEARCH = ("SEARCH",)
"""The list of a search: by 1 for titles and 0 for others, and the place in the journal."""
COMMENTS = ("COMMENTS",)
"""The list of an incident's comments: by ``created_at`` and id."""
TIMELINE = ("TIMELINE",)
"""An incident's history: by offset, and the place among the lines of that event."""
AUDIT = ("AUDIT",)
"""The audit: by id."""

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

_MOST_LABELS = 64
_MOST_SOURCES = 1000


def check_query(query: IncidentQuery | AlertQuery | SearchQuery) -> None:
    """Raise ValueError for a page, size or combination that cannot be answered."""
    check_place(query.page, query.size, query.after)
    if len(query.labels) > _MOST_LABELS:
        raise ValueError(f"labels has {len(query.labels)} pairs; it can have {_MOST_LABELS}")
    if not isinstance(query, SearchQuery) and len(query.sources) > _MOST_SOURCES:
        raise ValueError(f"sources has {len(query.sources)} entries; it can have {_MOST_SOURCES}")


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
        and bears(incident.labels, q.labels)
        and bears(incident.labels, q.selectors)
    )


def alert_matches(query: AlertQuery, alert: Alert) -> bool:
    """Every condition of the query holds for the alert."""
    q = query
    return (
        (not q.severities or alert.severity in q.severities)
        and (not q.sources or alert.source in q.sources)
        and (q.incident_id is None or alert.incident_id == q.incident_id)
        and (q.received_after is None or alert.received_at > q.received_after)
        and bears(alert.labels, q.labels)
        and bears(alert.labels, q.selectors)
    )


def sort_key(incident: Incident, sort: SortField) -> SortKey:
    """What the incident is sorted by: the field, then creation, then id."""
    return (*_FIRST[sort](incident), incident.created_at, incident.id)


def alert_key(alert: Alert) -> PlaceKey:
    """What alerts are sorted by."""
    return (alert.received_at, alert.id)


def encode_after(incident: Incident, sort: SortField, *, descending: bool) -> str:
    """The cursor behind an incident in a list of that order."""
    return encode_place((sort.value, descending), sort_key(incident, sort))


def decode_after(text: str, sort: SortField, *, descending: bool) -> SortKey:
    """The sort key in a cursor; raises ValueError if it is none, or of another order."""
    form = [int, str] if sort is SortField.CREATED_AT else [int, int, str]
    return decode_place(text, (sort.value, descending), form)


def search_place(query: SearchQuery) -> tuple[int, int] | None:
    """The band and number behind which a search goes on; raises ValueError if it is none."""
    if query.after is None:
        return None
    band, number = decode_place(query.after, SEARCH, [int, int])
    return int(band), int(number)
