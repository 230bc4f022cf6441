"""The whole core under one supervisor."""

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from incident_manager.actors.answers import Caller, IdempotencyKey
from incident_manager.actors.errors import Unavailable
from incident_manager.actors.journal.base import Journal, JournalError
from incident_manager.actors.journal.keeper import Keeper, Retention
from incident_manager.actors.journal.memory import MemoryStore, open_memory
from incident_manager.actors.streams import StreamFilter
from incident_manager.actors.subscription import Subscription
from incident_manager.actors.system import System, SystemSettings, open_system
from incident_manager.supervision import StartFailed, SupervisorGaveUp
from unit.actors.builders import START
from unit.actors.fakes import FakeProjector, FakeShape, FakeSink
from unit.actors.faults import Faults, crashing, open_faulty
from unit.actors.support import make_create, make_submit

RAE = Caller("rae", "rae")


@asynccontextmanager
async def running(faults: Faults | None = None, window: int = 900_000_000) -> AsyncIterator[System]:
    store = MemoryStore()
    faults = Faults() if faults is None else faults
    async with open_system(
        lambda: open_faulty(open_memory(store), faults),
        lambda journal: FakeProjector(),
        SystemSettings(window, Retention(0, 0)),
        clock=lambda: START,
    ) as system:
        yield system


async def test_an_alert_goes_in_and_the_incident_streams_out() -> None:
    async with running() as system, trio.open_nursery() as nursery:
        sink = FakeSink()
        sub = Subscription(system.streams, sink, FakeShape(), StreamFilter())
        nursery.start_soon(sub.run)
        answered = await system.ask([make_submit()], RAE)
        await wait_all_tasks_blocked()
        sink.read()
        assert sink.offsets == [1]
        assert answered.cursor == (await system.journal.bounds()).cursor
        assert system.clock() == START
        nursery.cancel_scope.cancel()


async def test_an_idempotency_key_is_passed_on() -> None:
    async with running() as system:
        key = IdempotencyKey("k", "d")
        first = await system.ask([make_create()], RAE, key=key)
        again = await system.ask([make_create()], RAE, key=key)
        assert again.replayed
        assert again.results == first.results


async def test_the_window_is_that_of_the_settings() -> None:
    async with running(window=-1) as system:
        first = await system.ask([make_submit()], RAE)
        second = await system.ask([make_submit()], RAE)
        assert first.results != second.results
        assert (await system.journal.bounds()).head == 2
        (one,), (two,) = first.results, second.results
        assert one.incident_id != two.incident_id  # type: ignore[union-attr]


async def test_the_tree_is_that_of_the_design() -> None:
    async with running() as system:
        root = system.tree.snapshot().root
        assert (root.id, root.state, root.strategy) == ("root", "running", "one_for_one")
        assert [(child.id, child.kind) for child in root.children] == [
            ("root.journal", "journal"),
            ("root.registry", "registry"),
            ("root.hub", "hub"),
            ("root.connections", "connections"),
        ]
        assert all(child.state == "running" for child in root.children)
        async with system.connections.adopt("c1", "connection"):
            assert system.tree.find("root.connections.c1") is not None


async def test_the_projector_gets_the_journal_that_outlives_crashes() -> None:
    got: list[Keeper] = []

    def projector(journal: Keeper) -> FakeProjector:
        got.append(journal)
        return FakeProjector()

    settings = SystemSettings()
    async with open_system(open_memory, projector, settings) as system:
        assert got == [system.journal]
        assert system.streams.hub is system.hub
        assert system.streams.journal is system.journal


async def test_an_actor_that_fails_is_logged_and_restarted_alone(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = Faults()
    async with running(faults) as system:
        faults.add("before", "load", crashing())
        with pytest.raises(Unavailable):
            await system.ask([make_submit(source_key="k")], RAE)
        await system.ask([make_submit(source_key="k")], RAE)
        restarts = {child.name: child.restarts for child in system.tree.snapshot().root.children}
        assert restarts == {"journal": 0, "registry": 1, "hub": 0, "connections": 0}
    (logged,) = [r for r in caplog.records if r.levelno == logging.ERROR]
    assert "root.registry" in logged.message


async def test_a_journal_that_cannot_be_opened_fails_the_start() -> None:
    @asynccontextmanager
    async def broken() -> AsyncIterator[Journal]:
        raise JournalError("another server uses it")
        yield

    with pytest.raises(StartFailed) as caught:
        async with open_system(broken, lambda _: FakeProjector(), SystemSettings()):
            raise AssertionError("it started")
    assert isinstance(caught.value.__cause__, JournalError)


async def test_it_gives_up_when_restarts_do_not_help() -> None:
    faults = Faults()
    asked = 0

    async def ask_on() -> None:
        nonlocal asked
        async with running(faults) as system:
            while True:
                faults.add("before", "load", crashing())
                asked += 1
                with pytest.raises(Unavailable):
                    await system.ask([make_submit(source_key="k")], RAE)

    with pytest.raises(SupervisorGaveUp):
        await ask_on()
    assert asked >= 11  # ten restarts within the period are borne
