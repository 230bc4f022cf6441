"""A child in the task that already runs it."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from incident_manager.supervision import (
    DynamicStatistics,
    DynamicSupervisor,
    Tree,
    open_dynamic,
)
from unit.supervision.scripts import Actor, Crash, Log


async def test_an_adopted_block_costs_no_task_and_shows_in_the_tree() -> None:
    tree = Tree()
    async with open_dynamic("conns", tree=tree) as dynamic:
        tasks = trio.lowlevel.current_statistics().tasks_living
        async with dynamic.adopt("c1", "connection", stats=lambda: {"peer": "x"}) as child:
            assert trio.lowlevel.current_statistics().tasks_living == tasks
            assert (child.node.id, child.node.kind) == ("root.conns.c1", "connection")
            snapshot = tree.snapshot().find("root.conns.c1")
            assert snapshot is not None
            assert dict(snapshot.stats) == {"peer": "x"}
        assert tree.find("root.conns.c1") is None


async def test_what_an_adopted_block_raises_is_recorded_and_raised() -> None:
    failures: list[str] = []
    tree = Tree(on_failure=lambda node, error: failures.append(node.id))
    async with open_dynamic("root", tree=tree) as dynamic:
        with pytest.raises(Crash, match="mine"):
            async with dynamic.adopt("c1", "connection"):
                raise Crash("mine")
        assert dynamic.statistics() == DynamicStatistics(alive=0, started=1, failed=1)
    assert failures == ["root.c1"]
    assert tree.root.last_failure is not None
    assert tree.root.last_failure.child == "root.c1"


async def test_the_supervisor_asks_an_adopted_block_then_cancels_it_and_waits(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    hooks: list[float] = []

    async def connection(dynamic: DynamicSupervisor) -> None:
        async with dynamic.adopt(
            "c1", "connection", on_stop=lambda: hooks.append(trio.current_time())
        ) as child:
            try:
                await trio.Event().wait()
            finally:
                log.add("leave", "c1")
        assert child.scope.cancelled_caught
        log.add("after", "c1")

    async with trio.open_nursery() as nursery:
        async with open_dynamic("d", shutdown=4.0) as dynamic:
            nursery.start_soon(connection, dynamic)
            await wait_all_tasks_blocked()
        log.add("ended", "d")
    assert hooks == [0.0]
    assert log.times("leave", "c1") == log.times("ended", "d") == [4.0]
    assert log.names("after") == ["c1"]


async def test_a_group_left_over_when_an_adopted_block_is_cancelled_is_recorded_and_raised(
    autojump_clock: trio.testing.MockClock,
) -> None:
    caught: list[str] = []
    tree = Tree()

    async def connection(dynamic: DynamicSupervisor) -> None:
        try:
            async with dynamic.adopt("c1", "connection"):
                try:
                    await trio.Event().wait()
                except trio.Cancelled as cancelled:
                    raise BaseExceptionGroup("", [cancelled, Crash("late")]) from None
        except ExceptionGroup as group:
            caught.extend(str(error) for error in group.exceptions)

    async with (
        trio.open_nursery() as nursery,
        open_dynamic("root", shutdown=0, tree=tree) as dynamic,
    ):
        nursery.start_soon(connection, dynamic)
        await wait_all_tasks_blocked()
    assert caught == ["late"]
    assert tree.root.last_failure is not None
    assert tree.root.last_failure.child == "root.c1"


async def test_a_cancellation_from_outside_passes_through_an_adopted_block(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with open_dynamic("d") as dynamic:
        with trio.move_on_after(1.0) as scope:
            async with dynamic.adopt("c1", "connection"):
                await trio.Event().wait()
            raise AssertionError("must not be reached")
        assert scope.cancelled_caught
        assert dynamic.statistics() == DynamicStatistics(alive=0, started=1, failed=0)


async def test_a_supervisor_sits_on_an_adopted_node(log: Log) -> None:
    tree = Tree()
    async with (
        open_dynamic("conns", tree=tree) as connections,
        connections.adopt("c1", "connection", stats=lambda: {"mine": 1}) as connection,
    ):
        async with open_dynamic(None, parent=connection.node, shutdown=0) as subscriptions:
            node = subscriptions.start_child("s1", "subscription", Actor("s1", log))
            await wait_all_tasks_blocked()
            assert node.id == "root.conns.c1.s1"
            assert subscriptions.node is connection.node
            snapshot = tree.snapshot().find("root.conns.c1")
            assert snapshot is not None
            assert dict(snapshot.stats) == {"mine": 1}
        assert connection.node.children == {}
        assert connection.node.state == "running"
        async with open_dynamic("subs", kind="group", parent=connection.node) as named:
            assert named.node is not None
            assert (named.node.id, named.node.kind) == ("root.conns.c1.subs", "group")
    assert log.names("cancelled") == ["s1"]
