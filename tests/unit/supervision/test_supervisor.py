"""Starts, stops and restarts of the static supervisor, each by one example."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from incident_manager.supervision import (
    Backoff,
    Child,
    ChildEnded,
    ChildSpec,
    DuplicateChild,
    Intensity,
    NodeState,
    Restart,
    StartFailed,
    Strategy,
    Supervisor,
    Tree,
    open_supervisor,
)
from unit.supervision.scripts import FAIL_AT_1, STAY, Crash, Life, Log, pass_time, spec

# --- start and stop ---


async def test_starts_in_order_of_readiness_and_stops_in_reverse(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [spec(log, "a", Life(ready=2.0)), spec(log, "b", Life(ready=1.0)), spec(log, "c")]
    async with open_supervisor("sup", specs):
        assert log.events == [
            ("start", "a", 0.0),
            ("ready", "a", 2.0),
            ("start", "b", 2.0),
            ("ready", "b", 3.0),
            ("start", "c", 3.0),
            ("ready", "c", 3.0),
        ]
        log.events.clear()
    assert [(what, who) for what, who, _ in log.events] == [
        ("asked", "c"),
        ("leave", "c"),
        ("asked", "b"),
        ("leave", "b"),
        ("asked", "a"),
        ("leave", "a"),
    ]


async def test_without_children_it_is_ready_and_stays(log: Log) -> None:
    async with open_supervisor("sup", []) as supervisor:
        assert supervisor.node is not None
        assert supervisor.node.state is NodeState.RUNNING
    assert supervisor.node is not None
    assert supervisor.node.state is NodeState.STOPPED


async def test_a_child_that_ignores_the_request_is_cancelled_after_its_timeout(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_supervisor("sup", [spec(log, "a", Life(stop="ignore"), shutdown=3.0)]):
        await pass_time(1.0)
    assert log.times("asked", "a") == [1.0]
    assert log.times("cancelled", "a") == [4.0]


async def test_shutdown_zero_cancels_at_once(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    async with open_supervisor("sup", [spec(log, "a", shutdown=0)]):
        await wait_all_tasks_blocked()
    assert log.times("cancelled", "a") == [0.0]


async def test_a_child_that_stays_though_cancelled_is_shown_and_waited_for(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    tree = Tree()
    seen: list[tuple[float, str, bool]] = []

    async def look() -> None:
        for _ in range(12):
            await pass_time(1.0)
            node = tree.find("root.a")
            assert node is not None
            seen.append((trio.current_time(), str(node.state), node.overrun))

    life = Life(stop="shield", linger=6.0)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(look)
        async with open_supervisor("root", [spec(log, "a", life, shutdown=2.5)], tree=tree):
            pass
        assert trio.current_time() == 8.5
    by_time = {when: (state, overrun) for when, state, overrun in seen}
    assert by_time[2.0] == ("stopping", False)
    assert by_time[3.0] == ("stopping", False)
    assert by_time[4.0] == ("stopping", True)
    assert by_time[8.0] == ("stopping", True)
    assert by_time[9.0] == ("stopped", True)


async def test_a_failure_in_the_first_start_stops_what_had_started(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [
        spec(log, "a"),
        spec(log, "b"),
        spec(log, "c", Life(ready=1.0, fail_before_ready=True)),
        spec(log, "d"),
    ]
    tree = Tree()
    with pytest.raises(StartFailed) as caught:
        async with open_supervisor("root", specs, tree=tree):
            raise AssertionError("the block must not be entered")
    assert (caught.value.id, caught.value.child) == ("root", "c")
    assert isinstance(caught.value.__cause__, Crash)
    assert log.names("start") == ["a", "b", "c"]
    assert log.names("leave") == ["c", "b", "a"]
    states = {child.name: child.state for child in tree.root.children.values()}
    assert states == {"a": "stopped", "b": "stopped", "c": "failed", "d": "stopped"}
    assert tree.root.state == "failed"
    assert tree.root.last_failure is not None
    assert tree.root.last_failure.type == "StartFailed"


@pytest.mark.parametrize("restart", [Restart.TRANSIENT, Restart.TEMPORARY])
async def test_a_step_that_returns_before_it_is_ready_is_done(log: Log, restart: Restart) -> None:
    async def migrate(child: Child, **_: object) -> None:
        log.add("done", "migrate")

    specs = [ChildSpec("migrate", migrate, restart), spec(log, "a")]
    async with open_supervisor("sup", specs):
        assert [what for what, _, _ in log.events] == ["done", "start", "ready"]


async def test_a_permanent_child_that_returns_before_it_is_ready_failed_to_start() -> None:
    async def forgets(child: Child, **_: object) -> None: ...

    with pytest.raises(StartFailed) as caught:
        async with open_supervisor("sup", [ChildSpec("forgets", forgets)]):
            raise AssertionError("the block must not be entered")
    assert isinstance(caught.value.__cause__, ChildEnded)


async def test_ids_must_differ_and_be_names(log: Log) -> None:
    with pytest.raises(ValueError, match="differ"):
        Supervisor("sup", [spec(log, "a"), spec(log, "a")])
    with pytest.raises(ValueError, match="dot"):
        Supervisor("su.p", [])


# --- restart rules ---


@pytest.mark.parametrize(
    ("restart", "then", "runs", "state"),
    [
        (Restart.PERMANENT, "fail", 2, "running"),
        (Restart.PERMANENT, "end", 2, "running"),
        (Restart.TRANSIENT, "fail", 2, "running"),
        (Restart.TRANSIENT, "end", 1, "stopped"),
        (Restart.TEMPORARY, "fail", 1, "failed"),
        (Restart.TEMPORARY, "end", 1, "stopped"),
    ],
)
async def test_restart_rule(
    log: Log,
    autojump_clock: trio.testing.MockClock,
    restart: Restart,
    then: str,
    runs: int,
    state: str,
) -> None:
    lives = (Life(then=then, after=1.0), STAY)
    async with open_supervisor("sup", [spec(log, "a", *lives, restart=restart)]) as supervisor:
        await pass_time(2.0)
        assert log.runs == {"a": runs}
        assert supervisor.node is not None
        node = supervisor.node.children["a"]
        assert (node.state, node.restarts) == (state, runs - 1)
        if (restart, then) == (Restart.PERMANENT, "end"):
            assert node.last_failure is not None
            assert node.last_failure.type == "ChildEnded"


async def run_group(
    log: Log, strategy: Strategy, specs: Sequence[ChildSpec], seconds: float
) -> list[tuple[str, str]]:
    """Return what happened between the start and ``seconds`` later."""
    async with open_supervisor("sup", specs, strategy=strategy):
        log.events.clear()
        await pass_time(seconds)
        return [(what, who) for what, who, _ in log.events if what in ("start", "ready", "leave")]


async def test_one_for_one_touches_nobody_else(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [spec(log, "a"), spec(log, "b", FAIL_AT_1, STAY), spec(log, "c")]
    happened = await run_group(log, Strategy.ONE_FOR_ONE, specs, 2.0)
    assert happened == [("leave", "b"), ("start", "b"), ("ready", "b")]


async def test_one_for_all_stops_in_reverse_and_starts_in_order(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [spec(log, "a"), spec(log, "b", FAIL_AT_1, STAY), spec(log, "c")]
    happened = await run_group(log, Strategy.ONE_FOR_ALL, specs, 2.0)
    assert happened == [
        ("leave", "b"),
        ("leave", "c"),
        ("leave", "a"),
        ("start", "a"),
        ("ready", "a"),
        ("start", "b"),
        ("ready", "b"),
        ("start", "c"),
        ("ready", "c"),
    ]


async def test_rest_for_one_takes_along_those_started_later(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [spec(log, "a"), spec(log, "b", FAIL_AT_1, STAY), spec(log, "c"), spec(log, "d")]
    happened = await run_group(log, Strategy.REST_FOR_ONE, specs, 2.0)
    assert [who for what, who in happened if what == "leave"] == ["b", "d", "c"]
    assert [who for what, who in happened if what == "start"] == ["b", "c", "d"]


async def test_a_temporary_sibling_is_stopped_with_the_group_and_not_started_again(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [
        spec(log, "a", FAIL_AT_1, STAY),
        spec(log, "b", restart=Restart.TEMPORARY),
        spec(log, "c", Life(then="end"), STAY, restart=Restart.TRANSIENT),
        spec(log, "d", Life(then="end"), restart=Restart.TEMPORARY),
    ]
    await run_group(log, Strategy.ONE_FOR_ALL, specs, 2.0)
    # a transient one that had ended runs again with its group, as in OTP
    assert log.runs == {"a": 2, "b": 1, "c": 2, "d": 1}


async def test_a_failing_restart_is_tried_again_and_the_group_goes_on_from_there(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    broken = Life(fail_before_ready=True)
    specs = [spec(log, "a"), spec(log, "b", FAIL_AT_1, broken, broken, STAY), spec(log, "c")]
    happened = await run_group(log, Strategy.REST_FOR_ONE, specs, 2.0)
    assert [who for what, who in happened if what == "start"] == ["b", "b", "b", "c"]


async def test_a_second_failure_while_the_group_restarts_is_taken_in(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [
        spec(log, "a", Life(then="fail", after=2.0), STAY),
        spec(log, "b", FAIL_AT_1, Life(ready=5.0), STAY),
    ]
    async with open_supervisor("sup", specs, strategy=Strategy.REST_FOR_ONE) as supervisor:
        await pass_time(1.5)
        assert supervisor.node is not None
        assert supervisor.node.children["b"].state == "starting"
        await pass_time(1.5)
        assert log.runs == {"a": 2, "b": 3}
        assert supervisor.node.restart_budget == 1


async def test_one_restarting_child_does_not_hold_up_another(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    """A registry that cannot get ready before its journal is back must not keep it from that."""
    specs = [
        spec(log, "journal", Life(then="fail", after=2.0), STAY),
        spec(log, "registry", FAIL_AT_1, Life(ready=100.0)),
    ]
    async with open_supervisor("sup", specs):
        await pass_time(3.0)
        assert log.times("start", "journal") == [0.0, 2.0]
        assert log.times("ready", "registry") == [0.0]


async def test_a_ready_sibling_that_fails_during_the_first_start_is_restarted(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [spec(log, "a", FAIL_AT_1, STAY), spec(log, "b", Life(ready=3.0)), spec(log, "c")]
    async with open_supervisor("sup", specs, strategy=Strategy.ONE_FOR_ALL):
        assert log.times("start", "a") == [0.0, 1.0]
        assert log.times("start", "b") == [0.0, 1.0]
        assert log.times("start", "c") == [4.0]


async def test_backoff_grows_with_failures_in_a_row_and_starts_anew_after_a_good_run(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    lives = (Life(then="fail"),) * 3 + (Life(then="fail", after=20.0), STAY)
    child = spec(log, "a", *lives, backoff=Backoff(1.0, 2.0, 3.0))
    async with open_supervisor("sup", [child], intensity=Intensity(9, 10.0)) as supervisor:
        await pass_time(2.0)
        assert supervisor.node is not None
        assert supervisor.node.children["a"].state == "restarting"
        await pass_time(50.0)
    assert log.times("start", "a") == [0.0, 1.0, 3.0, 6.0, 27.0]


async def test_a_failure_while_being_stopped_is_recorded_and_counts_for_nothing(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [spec(log, "a", Life(stop="fail"), STAY), spec(log, "b", FAIL_AT_1, STAY)]
    none_more = Intensity(1, 100.0)
    async with open_supervisor(
        "sup", specs, strategy=Strategy.ONE_FOR_ALL, intensity=none_more
    ) as supervisor:
        await pass_time(2.0)
        assert supervisor.node is not None
        assert supervisor.node.restart_budget == 0
        failure = supervisor.node.children["a"].last_failure
        assert failure is not None
        assert (failure.type, failure.message) == ("Crash", "a")
        assert "raise Crash" in failure.traceback
    assert log.runs == {"a": 2, "b": 2}


# --- as a body, and again ---


async def test_run_without_a_parent_until_begin_stop(log: Log) -> None:
    supervisor = Supervisor("sup", [spec(log, "a")])
    supervisor.begin_stop()  # of one that does not run: nothing
    async with trio.open_nursery() as nursery:
        assert await nursery.start(supervisor.run) is supervisor
        with pytest.raises(RuntimeError, match="already running"):
            await supervisor.run()
        supervisor.begin_stop()
    assert log.names("leave") == ["a"]


async def test_an_inner_supervisor_asked_to_stop_before_its_first_step_starts_nobody(
    log: Log,
) -> None:
    tree = Tree()
    child = Child(tree.attach(tree.root, "inner", "supervisor"))
    child.ask()
    inner = Supervisor("inner", [spec(log, "a")])
    await inner.run(child)
    assert log.events == []


async def test_the_same_id_again_takes_the_dead_node_over_and_a_live_one_is_refused(
    log: Log,
) -> None:
    tree = Tree()
    async with open_supervisor("sup", [spec(log, "a")], tree=tree):
        with pytest.raises(DuplicateChild):
            async with open_supervisor("sup", [spec(log, "a")], tree=tree):
                raise AssertionError("the block must not be entered")
    node = tree.find("root.sup.a")
    async with open_supervisor("sup", [spec(log, "a")], tree=tree):
        assert tree.find("root.sup.a") is node
