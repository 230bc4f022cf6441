"""A supervisor beside a block: giving up, cancellation, what the block raises."""

from __future__ import annotations

import math

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from incident_manager.supervision import (
    Child,
    ChildSpec,
    Intensity,
    StartFailed,
    Supervisor,
    SupervisorGaveUp,
    Tree,
    open_supervisor,
)
from unit.supervision.scripts import FAIL_AT_1, STAY, Crash, Life, Log, pass_time, spec

# --- giving up ---


async def test_it_gives_up_stops_all_and_cancels_the_block(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [spec(log, "a"), spec(log, "b", FAIL_AT_1)]
    tree = Tree()
    with pytest.raises(SupervisorGaveUp) as caught:  # noqa: PT012
        async with open_supervisor("root", specs, intensity=Intensity(2, 10.0), tree=tree):
            try:
                await trio.Event().wait()
            finally:
                log.add("block left", "")
    assert (caught.value.id, caught.value.child) == ("root", "b")
    assert isinstance(caught.value.__cause__, Crash)
    assert log.times("start", "b") == [0.0, 1.0, 2.0]
    assert log.names("leave")[-1] == "a"
    assert log.names("block left") == [""]
    assert tree.root.state == "failed"
    assert tree.root.children["b"].state == "failed"
    assert tree.root.children["a"].state == "stopped"


async def test_restarts_far_enough_apart_go_on_for_ever(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    child = spec(log, "a", Life(then="fail", after=2.0))
    async with open_supervisor("sup", [child], intensity=Intensity(1, 1.0)):
        await pass_time(100.0)
    assert log.runs["a"] == 50


async def test_a_parent_restarts_a_supervisor_that_gave_up(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    inner = Supervisor(
        "inner", [spec(log, "a", FAIL_AT_1, FAIL_AT_1, STAY)], intensity=Intensity(1, 10.0)
    )
    outer = [ChildSpec("inner", inner.run, kind="supervisor", shutdown=math.inf)]
    tree = Tree()
    async with open_supervisor("root", outer, tree=tree):
        await pass_time(3.0)
        node = tree.find("root.inner")
        assert node is not None
        assert node.restarts == 1
        assert node.last_failure is not None
        assert node.last_failure.type == "SupervisorGaveUp"
        child = tree.find("root.inner.a")
        assert child is not None
        assert child.restarts == 1
        assert (node.state, child.state, node.strategy) == ("running", "running", "one_for_one")
    assert (node.state, child.state) == ("stopped", "stopped")
    assert log.runs == {"a": 3}


async def test_a_nested_start_failure_reaches_the_top(log: Log) -> None:
    inner = Supervisor("inner", [spec(log, "a", Life(fail_before_ready=True))])
    with pytest.raises(StartFailed) as caught:
        async with open_supervisor("root", [ChildSpec("inner", inner.run)]):
            raise AssertionError("the block must not be entered")
    assert caught.value.child == "inner"
    assert isinstance(caught.value.__cause__, StartFailed)
    assert caught.value.__cause__.child == "a"


# --- cancellation and what is not ours to handle ---


async def test_cancelled_from_outside_children_leave_one_by_one_in_reverse(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    lingering = Life(stop="shield", linger=1.0)
    specs = [spec(log, name, lingering) for name in "abc"]
    with trio.move_on_after(5.0) as scope:
        async with open_supervisor("sup", specs):
            await trio.Event().wait()
    assert scope.cancelled_caught
    assert [event for event in log.events if event[0] in ("asked", "cancelled", "leave")] == [
        ("cancelled", "c", 5.0),
        ("leave", "c", 6.0),
        ("cancelled", "b", 6.0),
        ("leave", "b", 7.0),
        ("cancelled", "a", 7.0),
        ("leave", "a", 8.0),
    ]


async def test_cancelled_during_the_first_start(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.move_on_after(5.0) as scope:
        async with open_supervisor("sup", [spec(log, "a"), spec(log, "b", Life(ready=math.inf))]):
            raise AssertionError("the block must not be entered")
    assert scope.cancelled_caught
    assert log.names("leave") == ["b", "a"]


async def test_cancelled_during_the_stop_those_asked_are_cancelled_at_once(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [spec(log, "a"), spec(log, "b", Life(stop="ignore"), shutdown=100.0)]
    with trio.move_on_after(5.0) as scope:
        async with open_supervisor("sup", specs):
            pass
    assert scope.cancelled_caught
    assert log.events[-4:] == [
        ("cancelled", "b", 5.0),
        ("leave", "b", 5.0),
        ("cancelled", "a", 5.0),
        ("leave", "a", 5.0),
    ]


async def test_what_the_block_raises_comes_out_as_it_is_after_an_orderly_stop(log: Log) -> None:
    with pytest.raises(LookupError, match="mine"):
        async with open_supervisor("sup", [spec(log, "a"), spec(log, "b")]):
            raise LookupError("mine")
    assert log.names("asked") == ["b", "a"]


async def test_a_failed_block_that_is_cancelled_while_stopping_loses_neither(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    child = spec(log, "a", Life(stop="ignore"), shutdown=100.0)
    with pytest.raises(BaseExceptionGroup) as caught, trio.move_on_after(5.0) as scope:
        async with open_supervisor("sup", [child]):
            raise LookupError("mine")
    assert scope.cancel_called
    mine, rest = caught.value.split(LookupError)
    assert mine is not None
    assert rest is None, "the scope took its Cancelled"
    assert trio.current_time() == 5.0


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
async def test_interrupts_stop_everything_and_are_never_restarted(
    log: Log, error: type[BaseException]
) -> None:
    async def interrupted(child: Child, *, task_status: trio.TaskStatus[object]) -> None:
        log.add("start", "interrupted")
        task_status.started()
        await wait_all_tasks_blocked()
        raise error

    with pytest.raises(error):
        async with open_supervisor("sup", [spec(log, "a"), ChildSpec("interrupted", interrupted)]):
            await trio.Event().wait()
    assert log.names("start") == ["a", "interrupted"]
    assert log.names("leave") == ["a"]


async def test_a_group_with_an_interrupt_is_recorded_and_the_interrupt_travels_on(
    log: Log,
) -> None:
    tree = Tree()

    async def interrupted(child: Child, *, task_status: trio.TaskStatus[object]) -> None:
        task_status.started()
        await wait_all_tasks_blocked()
        raise BaseExceptionGroup("both", [Crash("a"), KeyboardInterrupt()])

    with pytest.raises(BaseExceptionGroup) as caught:
        async with open_supervisor("root", [ChildSpec("a", interrupted)], tree=tree):
            await trio.Event().wait()
    assert caught.value.split(KeyboardInterrupt)[1] is None
    failure = tree.root.children["a"].last_failure
    assert failure is not None
    assert failure.type == "ExceptionGroup"


async def test_a_group_of_only_cancelled_is_no_failure(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    async def nested(child: Child, *, task_status: trio.TaskStatus[object]) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(trio.sleep_forever)
            task_status.started()

    tree = Tree()
    async with open_supervisor("root", [ChildSpec("a", nested, shutdown=0)], tree=tree):
        pass
    assert tree.root.children["a"].last_failure is None
    assert tree.root.children["a"].state == "stopped"


async def test_a_group_of_cancelled_and_a_failure_is_a_failure(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async def nested(child: Child, *, task_status: trio.TaskStatus[object]) -> None:
        task_status.started()
        try:
            await trio.Event().wait()
        except trio.Cancelled as cancelled:
            raise BaseExceptionGroup("", [cancelled, Crash("late")]) from None

    tree = Tree()
    async with open_supervisor("root", [ChildSpec("a", nested, shutdown=0)], tree=tree):
        pass
    failure = tree.root.children["a"].last_failure
    assert failure is not None
    assert "late" in failure.traceback
    assert tree.root.children["a"].state == "failed"


async def test_children_outlive_the_block_also_when_all_is_cancelled(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    with trio.move_on_after(1.0):
        async with open_supervisor("sup", [spec(log, "a")]):
            try:
                await trio.Event().wait()
            finally:
                with trio.CancelScope(shield=True):
                    await pass_time(2.0)
                    assert log.live == {"a"}
    assert log.times("cancelled", "a") == [3.0]
