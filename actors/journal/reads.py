"""The read side of the journal port: what is asked about the state that the events have made.

Every answer is as of one moment (one read transaction). Where a page promises a cursor to go on
streaming from, its ``bounds`` are of that same moment. An ``after`` is opaque and belongs to
the list it came with. Text that no row can hold (half of a surrogate pair) matches nothing.
"""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen

from incident_manager.actors.audit import AuditAction, AuditEntry
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.model import Alert, Comment, Incident, Micros
from incident_manager.actors.timeline import TimelineEntry
from incident_manager.actors.vocabulary import IncidentState, IncidentType, Severity

__all__ = [
    "AlertPage",
    "AlertQuery",
    "AuditPage",
    "AuditQuery",
    "Bounds",
    "CommentPage",
    "IncidentPage",
    "IncidentQuery",
    "Reads",
    "SearchQuery",
    "SortField",
    "Stats",
    "TimelinePage",
]


@frozen
class Bounds:
    """What the journal holds: events ``oldest`` to ``head``; ``oldest == head + 1`` if none."""

    epoch: str
    oldest: int
    head: int

    @property
    def cursor(self) -> Cursor:
        """The place after the newest event."""
        return self.place(self.head)

    def event(self, offset: int) -> Cursor:
        """The cursor of an event."""
        return Cursor(self.epoch, offset)

    def place(self, offset: int) -> Cursor:
        """A cursor behind everything up to an offset."""
        return Cursor(self.epoch, offset)

    def open(self, cursor: Cursor) -> Cursor:
        """The place that a client's cursor means."""
        return cursor


class SortField(StrEnum):
    """By what a page of incidents is sorted."""

    CREATED_AT = "CREATED_AT"
    UPDATED_AT = "UPDATED_AT"
    SEVERITY = "SEVERITY"
    STATE = "STATE"


@frozen
class IncidentQuery:
    """Which incidents, in what order. Empty conditions filter nothing; all others must hold.

    Either ``page`` (from 0) or ``after`` (an ``end_cursor``) says where; ``size`` is 1 to 100.
    SEVERITY sorts by rank (P0 is the highest), STATE by the order of its declaration; equals
    are ordered by creation, then id, in the same direction. ``labels`` must all be equal.

    ``selectors`` are labels too, of the caller: how long an answer takes depends on what bears
    them, and not on what there is besides.
    """

    states: frozenset[IncidentState] = frozenset()
    severities: frozenset[Severity] = frozenset()
    sources: frozenset[str] = frozenset()
    types: frozenset[IncidentType] = frozenset()
    active_only: bool = False
    assigned_to: str | None = None
    labels: Mapping[str, str] = field(factory=dict)
    created_after: Micros | None = None
    created_before: Micros | None = None
    sort: SortField = SortField.CREATED_AT
    descending: bool = True
    page: int = 0
    size: int = 20
    after: str | None = None
    selectors: Mapping[str, str] = field(factory=dict)


@frozen
class IncidentPage:
    """A page of incidents, and the bounds of the journal in the same read transaction."""

    incidents: tuple[Incident, ...]
    cursors: tuple[str, ...]
    """For every incident, the ``after`` that continues behind it (opaque)."""
    total: int
    has_next: bool
    has_previous: bool
    bounds: Bounds


@frozen
class AlertQuery:
    """Which alerts, the newest first (by ``received_at``, then id).

    Conditions, places and selectors as in :class:`IncidentQuery`; ``received_after`` is exclusive.
    """

    sources: frozenset[str] = frozenset()
    severities: frozenset[Severity] = frozenset()
    incident_id: str | None = None
    labels: Mapping[str, str] = field(factory=dict)
    received_after: Micros | None = None
    page: int = 0
    size: int = 20
    after: str | None = None
    selectors: Mapping[str, str] = field(factory=dict)


@frozen
class AlertPage:
    """A page of alerts, and the bounds of the journal in the same read transaction."""

    alerts: tuple[Alert, ...]
    cursors: tuple[str, ...]
    total: int
    has_next: bool
    has_previous: bool
    bounds: Bounds


