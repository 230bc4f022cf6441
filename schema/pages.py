"""Pages: what a client asks for, and the connection it gets."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Any

from attrs import frozen

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.journal.reads import (
    AlertPage,
    AlertQuery,
    IncidentPage,
    IncidentQuery,
    SortField,
)
from incident_manager.actors.model import Alert, Incident

__all__ = [
    "AlertConnection",
    "Connection",
    "Edge",
    "PageInfo",
    "Paging",
    "alert_connection",
    "alert_query",
    "connection",
    "incident_query",
    "refused",
    "sized",
]

_MOST = 100


@frozen
class Paging:
    """Which page: ``number`` from 0, or None where it is counted from ``after`` on."""

    number: int | None = 0
    size: int = 20
    after: str | None = None

    @classmethod
    def read(cls, given: Mapping[str, Any] | None) -> "Paging":
        """The meaning of a PaginationInput.

        ``first`` or ``after`` page by place, otherwise ``page`` counts. Raises Refused with
        BAD_USER_INPUT for a size beyond 1 to 100, a negative page, and a page beside a place.
        """
        values = {name: value for name, value in (given or {}).items() if value is not None}
        number, first, after = values.get("page", 0), values.get("first"), values.get("after")
        size = sized("pageSize", values.get("page_size", 20))
        if number < 0:
            raise _wrong("page", f"is {number}; it cannot be below 0")
        if first is None and after is None:
            return cls(number, size)
        if number:
            raise _wrong("page", "cannot be given together with first or after")
        return cls(None, size if first is None else sized("first", first), after)


def sized(name: str, value: int) -> int:
    """The number of items that ``name`` asks for. Raises Refused beyond 1 to 100."""
    if not 1 <= value <= _MOST:
        raise _wrong(name, f"is {value}; it must be 1 to {_MOST}")
    return value


def _wrong(name: str, what: str) -> Refused:
    return Refused(ErrorCode.BAD_USER_INPUT, f"{name} {what}", name)


def incident_query(
    given: Mapping[str, Any] | None, paging: Paging, sort: Mapping[str, Any] | None
) -> IncidentQuery:
    """The meaning of an IncidentFilterInput and an IncidentSortInput; null filters nothing."""
    wanted = given or {}
    order = sort or {}
    return IncidentQuery(
        states=frozenset(wanted.get("states") or ()),
        severities=frozenset(wanted.get("severities") or ()),
        sources=frozenset(wanted.get("sources") or ()),
        types=frozenset(wanted.get("types") or ()),
        active_only=bool(wanted.get("active_only")),
        assigned_to=wanted.get("assigned_to"),
        labels=wanted.get("labels") or {},
        created_after=wanted.get("created_after"),
        created_before=wanted.get("created_before"),
        sort=order.get("field", SortField.CREATED_AT),
        descending=order.get("order") != "ASC",
        page=paging.number or 0,
        size=paging.size,
        after=paging.after,
    )


def alert_query(given: Mapping[str, Any] | None, paging: Paging) -> AlertQuery:
    """The meaning of an AlertFilterInput; null filters nothing."""
    wanted = given or {}
    return AlertQuery(
        sources=frozenset(wanted.get("sources") or ()),
        severities=frozenset(wanted.get("severities") or ()),
        incident_id=wanted.get("incident_id"),
        labels=wanted.get("labels") or {},
        received_after=wanted.get("received_after"),
        page=paging.number or 0,
        size=paging.size,
        after=paging.after,
    )


@contextmanager
def refused() -> Generator[None, None, None]:
    """What the journal alone can judge becomes Refused with BAD_USER_INPUT.

    The text of its ValueError begins with the name of what is wrong.
    """
    try:
        yield
    except ValueError as error:
        name = str(error).split(" ", 1)[0]
        raise Refused(ErrorCode.BAD_USER_INPUT, f"{error}.", name) from error


@frozen
class Edge:
    """An incident, and the ``after`` that continues behind it."""

    node: Incident
    cursor: str


@frozen
class PageInfo:
    """Where a page stands in its list."""

    page: int | None
    page_size: int
    total_count: int
    total_pages: int
    has_next_page: bool
    has_previous_page: bool
    end_cursor: str | None


@frozen
class Connection:
    """A page of incidents; ``cursor`` is the journal's position when it was read."""

    incidents: tuple[Incident, ...]
    edges: tuple[Edge, ...]
    page_info: PageInfo
    cursor: Cursor


@frozen
class AlertConnection:
    """A page of alerts; ``cursor`` is the journal's position when it was read."""

    alerts: tuple[Alert, ...]
    page_info: PageInfo
    cursor: Cursor


def connection(page: IncidentPage, paging: Paging) -> Connection:
    """What a client gets of a page of incidents that the journal gave."""
    edges = tuple(map(Edge, page.incidents, page.cursors))
    return Connection(page.incidents, edges, _info(page, paging), page.bounds.cursor)


def alert_connection(page: AlertPage, paging: Paging) -> AlertConnection:
    """What a client gets of a page of alerts that the journal gave."""
    return AlertConnection(page.alerts, _info(page, paging), page.bounds.cursor)


def _info(page: IncidentPage | AlertPage, paging: Paging) -> PageInfo:
    return PageInfo(
        page=paging.number,
        page_size=paging.size,
        total_count=page.total,
        total_pages=-(-page.total // paging.size),
        has_next_page=page.has_next,
        has_previous_page=page.has_previous,
        end_cursor=page.cursors[-1] if page.cursors else None,
    )
