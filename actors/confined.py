"""What a confined principal sees of a journal: the read side of the port, with its own only.

Every door reads through it, so that no interface, list, count or search can forget the selectors.
What is not the principal's is left out where there are many, and not there where it is asked for
by name. Cursors, and places in lists that hold offsets, are veiled.
"""

from collections.abc import Iterable, Mapping

from attrs import evolve

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.journal.base import Chunk, Journal, View
from incident_manager.actors.journal.reads import (
    AlertPage,
    AlertQuery,
    AuditPage,
    AuditQuery,
    Bounds,
    CommentPage,
    IncidentPage,
    IncidentQuery,
    SearchQuery,
    Stats,
    TimelinePage,
)
from incident_manager.actors.model import Alert, Incident, Record
from incident_manager.actors.selectors import Selectors, alone, owns, seen
from incident_manager.actors.timeline import TimelineEntry
from incident_manager.actors.veil import Veil, VeiledBounds, Veils

__all__ = ["Confined", "view_of"]

_NOTHING = {"\ud800": ""}
"""A label that no row can hold: what must bear it is nothing."""


def view_of(journal: Journal, selectors: Selectors, veils: Veils) -> View:
    """The journal as those see it who have these selectors; itself where there are none."""
    return Confined(journal, selectors, veils) if selectors else journal