@frozen
class SearchQuery:
    """Which incidents hold all the words of ``text`` and bear all of ``labels``.

    Text is never syntax: it is cut into words, and the last one may be the beginning of one.
    """

    text: str
    labels: Mapping[str, str] = field(factory=dict)
    page: int = 0
    size: int = 20
    after: str | None = None


@frozen
class CommentPage:
    """Comments of one incident, the oldest first; ``total`` is of all it has."""

    comments: tuple[Comment, ...] = ()
    cursors: tuple[str, ...] = ()
    total: int = 0
    has_next: bool = False


@frozen
class TimelinePage:
    """Lines of one incident's history, the oldest first; ``total`` is of all it has.

    Several lines may come of one event, so ``cursors`` (for ``after``) are no journal cursors.
    """

    entries: tuple[TimelineEntry, ...] = ()
    cursors: tuple[str, ...] = ()
    total: int = 0
    has_next: bool = False


@frozen
class Stats:
    """How many incidents match: ``total == active + resolved`` (CLOSED ones count as resolved).

    ``by_severity`` counts the active ones and names every severity.
    """

    total: int
    active: int
    resolved: int
    by_severity: Mapping[Severity, int]
    bounds: Bounds


@frozen
class AuditQuery:
    """Which entries of the audit, the newest first (by id); conditions must all hold.

    ``since`` is inclusive and ``until`` exclusive; ``size`` is 1 to 100.
    """

    principal: str | None = None
    actions: frozenset[AuditAction] = frozenset()
    incident_id: str | None = None
    since: Micros | None = None
    until: Micros | None = None
    size: int = 100
    after: str | None = None


@frozen
class AuditPage:
    """Entries of the audit; ``end_cursor`` is the ``after`` behind the last."""

    entries: tuple[AuditEntry, ...]
    end_cursor: str | None
    has_next: bool


class Reads(Protocol):
    """What can be read. Every call may raise :class:`~.base.JournalUnavailable`.

    Calls named ``..._of``, ``related`` and ``incidents_by_id`` answer for many incidents in one
    query; ``first`` is 1 to 100, for each of them. Their answers have a key for every given id,
    but for ``incidents_by_id``, which leaves out unknown ones. Sizes, pages and cursors that
    cannot be raise ValueError.
    """

    async def incident(self, incident_id: str) -> Incident | None:
        """The incident as it is now."""
        ...

    async def incidents(self, query: IncidentQuery) -> IncidentPage:
        """A page of incidents; a bad ``after`` raises ValueError."""
        ...

    async def search(self, query: SearchQuery) -> IncidentPage:
        """Incidents by words of title, description, source and label values.

        Those whose title has all the words come first, then the others; within each the last
        to come into the journal first. Text without a word finds nothing.
        """
        ...

    async def stats(self, query: IncidentQuery) -> Stats:
        """Counts of what the query's conditions match; its order and place do not matter."""
        ...

    async def alert(self, alert_id: str) -> Alert | None:
        """The alert, and what became of it."""
        ...

    async def alerts(self, query: AlertQuery) -> AlertPage:
        """A page of alerts; a bad ``after`` raises ValueError."""
        ...

    async def incidents_by_id(self, ids: Iterable[str]) -> Mapping[str, Incident]:
        """The incidents as they are now; unknown ids are left out."""
        ...

    async def related(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Incident, ...]]:
        """The incidents linked to each, the last linked first; only those that bear ``labels``."""
        ...

    async def alerts_of(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Alert, ...]]:
        """The alerts of each incident, the newest first; only those that bear ``labels``."""
        ...

    async def comments_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, CommentPage]:
        """The comments on each incident behind ``after``, the oldest first."""
        ...

    async def timeline_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, TimelinePage]:
        """The history of each incident behind ``after``, the oldest first."""
        ...

    async def audit(self, query: AuditQuery) -> AuditPage:
        """A page of the audit; a bad ``after`` raises ValueError."""
        ...

    async def alerts_by_id(self, ids: Iterable[str]) -> Mapping[str, Alert]:
        """The alerts, and what became of them; unknown ids are left out."""
        ...
