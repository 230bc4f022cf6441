"""The journal in memory: for trying things out, and for tests; gone with its store."""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from itertools import chain, islice

import trio

from incident_manager.actors.audit import AuditEntry
from incident_manager.actors.journal import memory_read
from incident_manager.actors.journal.base import (
    Append,
    Bounds,
    Chunk,
    JournalError,
    JournalUnavailable,
    Loaded,
    Needs,
    StaleHead,
    nothing,
)
from incident_manager.actors.journal.memory_store import MemoryStore
from incident_manager.actors.journal.place import check_first
from incident_manager.actors.journal.query import check_query
from incident_manager.actors.journal.reads import (
    AlertPage,
    AlertQuery,
    AuditPage,
    AuditQuery,
    CommentPage,
    IncidentPage,
    IncidentQuery,
    SearchQuery,
    Stats,
    TimelinePage,
)
from incident_manager.actors.journal.rules import check_batch, check_read, trim_to
from incident_manager.actors.model import Alert, Incident, Micros
from incident_manager.actors.selectors import Selectors, seen

__all__ = ["MemoryJournal", "MemoryStore", "open_memory"]


class MemoryJournal:
    """The :class:`~incident_manager.actors.journal.base.Journal` in a :class:`MemoryStore`."""

    def __init__(self, store: MemoryStore) -> None:
        self._store = store
        self._closed = False

    @property
    def location(self) -> str:
        """Says that nothing stays."""
        return "memory (nothing is kept)"

    async def bounds(self) -> Bounds:
        """See the port."""
        return (await self._open()).bounds

    async def load(self, needs: Needs, now: Micros, since: Micros) -> Loaded:
        """See the port."""
        store = await self._open()
        fingerprints = {place: store.active_since(place, since) for place in needs.fingerprints}
        keys = {place: store.keys.get(place) for place in needs.keys}
        wanted = {
            *needs.incidents,
            *chain.from_iterable(fingerprints.values()),
            *(state.incident_id for state in keys.values() if state is not None),
        }
        answers = {key: store.answers.get(key) for key in needs.answers}
        return Loaded(
            {incident_id: store.incidents.get(incident_id) for incident_id in wanted},
            fingerprints,
            keys,
            {incident_id: store.firing.get(incident_id, 0) for incident_id in wanted},
            {
                key: each if each and each.expires_at > now else None
                for key, each in answers.items()
            },
        )

    async def append(self, batch: Append, meanwhile: Callable[[], None] = nothing) -> None:  # noqa: ARG002
        """See the port. Nothing is waited for."""
        check_batch(batch)
        store = await self._open()
        if store.bounds.head != batch.expected_head:
            raise StaleHead(f"the head is {store.bounds.head}, not {batch.expected_head}")
        for record in batch.records:
            store.take(record)
        store.answers.update((answer.key, answer) for answer in batch.answers)
        for redaction in batch.redactions:
            store.redact(redaction)

    async def read_after(self, offset: int, limit: int) -> Chunk:
        """See the port."""
        check_read(offset, limit)
        store = await self._open()
        start = max(0, offset + 1 - store.oldest)
        records = tuple(store.records[start : start + limit])
        bounds = store.bounds
        return Chunk(records, bounds, records[-1].offset if records else bounds.head)

    async def read_bearing(self, labels: Selectors, offset: int, limit: int) -> Chunk:
        """See the port."""
        check_read(offset, limit)
        store = await self._open()
        start = max(0, offset + 1 - store.oldest)
        found = (each for each in store.records[start:] if seen(each, labels) is not None)
        records = tuple(islice(found, limit))
        bounds = store.bounds
        return Chunk(records, bounds, records[-1].offset if len(records) == limit else bounds.head)

    async def secret(self) -> bytes:
        """See the port."""
        return (await self._open()).secret

    async def alerts_by_id(self, ids: Iterable[str]) -> Mapping[str, Alert]:
        """See the port."""
        alerts = (await self._open()).alerts
        return {each: alerts[each] for each in ids if each in alerts}

    async def incident(self, incident_id: str) -> Incident | None:
        """See the port."""
        return (await self._open()).incidents.get(incident_id)

    async def incidents(self, query: IncidentQuery) -> IncidentPage:
        """See the port."""
        check_query(query)
        return memory_read.read_page(await self._open(), query)

    async def search(self, query: SearchQuery) -> IncidentPage:
        """See the port."""
        check_query(query)
        return memory_read.read_search(await self._open(), query)

    async def stats(self, query: IncidentQuery) -> Stats:
        """See the port."""
        check_query(query)
        return memory_read.read_stats(await self._open(), query)

    async def alert(self, alert_id: str) -> Alert | None:
        """See the port."""
        return (await self._open()).alerts.get(alert_id)

    async def alerts(self, query: AlertQuery) -> AlertPage:
        """See the port."""
        check_query(query)
        return memory_read.read_alert_page(await self._open(), query)

    async def incidents_by_id(self, ids: Iterable[str]) -> Mapping[str, Incident]:
        """See the port."""
        incidents = (await self._open()).incidents
        return {each: incidents[each] for each in ids if each in incidents}

    async def related(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Incident, ...]]:
        """See the port."""
        check_first(first)
        return memory_read.read_related(await self._open(), ids, first, labels)

    async def alerts_of(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Alert, ...]]:
        """See the port."""
        check_first(first)
        return memory_read.read_alerts_of(await self._open(), ids, first, labels)

    async def comments_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, CommentPage]:
        """See the port."""
        check_first(first)
        return memory_read.read_comments_of(await self._open(), ids, first, after)

    async def timeline_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, TimelinePage]:
        """See the port."""
        check_first(first)
        return memory_read.read_timeline_of(await self._open(), ids, first, after)

    async def trim(self, *, keep: int, before: Micros, limit: int, expired: Micros = 0) -> int:
        """See the port."""
        store = await self._open()
        times = (record.time for record in store.records)
        last = trim_to(store.bounds, times, keep=keep, before=before, limit=limit)
        gone = last + 1 - store.oldest
        del store.records[:gone]
        store.oldest += gone
        over = [each.key for each in store.answers.values() if each.expires_at <= expired]
        for key in over[:limit]:
            del store.answers[key]
        return gone

    async def audit(self, query: AuditQuery) -> AuditPage:
        """See the port."""
        check_first(query.size)
        return memory_read.read_audit(await self._open(), query)

    async def note(self, entries: tuple[AuditEntry, ...]) -> None:
        """See the port."""
        store = await self._open()
        for entry in entries:
            store.note(entry)

    async def trim_audit(self, *, before: Micros, limit: int) -> int:
        """See the port."""
        store = await self._open()
        old = 0
        while old < min(limit, len(store.audit) - 1) and store.audit[old].time < before:
            old += 1
        del store.audit[:old]
        return old

    async def probe(self) -> None:
        """See the port: memory can be written while the journal is open."""
        await self._open()

    async def tidy(self) -> None:
        """See the port: nothing is put off."""
        await self._open()

    async def _open(self) -> MemoryStore:
        await trio.lowlevel.checkpoint()
        if self._closed:
            raise JournalUnavailable(f"{self.location}: the journal is closed")
        return self._store

    def close(self) -> None:
        """Let the next opener have the store."""
        self._closed = True
        self._store.owned = False


@asynccontextmanager
async def open_memory(store: MemoryStore | None = None) -> AsyncIterator[MemoryJournal]:
    """Open a journal on ``store``, by default on a new one (a new epoch).

    Raises :class:`JournalError` while another journal is open on the store.
    """
    store = MemoryStore() if store is None else store
    if store.owned:
        raise JournalError("the memory journal is in use already")
    store.owned = True
    journal = MemoryJournal(store)
    try:
        yield journal
    finally:
        journal.close()
