"""Lists by query parameters: which incidents or alerts, in what order, which page."""

from collections.abc import Generator
from contextlib import contextmanager
from enum import StrEnum
from typing import Any, Final

from werkzeug.datastructures import MultiDict

from incident_manager.actors.errors import Refused
from incident_manager.actors.journal.reads import AlertQuery, IncidentQuery, SortField
from incident_manager.actors.vocabulary import IncidentState, IncidentType, Severity
from incident_manager.http.rest import parameters as p
from incident_manager.http.rest.parameters import Param, Parameters, read_int
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.schema.pages import Paging, alert_query, incident_query
from incident_manager.schema.relations import Part

__all__ = [
    "ALERTS",
    "INCIDENTS",
    "KNOWN",
    "Parameters",
    "judged",
    "part_params",
    "read_alert_query",
    "read_int",
    "read_part",
    "read_query",
]

_MOST: Final = 100


class _Order(StrEnum):
    ASC = "ASC"
    DESC = "DESC"


_NUMBER: Final = p.number("page", "Which page, from 0.", 0, 2**31 - 1, 0)
_SIZE: Final = p.number("page_size", "How many a page has.", 1, _MOST, 20)
_FIRST: Final = p.number("first", "How many, where pages are not counted.", 1, _MOST, None)
_AFTER: Final = p.text("after", "The end_cursor of the page before, to go on behind it.")
_PAGING: Final = (_NUMBER, _SIZE, _FIRST, _AFTER)

_LABEL: Final = p.labels(
    "label", "A label and its value, as key:value or key=value; all must be equal.", "labels"
)
_SOURCE: Final = p.texts("source", "From any of these sources.", "sources")
_SEVERITY: Final = p.choices("severity", "Of any of these severities.", Severity, "severities")

INCIDENTS: Final[tuple[Param, ...]] = (
    p.choices("state", "In any of these states.", IncidentState, "states"),
    _SEVERITY,
    _SOURCE,
    p.choices("type", "Of any of these types.", IncidentType, "types"),
    p.boolean("active_only", "Leave out the RESOLVED and the CLOSED."),
    p.text("assigned_to", "Has this assignee."),
    _LABEL,
    p.time("created_after", "Created later than this."),
    p.time("created_before", "Created earlier than this."),
    p.choice("sort", "By what it is sorted.", SortField, SortField.CREATED_AT, "field"),
    p.choice("order", "In which direction.", _Order, _Order.DESC),
    *_PAGING,
)
"""The parameters of ``GET /v1/incidents``."""

ALERTS: Final[tuple[Param, ...]] = (
    _SOURCE,
    _SEVERITY,
    p.identifier("incident_id", "Of this incident."),
    _LABEL,
    p.time("received_after", "Received later than this."),
    *_PAGING,
)
"""The parameters of ``GET /v1/alerts``."""

KNOWN: Final = tuple(param.name for param in INCIDENTS)
"""The names; any other is refused, as a misspelt filter would give away everything."""

_SPELT: Final = {"labels": "label", "sources": "source", "size": "page_size"}


def part_params(otherwise: int) -> tuple[Param, ...]:
    """The parameters of what belongs to one incident; ``otherwise`` is the usual ``first``."""
    return (p.number("first", "How many.", 1, _MOST, otherwise), _AFTER)


def read_query(args: MultiDict[str, str]) -> tuple[IncidentQuery, Paging]:
    """What the parameters ask for. Raises :class:`InvalidFields` with every one that is wrong."""
    values, paging = _read(args, INCIDENTS)
    sort = {name: value for name in ("field", "order") if (value := values[name]) is not None}
    return incident_query(values, paging, sort), paging


def read_alert_query(args: MultiDict[str, str]) -> tuple[AlertQuery, Paging]:
    """What the parameters ask for. Raises :class:`InvalidFields` with every one that is wrong."""
    values, paging = _read(args, ALERTS)
    return alert_query(values, paging), paging


def read_part(args: MultiDict[str, str], otherwise: int) -> Part:
    """Which part of a list is asked for. Raises :class:`InvalidFields` as above."""
    given = Parameters(args)
    values = given.read(part_params(otherwise))
    part = Part(otherwise)
    try:
        part = Part.read(values["first"], values["after"], otherwise=otherwise)
    except Refused as refusal:
        _blame(given, refusal)
    given.done()
    return part


@contextmanager
def judged() -> Generator[None, None, None]:
    """What the journal alone can judge becomes :class:`InvalidFields`.

    The text of its ValueError begins with the name of what is wrong.
    """
    try:
        yield
    except ValueError as error:
        name, _, what = str(error).partition(" ")
        name = _SPELT.get(name, name)
        raise InvalidFields([FieldError(name, f"{name} {what}")]) from error


def _read(args: MultiDict[str, str], table: tuple[Param, ...]) -> tuple[dict[str, Any], Paging]:
    given = Parameters(args)
    values = given.read(table)
    paging = _paging(given, {param.name: values[param.name] for param in _PAGING})
    given.done()
    return values, paging


def _paging(given: Parameters, values: dict[str, Any]) -> Paging:
    before = len(given.errors)
    for name, value in values.items():
        _page(given, {name: value})
    return (_page(given, values) if len(given.errors) == before else None) or Paging()


def _page(given: Parameters, values: dict[str, Any]) -> Paging | None:
    try:
        return Paging.read(values)
    except Refused as refusal:
        _blame(given, refusal)
    return None


def _blame(given: Parameters, refusal: Refused) -> None:
    blamed = FieldError.of(refusal)
    given.errors.append(blamed or FieldError("page", refusal.message))
