"""What incidents and alerts are found by: rows of one index, and the terms that ask for them.

Every incident and alert has one row for each thing that a query can name: that it is there, each
label, its source, its type, each assignee. A row bears state and severity, so that
it lies in a *cell* (facet, key, value, state, severity); inside a cell rows are in order of time
and id. A cell's size is kept too. So a page is a merge of a few cells, and a total is a sum.
"""

from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum

from attrs import frozen

from incident_manager.actors.journal.place import int64
from incident_manager.actors.journal.query import SEVERITY_WEIGHT, STATE_ORDER
from incident_manager.actors.journal.reads import AlertQuery, IncidentQuery
from incident_manager.actors.model import Alert, Incident, Micros
from incident_manager.actors.vocabulary import ACTIVE_STATES, IncidentState, Severity

__all__ = [
    "Conditions",
    "Facet",
    "FacetRow",
    "Term",
    "alert_conditions",
    "alert_rows",
    "incident_conditions",
    "incident_rows",
    "label_terms",
    "storable",
]


class Facet(IntEnum):
    """What a row is about. The numbers are in the files: a new one is added at the end."""

    INCIDENT = 0
    LABEL = 1
    SOURCE = 2
    TYPE = 3
    ASSIGNEE = 4
    ALERT = 5
    ALERT_LABEL = 6
    ALERT_SOURCE = 7
    ALERT_INCIDENT = 8
    """Has no rows of its own: the table of alerts is in order of it."""


FacetRow = tuple[int, str, str, int, int, Micros, str]
"""facet, key, value, state, severity, time, id; the state of an alert is 0."""


def incident_rows(incident: Incident) -> frozenset[FacetRow]:
    """The rows of an incident; their time is its creation."""
    state, severity = STATE_ORDER[incident.state], SEVERITY_WEIGHT[incident.severity]
    found: list[tuple[Facet, str, str]] = [
        (Facet.INCIDENT, "", ""),
        (Facet.SOURCE, "", incident.source),
        (Facet.TYPE, "", incident.incident_type.value),
        *((Facet.LABEL, key, value) for key, value in incident.labels.items()),
        *((Facet.ASSIGNEE, "", name) for name in incident.assignees),
    ]
    return frozenset((*each, state, severity, incident.created_at, incident.id) for each in found)


def alert_rows(alert: Alert) -> frozenset[FacetRow]:
    """The rows of an alert; their time is its reception."""
    found: list[tuple[Facet, str, str]] = [
        (Facet.ALERT, "", ""),
        (Facet.ALERT_SOURCE, "", alert.source),
        *((Facet.ALERT_LABEL, key, value) for key, value in alert.labels.items()),
    ]
    severity = SEVERITY_WEIGHT[alert.severity]
    return frozenset((*each, 0, severity, alert.received_at, alert.id) for each in found)


@frozen
class Term:
    """Rows of a facet and key with any of the values."""

    facet: Facet
    key: str
    values: tuple[str, ...]


@frozen
class Conditions:
    """What must all hold: every term, also of ``own`` (one of either at least), and state,
    severity and time.

    ``own`` are those of the caller's selectors: the way goes along them, whatever else there is.
    ``since`` and ``until`` are exclusive, and inside 64 bits.
    """

    terms: tuple[Term, ...]
    states: frozenset[int]
    severities: frozenset[int]
    since: Micros | None = None
    until: Micros | None = None
    own: tuple[Term, ...] = ()


_NO_STATE = frozenset({0})
_SEVERITIES = frozenset(SEVERITY_WEIGHT.values())


def incident_conditions(query: IncidentQuery) -> Conditions:
    """What an incident query asks for; its order and place are another matter."""
    states = query.states or frozenset(IncidentState)
    own = label_terms(Facet.LABEL, query.selectors)
    return Conditions(
        (
            *_any_of(Facet.SOURCE, query.sources),
            *_any_of(Facet.TYPE, [each.value for each in query.types]),
            *(() if query.assigned_to is None else _any_of(Facet.ASSIGNEE, [query.assigned_to])),
            *label_terms(Facet.LABEL, query.labels),
        )
        or (() if own else (Term(Facet.INCIDENT, "", ("",)),)),
        frozenset(
            STATE_ORDER[each] for each in (states & ACTIVE_STATES if query.active_only else states)
        ),
        _weights(query.severities),
        _bound(query.created_after),
        _bound(query.created_before),
        own,
    )


def alert_conditions(query: AlertQuery) -> Conditions:
    """What an alert query asks for."""
    own = label_terms(Facet.ALERT_LABEL, query.selectors)
    return Conditions(
        (
            *_any_of(Facet.ALERT_SOURCE, query.sources),
            *(
                ()
                if query.incident_id is None
                else _any_of(Facet.ALERT_INCIDENT, [query.incident_id])
            ),
            *label_terms(Facet.ALERT_LABEL, query.labels),
        )
        or (() if own else (Term(Facet.ALERT, "", ("",)),)),
        _NO_STATE,
        _weights(query.severities),
        _bound(query.received_after),
        own=own,
    )


def label_terms(facet: Facet, labels: Mapping[str, str]) -> tuple[Term, ...]:
    """One term for each label."""
    return tuple(
        Term(facet, key, (value,)) if storable(key) and storable(value) else Term(facet, "", ())
        for key, value in labels.items()
    )


def _any_of(facet: Facet, values: Iterable[str]) -> Sequence[Term]:
    given = sorted(values)
    return (Term(facet, "", tuple(filter(storable, given))),) if given else ()


def storable(text: str) -> bool:
    """A row can hold it: it is no half of a surrogate pair."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _weights(severities: frozenset[Severity]) -> frozenset[int]:
    return frozenset(SEVERITY_WEIGHT[each] for each in severities) or _SEVERITIES


def _bound(time: Micros | None) -> Micros | None:
    return None if time is None else int64(time)
