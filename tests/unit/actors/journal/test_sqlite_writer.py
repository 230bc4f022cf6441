"""The thread that changes the file: one thing at a time, each to its end, and what came of it."""

import gc
import sqlite3
import threading
import weakref
from collections.abc import AsyncIterator
from contextlib import closing

import pytest
import trio
import trio.testing

from incident_manager.actors.journal.sqlite_writer import Writer, open_writer


@pytest.fixture
async def writer() -> AsyncIterator[Writer]:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        async with open_writer(connection) as writer:
            yield writer


class Gate:
    """Work that stays in the thread until it may end."""

    def __init__(self) -> None:
        self.begun = trio.Event()
        self.ended = False
        self._open = threading.Event()
        self._token = trio.lowlevel.current_trio_token()

    def work(self, connection: sqlite3.Connection) -> int:
        self._token.run_sync_soon(self.begun.set)
        assert self._open.wait(60)
        self.ended = True
        return int(connection.execute("SELECT 7").fetchone()[0])

    def open(self) -> None:
        self._open.set()


async def test_it_works_with_the_connection_in_a_thread_that_stays(writer: Writer) -> None:
    def work(connection: sqlite3.Connection) -> tuple[int, int]:
        return connection.execute("SELECT 7").fetchone()[0], threading.get_ident()

    first, thread = await writer.run(work)
    assert first == 7
    assert thread != threading.get_ident()
    assert await writer.run(work) == (7, thread)


async def test_what_it_raises_is_for_who_asked(writer: Writer) -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await writer.run(lambda connection: connection.execute("SELECT * FROM none"))
    assert await writer.run(lambda _: 1) == 1


async def test_nothing_of_a_failure_is_kept(writer: Writer) -> None:
    class Held:
        pass

    async def fail() -> "weakref.ref[Held]":
        held = Held()

        def work(_: sqlite3.Connection) -> None:
            raise ValueError(held)

        with pytest.raises(ValueError, match="Held"):
            await writer.run(work)
        return weakref.ref(held)

    gc.disable()
    try:
        held = await fail()
        await writer.run(lambda _: None)
        assert held() is None
    finally:
        gc.enable()


async def test_everybody_has_a_turn_in_the_order_of_asking(writer: Writer) -> None:
    gate, done = Gate(), []

    async def ask(number: int) -> None:
        done.append(await writer.run(lambda _: number))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run, gate.work)
        await gate.begun.wait()
        for number in range(5):
            nursery.start_soon(ask, number)
            await trio.testing.wait_all_tasks_blocked()
        gate.open()
    assert done == [0, 1, 2, 3, 4]


async def test_what_has_begun_ends_though_it_is_cancelled(writer: Writer) -> None:
    gate = Gate()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run, gate.work)
        await gate.begun.wait()
        nursery.cancel_scope.cancel()
        await trio.lowlevel.cancel_shielded_checkpoint()
        assert not gate.ended
        gate.open()
    assert gate.ended
    assert await writer.run(lambda _: 1) == 1


async def test_who_is_cancelled_before_is_not_begun(writer: Writer) -> None:
    begun = []
    with trio.CancelScope() as scope:
        scope.cancel()
        await writer.run(begun.append)
    assert scope.cancelled_caught
    gate = Gate()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(writer.run, gate.work)
        await gate.begun.wait()
        with trio.CancelScope() as scope:
            nursery.start_soon(_cancel_when_waiting, scope)
            await writer.run(begun.append)
        assert scope.cancelled_caught
        gate.open()
    assert begun == []


async def _cancel_when_waiting(scope: trio.CancelScope) -> None:
    await trio.testing.wait_all_tasks_blocked()
    scope.cancel()


async def test_its_end_waits_for_what_was_asked_and_leaves_no_thread() -> None:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        async with trio.open_nursery() as nursery:
            async with open_writer(connection) as writer:
                gate = Gate()
                nursery.start_soon(writer.run, gate.work)
                await gate.begun.wait()
                nursery.start_soon(_open_when_waiting, gate)
                nursery.cancel_scope.cancel()
            assert gate.ended
        assert "journal writer" not in {thread.name for thread in threading.enumerate()}


async def _open_when_waiting(gate: Gate) -> None:
    with trio.CancelScope(shield=True):
        await trio.testing.wait_all_tasks_blocked()
        gate.open()


async def test_meanwhile_is_while_the_work_is_nearly_done(writer: Writer) -> None:
    seen: list[str] = []
    go_on = threading.Event()

    def work(_: sqlite3.Connection) -> str:
        seen.append("work")
        writer.nearly()
        assert go_on.wait(60)
        return "done"

    def meanwhile() -> None:
        seen.append("meanwhile")
        go_on.set()

    for _ in range(3):
        assert await writer.run(work, meanwhile) == "done"
        go_on.clear()
    assert seen == ["work", "meanwhile"] * 3
    assert await writer.run(lambda _: 1, meanwhile) == 1
    assert len(seen) == 6


async def test_work_ends_though_what_is_done_meanwhile_fails(writer: Writer) -> None:
    go_on, ended = threading.Event(), []

    def work(_: sqlite3.Connection) -> None:
        writer.nearly()
        assert go_on.wait(60)
        ended.append(True)

    def meanwhile() -> None:
        go_on.set()
        raise ValueError("meanwhile")

    with pytest.raises(ValueError, match="meanwhile"):
        await writer.run(work, meanwhile)
    assert ended == [True]
    assert await writer.run(lambda _: 1) == 1
