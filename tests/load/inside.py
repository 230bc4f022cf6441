"""The core without its connections, in this process: what an event costs by what there is.

The journal is SQLite's, the projections are GraphQL's; sinks count what they are offered.
"""

import random
import sqlite3
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio
from attrs import define, field, frozen

from incident_manager.actors.answers import Caller
from incident_manager.actors.batch import Batch
from incident_manager.actors.commands import SubmitAlert, UpdateIncident
from incident_manager.actors.journal.base import Journal
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.ports import Gap, Listed, Ranks
from incident_manager.actors.streams import StreamFilter
from incident_manager.actors.subscription import Subscription
from incident_manager.actors.system import System, SystemSettings, open_system
from incident_manager.actors.vocabulary import Severity
from incident_manager.schema.operation import Preparer
from incident_manager.schema.projector import GraphQLProjector
from incident_manager.schema.shape import GraphQLShape
from incident_manager.schema.subscription import subscribed

__all__ = ["filters_cost", "journal_cost", "shapes_cost"]

_CALLER = Caller("bench", "bench")
_SELECTED = "{ id title severity state source createdAt }"
_SUBSCRIBERS = 1_000
_EVENTS = 50
_READS = 200
_CHUNK = 64


@frozen
class _Sources:
    journal: Journal


@define(eq=False)
class _Tally:
    """Counts payloads, and says when so many have come."""

    wanted: int = 0
    taken: int = 0
    done: trio.Event = field(factory=trio.Event)

    def expect(self, more: int) -> None:
        self.wanted += more
        self.done = trio.Event()

    def count(self, number: int) -> None:
        self.taken += number
        if self.taken == self.wanted:
            self.done.set()


@define(eq=False)
class _Sink:
    """Has room for everything."""

    tally: _Tally

    @property
    def outlet(self) -> "_Sink":
        return self

    def flush(self) -> None:
        pass

    def offer(self, payload: bytes) -> bool:
        self.tally.count(1)
        return True

    def offer_all(self, batch: Batch) -> bool:
        self.tally.count(len(batch))
        return True

    drilled = False

    def fall_in(self, ranks: Ranks, batch: Batch, listed: Listed) -> bool:
        return False

    def fall_out(self) -> None:
        pass

    def recovered(self) -> None:
        pass

    def lost(self, gap: Gap) -> None:
        raise AssertionError(gap)

    async def drained(self) -> None:
        await trio.lowlevel.checkpoint()


def _shape(document: str) -> GraphQLShape:
    return subscribed(Preparer().prepare(document), ()).shape


@asynccontextmanager
async def _core(path: Path) -> AsyncIterator[System]:
    async with open_system(
        lambda: open_sqlite(path),
        lambda journal: GraphQLProjector(_Sources(journal)),
        SystemSettings(),
    ) as system:
        while not system.hub.running:
            await trio.lowlevel.checkpoint()
        yield system


def _subscribe(
    system: System, tally: _Tally, wanted: Sequence[tuple[GraphQLShape, StreamFilter]]
) -> list[Subscription]:
    made = [Subscription(system.streams, _Sink(tally), *each) for each in wanted]
    for subscription in made:
        if not subscription.rest(lambda: None):
            raise RuntimeError("a subscription did not go live")
    return made


def _alert(source: str = "bench", title: str = "") -> SubmitAlert:
    return SubmitAlert(source, title or f"{random.random()}", "load", Severity.P1)


async def _events(system: System, tally: _Tally, deliveries: int, *commands: object) -> float:
    """µs of CPU that each command takes until all of its deliveries are made, one at a time."""
    began = time.process_time()
    for command in commands:
        tally.expect(deliveries)
        await system.ask([command], _CALLER)  # type: ignore[list-item]
        await tally.done.wait()
    return (time.process_time() - began) / len(commands) * 1e6


def shapes_cost(folder: Path, shapes: int) -> float:
    """µs of CPU for an event that 1,000 subscriptions get, in so many shapes."""

    async def run() -> float:
        preparer = Preparer()
        made = [
            subscribed(preparer.prepare(f"subscription {{ s{n}: newIncidents {_SELECTED} }}"), ())
            for n in range(shapes)
        ]
        async with _core(folder / f"shapes-{shapes}.db") as system:
            tally = _Tally()
            wanted = [(made[n % shapes].shape, StreamFilter()) for n in range(_SUBSCRIBERS)]
            seats = _subscribe(system, tally, wanted)
            await _events(system, tally, _SUBSCRIBERS, _alert(), _alert())
            alerts = [_alert() for _ in range(_EVENTS)]
            cost = await _events(system, tally, _SUBSCRIBERS, *alerts)
            for seat in seats:
                seat.leave()
        return cost

    return trio.run(run)


