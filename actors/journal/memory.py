"""The journal in memory: for trying things out, and for tests; gone with its store."""

import heapq
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from itertools import chain
from uuid import uuid4

import trio

from incident_manager.actors.journal.base import (
    Answer,
    Append,
    Bounds,
    Chunk,
    FingerprintKey,
    IncidentPage,
    IncidentQuery,
    JournalError,
    JournalUnavailable,
    Loaded,
    Needs,
    SourceKey,
    StaleHead,
)
from incident_manager.actors.journal.query import (
    check_query,
    decode_after,
    encode_after,
    matches,
    sort_key,
)
from incident_manager.actors.journal.rules import check_batch, check_read, trim_to
from incident_manager.actors.model import Incident, KeyState, Micros, Record, key_state

__all__ = ["MemoryJournal", "MemoryStore", "open_memory"]


class MemoryStore:
    """What a memory journal holds: one epoch. It outlives the journals opened on it."""

    def __init__(self) -> None:
        self.epoch = uuid4().hex
        self.oldest = 1
        self.records: list[Record] = []
        self.incidents: dict[str, Incident] = {}
        self.active: defaultdict[FingerprintKey, set[str]] = defaultdict(set)
        self.keys: dict[SourceKey, KeyState] = {}
        self.firing: defaultdict[str, int] = defaultdict(int)
        self.answers: dict[str, Answer] = {}
        self.owned = False
        self.loaded_at: Micros = 0

    @property
    def bounds(self) -> Bounds:
        """Epoch, oldest and head as of now."""
        return Bounds(self.epoch, self.oldest, self.oldest + len(self.records) - 1)

    def take(self, record: Record) -> None:
        """Follow one event."""
        self.records.append(record)
        incident = record.incident
        if incident is not None:
            old = self.incidents.get(incident.id)
            if old is not None:
                self.active[old.scope, old.fingerprint].discard(incident.id)
            self.incidents[incident.id] = incident
            if incident.is_active:
                self.active[incident.scope, incident.fingerprint].add(incident.id)
        state = key_state(record)
        if state is not None:
            before = self.keys.get((state.scope, state.key))
            if before is not None:
                self.firing[before.incident_id] -= before.firing
            self.keys[state.scope, state.key] = state
            self.firing[state.incident_id] += state.firing

    def active_since(self, place: FingerprintKey, since: Micros) -> tuple[str, ...]:
        """The active incidents of a fingerprint created at or after ``since``, the newest first."""
        found = [(self.incidents[each].created_at, each) for each in self.active.get(place, ())]
        return tuple(each for created, each in sorted(found, reverse=True) if created >= since)


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
        store.loaded_at = max(store.loaded_at, now)
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

    async def append(self, batch: Append) -> None:
        """See the port."""
        check_batch(batch)
        store = await self._open()
        if store.bounds.head != batch.expected_head:
            raise StaleHead(f"the head is {store.bounds.head}, not {batch.expected_head}")
        for record in batch.records:
            store.take(record)
        store.answers.update((answer.key, answer) for answer in batch.answers)

    async def read_after(self, offset: int, limit: int) -> Chunk:
        """See the port."""
        check_read(offset, limit)
        store = await self._open()
        start = max(0, offset + 1 - store.oldest)
        records = tuple(store.records[start : start + limit])
        bounds = store.bounds
        return Chunk(records, bounds, records[-1].offset if records else bounds.head)

    async def incident(self, incident_id: str) -> Incident | None:
        """See the port."""
        return (await self._open()).incidents.get(incident_id)

    async def incidents(self, query: IncidentQuery) -> IncidentPage:
        """See the port."""
        check_query(query)
        store = await self._open()
        sort, down = query.sort, query.descending
        found = [
            (sort_key(incident, sort), incident)
            for incident in store.incidents.values()
            if matches(query, incident)
        ]
        start = query.page * query.size
        rest = found
        if query.after is not None:
            key = decode_after(query.after, sort, descending=down)
            rest = [each for each in found if (each[0] < key if down else each[0] > key)]
        pick = heapq.nlargest if down else heapq.nsmallest
        upto = pick(start + query.size + 1, rest, key=lambda each: each[0])
        incidents = tuple(incident for _, incident in upto[start : start + query.size])
        return IncidentPage(
            incidents,
            tuple(encode_after(each, sort, descending=down) for each in incidents),
            len(found),
            len(upto) > start + query.size,
            len(rest) < len(found) or (start > 0 and len(found) > 0),
            store.bounds,
        )

    async def trim(self, *, keep: int, before: Micros, limit: int) -> int:
        """See the port; an answer has expired by the latest ``now`` that a load has named."""
        store = await self._open()
        times = (record.time for record in store.records)
        last = trim_to(store.bounds, times, keep=keep, before=before, limit=limit)
        gone = last + 1 - store.oldest
        del store.records[:gone]
        store.oldest += gone
        expired = [
            each.key for each in store.answers.values() if each.expires_at <= store.loaded_at
        ]
        for key in expired[:limit]:
            del store.answers[key]
        return gone

    async def probe(self) -> None:
        """See the port: memory can be written while the journal is open."""
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
