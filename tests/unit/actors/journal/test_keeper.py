"""The keeper is the journal that outlives a crash: reads wait, writes are refused."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from incident_manager.actors.journal.base import (
    Append,
    Journal,
    JournalUnavailable,
    Needs,
)
from incident_manager.actors.journal.keeper import Keeper, Retention
from incident_manager.actors.journal.memory import MemoryStore, open_memory
from incident_manager.actors.journal.reads import AlertQuery, IncidentQuery, Reads, SearchQuery
from incident_manager.supervision import ChildSpec, Supervisor, Tree, open_supervisor
from unit.actors.builders import SECOND, START, make_history, make_incident, write

FOR_EVER = Retention(days=0, events=0)
ID = make_incident(1).id
READS: dict[str, tuple[Any, ...]] = {
    "bounds": (),
    "read_after": (0, 10),
    "incident": (ID,),
    "incidents": (IncidentQuery(),),
    "search": (SearchQuery("checkout"),),
    "stats": (IncidentQuery(),),
    "alert": (ID,),
    "alerts": (AlertQuery(),),
    "incidents_by_id": ([ID],),
    "related": ([ID], 1, {"a": "b"}),
    "alerts_of": ([ID], 1, {"a": "b"}),
    "comments_of": ([ID], 1, None),
    "timeline_of": ([ID], 1, None),
    "trim": (),
}
KEYWORDS: dict[str, dict[str, int]] = {"trim": {"keep": 0, "before": 0, "limit": 1}}


def keeper_of(store: MemoryStore, *, retention: Retention = FOR_EVER, now: int = START) -> Keeper:
    return Keeper(lambda: open_memory(store), retention=retention, clock=lambda: now)


def running(keeper: Keeper, tree: Tree | None = None) -> AbstractAsyncContextManager[Supervisor]:
    return open_supervisor("root", [ChildSpec("journal", keeper.run, shutdown=0)], tree=tree)


async def filled(*, events: int = 3) -> MemoryStore:
    store = MemoryStore()
    async with open_memory(store) as journal:
        await write(journal, *make_history(events))
    return store


def test_every_read_of_the_port_is_known_here() -> None:
    port = {name for name, _ in inspect.getmembers(Reads, inspect.isfunction) if name[0] != "_"}
    assert port <= set(READS)


@pytest.mark.parametrize("name", READS)
async def test_a_read_waits_for_the_journal_and_is_its_answer(name: str) -> None:
    store = await filled()
    async with open_memory(store) as journal:
        expected = await getattr(journal, name)(*READS[name], **KEYWORDS.get(name, {}))
    keeper = keeper_of(store)
    answers: list[object] = []

    async def ask() -> None:
        answers.append(await getattr(keeper, name)(*READS[name], **KEYWORDS.get(name, {})))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert answers == []
        async with running(keeper):
            await wait_all_tasks_blocked()
            assert answers == [expected]


async def test_writes_are_refused_while_it_is_not_open() -> None:
    keeper = keeper_of(MemoryStore())
    assert (keeper.failure, keeper.location) == ("the journal is not open", "")
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: keeper.append(Append(0, ())),
        lambda: keeper.load(Needs(), 0, 0),
        keeper.probe,
    ]
    for call in calls:
        with pytest.raises(JournalUnavailable, match="restarting") as caught:
            await call()
        assert caught.value.written is False


async def test_writes_are_passed_on_and_counted() -> None:
    store = MemoryStore()
    keeper, tree = keeper_of(store), Tree()
    async with running(keeper, tree):
        await keeper.append(Append(0, make_history(3)))
        await keeper.append(Append(3, make_history(1, 4)))
        assert (await keeper.load(Needs(frozenset({ID})), 0, 0)).incidents[ID] == make_incident(1)
        await keeper.probe()
        assert keeper.failure is None
        assert keeper.location == "memory (nothing is kept)"
        (node,) = tree.snapshot().root.children
        assert node.stats == {
            "appends": 2,
            "messages_handled": 4,
            "failure": None,
        }
    assert keeper.failure == "the journal is not open"


class Broken:
    """A journal whose disk is full as long as it is told so."""

    def __init__(self, inner: Journal) -> None:
        self.inner = inner
        self.full = False

    def __getattr__(self, name: str) -> object:
        return getattr(self.inner, name)

    async def append(self, batch: Append) -> None:
        self.check()
        await self.inner.append(batch)

    async def probe(self) -> None:
        self.check()
        await self.inner.probe()

    def check(self) -> None:
        if self.full:
            raise JournalUnavailable("disk full")


async def test_a_failure_is_said_until_a_probe_passes(mock_clock: MockClock) -> None:
    async with open_memory() as memory:
        broken = Broken(memory)

        @asynccontextmanager
        async def opener() -> AsyncIterator[Broken]:
            yield broken

        keeper = Keeper(opener, retention=FOR_EVER, clock=lambda: START)
        async with running(keeper):
            await wait_all_tasks_blocked()
            broken.full = True
            for _ in range(2):
                with pytest.raises(JournalUnavailable):
                    await keeper.append(Append(0, make_history(1)))
                assert keeper.failure == "disk full"
            mock_clock.jump(5)
            await wait_all_tasks_blocked()
            assert keeper.failure == "disk full"
            broken.full = False
            mock_clock.jump(5)
            await wait_all_tasks_blocked()
            assert keeper.failure is None


@pytest.mark.parametrize(
    ("retention", "oldest"),
    [
        (Retention(days=0, events=0), 1),
        (Retention(days=0, events=20), 2481),
        (Retention(days=1, events=0), 1501),
        (Retention(days=1, events=20), 2481),
    ],
)
async def test_it_keeps_no_more_than_it_should(retention: Retention, oldest: int) -> None:
    store = await filled(events=2500)
    keeper = keeper_of(store, retention=retention, now=START + (86_400 + 1501) * SECOND)
    async with running(keeper):
        await wait_all_tasks_blocked()
        assert (await keeper.bounds()).oldest == oldest