def filters_cost(folder: Path, filters: int) -> dict[str, float]:
    """µs of CPU for an event that one of so many subscriptions gets, by what they filter for."""

    async def run() -> dict[str, float]:
        new = _shape(f"subscription {{ newIncidents {_SELECTED} }}")
        changed = _shape(f"subscription {{ incidentUpdates {{ incident {_SELECTED} }} }}")
        async with _core(folder / f"filters-{filters}.db") as system:
            tally = _Tally()
            await system.ask([_alert()], _CALLER)
            page = await system.journal.read_after(0, 1)
            incident = page.records[0].incident
            if incident is None:
                raise RuntimeError("an alert made no incident")
            sources = [(new, StreamFilter(sources=frozenset({f"g{n}"}))) for n in range(filters)]
            seats = _subscribe(system, tally, sources)
            await _events(system, tally, 1, _alert("g0"))
            by_source = await _events(system, tally, 1, *[_alert("g0") for _ in range(_EVENTS)])
            for seat in seats:
                seat.leave()
            names = [incident.id, *(f"{n}" for n in range(1, filters))]
            ids = [(changed, StreamFilter(incident_ids=frozenset({name}))) for name in names]
            seats = _subscribe(system, tally, ids)
            updates = [UpdateIncident(incident.id, title=f"{n}") for n in range(_EVENTS)]
            by_id = await _events(system, tally, 1, *updates)
            for seat in seats:
                seat.leave()
        return {
            "an alert to one of many sources": by_source,
            "an update to one of many incidents": by_id,
        }

    return trio.run(run)


def journal_cost(folder: Path, events: int) -> dict[str, float]:
    """µs of CPU, with so many events in the journal: for opening it, for writing an alert, and
    for reading 64 events from somewhere.
    """
    path = folder / f"journal-{events}.db"

    async def some() -> None:
        async with _core(path) as system:
            await system.ask([_alert() for _ in range(100)], _CALLER)

    async def run() -> dict[str, float]:
        began = time.process_time()
        async with _core(path) as system:
            opening = time.process_time() - began
            head = (await system.journal.bounds()).head
            if head != events:
                raise RuntimeError(f"the journal has {head} events instead of {events}")
            tally = _Tally()
            new = _shape(f"subscription {{ newIncidents {_SELECTED} }}")
            [seat] = _subscribe(system, tally, [(new, StreamFilter())])
            writing = await _events(system, tally, 1, *[_alert() for _ in range(_EVENTS)])
            seat.leave()
            places = [random.randrange(events - _CHUNK) for _ in range(_READS)]
            began = time.process_time()
            for place in places:
                chunk = await system.journal.read_after(place, _CHUNK)
                if chunk.records[0].offset != place + 1:
                    raise RuntimeError(f"read {chunk.records[0].offset} after {place}")
            reading = (time.process_time() - began) / _READS
        return {
            "opening the journal": opening * 1e6,
            "an alert, until it is delivered": writing,
            "64 events read from anywhere": reading * 1e6,
        }

    trio.run(some)
    _multiply(path, events)
    try:
        return trio.run(run)
    finally:
        path.unlink()


def _multiply(path: Path, events: int) -> None:
    """Have the events again and again, until there are so many."""
    connection = sqlite3.connect(path)
    try:
        connection.execute("PRAGMA journal_mode=OFF")
        connection.execute("PRAGMA synchronous=OFF")
        (head,) = connection.execute("SELECT max(offset) FROM events").fetchone()
        connection.execute(
            "WITH RECURSIVE more(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM more WHERE n < ?)"
            " INSERT INTO events SELECT offset + n * ?, time,"
            " json_set(body, '$.offset', offset + n * ?) FROM more CROSS JOIN events"
            " WHERE offset <= ? AND offset + n * ? <= ?",
            (events // head, head, head, head, head, events),
        )
        connection.commit()
        connection.execute("PRAGMA journal_mode=WAL")
    finally:
        connection.close()
