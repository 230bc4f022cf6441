"""Each behaviour of the dynamic supervisor by one example."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from incident_manager.supervision import (
    Child,
    ChildSpec,
    DuplicateChild,
    DynamicStatistics,
    DynamicSupervisor,
    Node,
    SupervisorStopped,
    Tree,
    open_dynamic,
    open_supervisor,
)
from unit.supervision.scripts import Actor, Crash, Life, Log, pass_time


async def stays(child: Child, **_: object) -> None:
    await child.stopping.wait()


async def crashes(child: Child, **_: object) -> None:
    raise Crash(child.node.name)


# --- children in their own tasks ---


async def test_a_failure_is_recorded_with_its_id_and_touches_nobody_else(log: Log) -> None:
    failures: list[tuple[str, str]] = []
    tree = Tree(on_failure=lambda node, error: failures.append((node.id, repr(error))))
    async with open_dynamic("conns", tree=tree) as dynamic:
        survivor = dynamic.start_child("good", "worker", Actor("good", log))
        dynamic.start_child("bad", "worker", crashes)
        await wait_all_tasks_blocked()
        assert survivor.state == "running"
        assert dynamic.statistics() == DynamicStatistics(alive=1, started=2, failed=1)
        node = tree.find("root.conns")
        assert node is not None
        assert node.last_failure is not None
        assert (node.last_failure.child, node.last_failure.message) == ("root.conns.bad", "bad")
        assert list(node.children) == ["good"]
    assert failures == [("root.conns.bad", "Crash('bad')")]
    assert log.names("leave") == ["good"]
    assert tree.find("root.conns") is None


async def test_a_child_that_ends_leaves_no_trace_and_its_id_is_free_again() -> None:
    async def ends(child: Child, **_: object) -> None: ...

    tree = Tree()
    async with open_dynamic("root", tree=tree) as dynamic:
        for _ in range(3):
            dynamic.start_child("a", "worker", ends)
            await wait_all_tasks_blocked()
            assert tree.root.children == {}
        assert dynamic.statistics() == DynamicStatistics(alive=0, started=3, failed=0)
    assert tree.root.state == "stopped"


async def test_a_live_id_is_refused_and_so_is_what_is_no_name() -> None:
    async with open_dynamic("d") as dynamic:
        dynamic.start_child("a", "worker", stays)
        with pytest.raises(DuplicateChild, match=r"root\.d\.a"):
            dynamic.start_child("a", "worker", stays)
        with pytest.raises(ValueError, match="dot"):
            dynamic.start_child("a.b", "worker", stays)
        assert dynamic.statistics().started == 1


async def test_children_that_ignore_the_request_are_cancelled_after_the_timeout(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_dynamic("d", shutdown=3.0) as dynamic:
        dynamic.start_child("good", "worker", Actor("good", log))
        dynamic.start_child("deaf", "worker", Actor("deaf", log, (Life(stop="ignore"),)))
        await wait_all_tasks_blocked()
    assert log.times("leave", "good") == [0.0]
    assert log.times("cancelled", "deaf") == [3.0]


async def test_one_that_stays_though_cancelled_is_shown_and_waited_for(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    seen: list[tuple[float, str, bool]] = []

    async def look(node: Node) -> None:
        for _ in range(4):
            await pass_time(1.5)
            seen.append((trio.current_time(), str(node.state), node.overrun))

    async with trio.open_nursery() as nursery:
        async with open_dynamic("d", shutdown=1.0) as dynamic:
            body = Actor("a", log, (Life(stop="shield", linger=4.0),))
            nursery.start_soon(look, dynamic.start_child("a", "worker", body))
            await wait_all_tasks_blocked()
        assert trio.current_time() == 5.0
    assert seen[:3] == [(1.5, "stopping", False), (3.0, "stopping", True), (4.5, "stopping", True)]


async def test_stop_child_asks_then_cancels_that_one_alone(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_dynamic("d", shutdown=5.0) as dynamic:
        for name in ("now", "soon", "default", "other"):
            life = Life() if name == "other" else Life(stop="ignore")
            dynamic.start_child(name, "worker", Actor(name, log, (life,)))
        await wait_all_tasks_blocked()
        dynamic.stop_child("now", shutdown=0)
        dynamic.stop_child("soon", shutdown=2.0)
        dynamic.stop_child("default")
        await pass_time(10.0)
        assert dynamic.statistics().alive == 1
        with pytest.raises(KeyError, match="now"):
            dynamic.stop_child("now")
    assert log.times("leave", "now") == [0.0]
    assert log.times("leave", "soon") == [2.0]
    assert log.times("leave", "default") == [5.0]


async def test_it_takes_no_child_before_it_runs_while_it_stops_and_after(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    dynamic = DynamicSupervisor("d")
    refused: list[str] = []

    async def tries_when_asked(child: Child, **_: object) -> None:
        await child.stopping.wait()
        try:
            dynamic.start_child("late", "worker", stays)
        except SupervisorStopped:
            refused.append("late")

    with pytest.raises(SupervisorStopped):
        dynamic.start_child("early", "worker", stays)
    async with dynamic:
        dynamic.start_child("a", "worker", tries_when_asked)
        await wait_all_tasks_blocked()
    assert refused == ["late"]
    with pytest.raises(SupervisorStopped):
        async with dynamic.adopt("after", "worker"):
            raise AssertionError("must not be entered")


async def test_an_interrupt_from_a_child_ends_all_and_travels_on() -> None:
    async def interrupted(child: Child, **_: object) -> None:
        raise BaseExceptionGroup("both", [KeyboardInterrupt(), Crash("a")])

    tree = Tree()
    with pytest.raises(BaseExceptionGroup) as caught:  # noqa: PT012
        async with open_dynamic("root", tree=tree) as dynamic:
            dynamic.start_child("b", "worker", stays)
            dynamic.start_child("a", "worker", interrupted)
            await trio.Event().wait()
    assert caught.value.split(KeyboardInterrupt)[1] is None
    assert tree.root.last_failure is not None
    assert tree.root.last_failure.type == "ExceptionGroup"


async def test_a_bare_interrupt_is_no_recorded_failure() -> None:
    async def interrupted(child: Child, **_: object) -> None:
        raise KeyboardInterrupt

    tree = Tree()
    with pytest.raises(KeyboardInterrupt):  # noqa: PT012
        async with open_dynamic("root", tree=tree) as dynamic:
            dynamic.start_child("a", "worker", interrupted)
            await trio.Event().wait()
    assert tree.root.last_failure is None


# --- the block ---


async def test_what_the_block_raises_comes_out_as_it_is(log: Log) -> None:
    with pytest.raises(LookupError, match="mine"):  # noqa: PT012
        async with open_dynamic("d") as dynamic:
            dynamic.start_child("a", "worker", Actor("a", log))
            await wait_all_tasks_blocked()
            raise LookupError("mine")
    assert log.names("asked") == ["a"]


async def test_cancelled_from_outside_nobody_is_asked_and_nobody_stays(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.move_on_after(5.0) as scope:
        async with open_dynamic("d") as dynamic:
            dynamic.start_child("a", "worker", Actor("a", log))
            dynamic.start_child("b", "worker", Actor("b", log, (Life(stop="shield", linger=2.0),)))
            await trio.Event().wait()
    assert scope.cancelled_caught
    assert log.live == set()
    assert sorted(log.names("cancelled")) == ["a", "b"]
    assert trio.current_time() == 7.0


async def test_cancelled_while_stopping_loses_neither_the_block_s_failure_nor_the_cancellation(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    with pytest.raises(BaseExceptionGroup) as caught, trio.move_on_after(2.0) as scope:  # noqa: PT012
        async with open_dynamic("d", shutdown=100.0) as dynamic:
            dynamic.start_child("a", "worker", Actor("a", log, (Life(stop="ignore"),)))
            await wait_all_tasks_blocked()
            raise LookupError("mine")
    assert scope.cancel_called
    assert caught.value.split(LookupError)[1] is None
    assert log.times("cancelled", "a") == [2.0]


async def test_cancelled_while_stopping_an_orderly_block(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.move_on_after(2.0) as scope:
        async with open_dynamic("d", shutdown=100.0) as dynamic:
            dynamic.start_child("a", "worker", Actor("a", log, (Life(stop="ignore"),)))
            await wait_all_tasks_blocked()
    assert scope.cancelled_caught
    assert log.times("cancelled", "a") == [2.0]


async def test_it_runs_once_at_a_time_and_again_after(log: Log) -> None:
    dynamic = DynamicSupervisor("d")
    for _ in range(2):
        async with dynamic:
            with pytest.raises(RuntimeError, match="already running"):
                async with dynamic:
                    raise AssertionError("must not be entered")
            with pytest.raises(RuntimeError, match="already running"):
                await dynamic.run(Child(dynamic.node))  # type: ignore[arg-type]
            dynamic.start_child("a", "worker", stays)
            assert dynamic.statistics().started == 1


def test_wrong_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="dot"):
        DynamicSupervisor("a.b")
    with pytest.raises(ValueError, match="parent"):
        DynamicSupervisor(None)
    with pytest.raises(ValueError, match="shutdown"):
        DynamicSupervisor("a", shutdown=-1.0)


# --- as a static child ---


async def test_as_a_child_of_a_static_supervisor_it_can_be_restarted(log: Log) -> None:
    dynamic = DynamicSupervisor("conns", shutdown=1.0)
    tree = Tree()
    spec = ChildSpec("conns", dynamic.run, kind="supervisor", shutdown=math.inf)
    async with open_supervisor("root", [spec], tree=tree) as supervisor:
        dynamic.start_child("a", "worker", Actor("a", log))
        await wait_all_tasks_blocked()
        await supervisor.restart_child("conns")
        assert log.live == set()
        dynamic.start_child("a", "worker", Actor("a", log))
        await wait_all_tasks_blocked()
        snapshot = tree.snapshot().find("root.conns")
        assert snapshot is not None
        assert snapshot.restarts == 1
        assert dict(snapshot.stats) == {"alive": 1, "started": 1, "failed": 0}
    assert log.names("asked") == ["a", "a"]


async def test_cancelled_as_a_static_child_adopted_blocks_leave_too(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    dynamic = DynamicSupervisor("conns", shutdown=100.0)

    async def connection() -> None:
        async with dynamic.adopt("c1", "connection"):
            try:
                await trio.Event().wait()
            finally:
                log.add("leave", "c1")

    async with (
        trio.open_nursery() as nursery,
        open_supervisor("root", [ChildSpec("conns", dynamic.run, shutdown=3.0)]),
    ):
        nursery.start_soon(connection)
        await wait_all_tasks_blocked()
    assert log.times("leave", "c1") == [3.0]


async def test_ten_thousand_children_come_and_go() -> None:
    tree = Tree()
    async with open_dynamic("root", tree=tree) as dynamic:
        for number in range(10_000):
            dynamic.start_child(str(number), "worker", stays)
        await wait_all_tasks_blocked()
        picture = tree.snapshot(limit=10).root
        assert (picture.child_count, len(picture.children), picture.omitted) == (10_000, 10, 9_990)
        assert picture.counts["worker"]["running"] == 10_000
    assert dynamic.statistics().alive == 0
    assert tree.root.children == {}