class Confined:
    """A :class:`~incident_manager.actors.journal.base.View` of what bears the selectors.

    It asks the journal one thing more than an unconfined caller where an answer names something
    else: whose that is.
    """

    def __init__(self, journal: Journal, selectors: Selectors, veils: Veils) -> None:
        self._journal = journal
        self._selectors = selectors
        self._labels = dict(selectors)
        self._veils = veils

    async def _veil(self) -> Veil:
        if self._veils.secret is None:
            self._veils.secret = await self._journal.secret()
        return self._veils.of(self._selectors)

    async def _veiled(self, bounds: Bounds) -> Bounds:
        return VeiledBounds.of(bounds, await self._veil())

    def _confine(self, labels: Mapping[str, str] | None) -> Mapping[str, str]:
        """What must be borne: what is asked for, and the selectors."""
        asked = labels or {}
        if any(asked.get(key, value) != value for key, value in self._selectors):
            return _NOTHING
        return {**asked, **self._labels}

    async def bounds(self) -> Bounds:
        """See the port; its cursors are veiled."""
        return await self._veiled(await self._journal.bounds())

    async def read_after(self, offset: int, limit: int) -> Chunk:
        """See the port: the events that are the principal's, as it sees them."""
        # One more than wanted: where nothing more is theirs, the head is reached.
        chunk = await self._journal.read_bearing(self._selectors, offset, limit + 1)
        given = chunk.records[:limit]
        shown = [record for each in given if (record := seen(each, self._selectors))]
        examined = given[-1].offset if len(chunk.records) > limit else chunk.bounds.head
        records = tuple(await self._unlinked(shown))
        return Chunk(records, await self._veiled(chunk.bounds), examined)

    async def _unlinked(self, records: Iterable[Record]) -> list[Record]:
        """Events that name no incident of others."""
        given = list(records)
        own = await self._own(each.related_id for each in given if each.related_id is not None)
        return [
            each
            if each.related_id is None or each.related_id in own
            else evolve(each, related_id=None)
            for each in given
        ]

    async def _own(self, ids: Iterable[str]) -> frozenset[str]:
        """Those of the incidents that are the principal's now."""
        return frozenset(await self.incidents_by_id(dict.fromkeys(ids)))

    async def incident(self, incident_id: str) -> Incident | None:
        """See the port."""
        found = await self._journal.incident(incident_id)
        return found if found is not None and owns(self._selectors, found.labels) else None

    async def incidents_by_id(self, ids: Iterable[str]) -> Mapping[str, Incident]:
        """See the port."""
        wanted = tuple(ids)
        found = await self._journal.incidents_by_id(wanted) if wanted else {}
        return {each: one for each, one in found.items() if owns(self._selectors, one.labels)}

    async def incidents(self, query: IncidentQuery) -> IncidentPage:
        """See the port."""
        page = await self._journal.incidents(evolve(query, selectors=self._labels))
        return evolve(page, bounds=await self._veiled(page.bounds))

    async def search(self, query: SearchQuery) -> IncidentPage:
        """See the port."""
        veil = await self._veil()
        page = await self._journal.search(
            evolve(
                query,
                labels=self._confine(query.labels),
                after=None if query.after is None else veil.show(query.after),
            )
        )
        cursors = tuple(map(veil.hide, page.cursors))
        return evolve(page, cursors=cursors, bounds=await self._veiled(page.bounds))

    async def stats(self, query: IncidentQuery) -> Stats:
        """See the port."""
        found = await self._journal.stats(evolve(query, selectors=self._labels))
        return evolve(found, bounds=await self._veiled(found.bounds))

    async def alert(self, alert_id: str) -> Alert | None:
        """See the port."""
        return (await self.alerts_by_id([alert_id])).get(alert_id)

    async def alerts_by_id(self, ids: Iterable[str]) -> Mapping[str, Alert]:
        """See the port."""
        found = await self._journal.alerts_by_id(ids)
        own = [each for each in found.values() if owns(self._selectors, each.labels)]
        return {each.id: each for each in await self._apart(own)}

    async def _apart(self, alerts: Iterable[Alert]) -> list[Alert]:
        """Alerts that name no incident of others."""
        given = list(alerts)
        own = await self._own(each.incident_id for each in given if each.incident_id is not None)
        return [each if each.incident_id in own else alone(each) for each in given]

    async def alerts(self, query: AlertQuery) -> AlertPage:
        """See the port."""
        labels = query.labels
        if query.incident_id is not None and not await self._own([query.incident_id]):
            labels = _NOTHING
        page = await self._journal.alerts(evolve(query, labels=labels, selectors=self._labels))
        alerts = tuple(await self._apart(page.alerts))
        return evolve(page, alerts=alerts, bounds=await self._veiled(page.bounds))

    async def related(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Incident, ...]]:
        """See the port."""
        wanted = tuple(ids)
        found = await self._journal.related(wanted, first, self._confine(labels))
        own = await self._own(wanted)
        return {each: some if each in own else () for each, some in found.items()}

    async def alerts_of(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Alert, ...]]:
        """See the port."""
        wanted = tuple(ids)
        found = await self._journal.alerts_of(wanted, first, self._confine(labels))
        own = await self._own(wanted)
        return {each: some if each in own else () for each, some in found.items()}

    async def comments_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, CommentPage]:
        """See the port."""
        wanted = tuple(ids)
        found = await self._journal.comments_of(wanted, first, after)
        own = await self._own(wanted)
        return {each: page if each in own else CommentPage() for each, page in found.items()}

    async def timeline_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, TimelinePage]:
        """See the port."""
        wanted = tuple(ids)
        veil = await self._veil()
        place = None if after is None else veil.show(after)
        found = await self._journal.timeline_of(wanted, first, place)
        own = await self._own(wanted)
        named = await self._named(
            entry for each in own for page in (found[each],) for entry in page.entries
        )
        return {
            each: evolve(
                page,
                entries=tuple(_told(entry, named) for entry in page.entries),
                cursors=tuple(map(veil.hide, page.cursors)),
            )
            if each in own
            else TimelinePage()
            for each, page in found.items()
        }

    async def _named(self, entries: Iterable[TimelineEntry]) -> frozenset[str]:
        """The principal's own incidents and alerts among those that lines of a history name."""
        given = [each.metadata for each in entries]
        incidents = {each["related_id"] for each in given if "related_id" in each}
        alerts = {each["alert_id"] for each in given if "alert_id" in each}
        own = await self._journal.alerts_by_id(alerts) if alerts else {}
        return (await self._own(incidents)) | {
            each for each, alert in own.items() if owns(self._selectors, alert.labels)
        }

    async def audit(self, query: AuditQuery) -> AuditPage:
        """Raises Refused, FORBIDDEN: the audit is of everybody."""
        del query
        raise Refused(ErrorCode.FORBIDDEN, "The audit is not for who is confined by selectors.")


def _told(entry: TimelineEntry, named: frozenset[str]) -> TimelineEntry:
    """A line of a history, without the names of what belongs to others."""
    about = entry.metadata.get("related_id") or entry.metadata.get("alert_id")
    if about is None or about in named:
        return entry
    if "alert_id" in entry.metadata:
        what = entry.description.partition(":")[0]
        return evolve(entry, description=what, metadata={"status": entry.metadata["status"]})
    return evolve(entry, description="Linked to another incident", metadata={})
