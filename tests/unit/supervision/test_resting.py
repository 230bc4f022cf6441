"""Children without a task: there like any other, woken, stopped, failing."""

from __future__ import annotations

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from incident_manager.supervision import (
    Child,
    DuplicateChild,
    DynamicStatistics,
    DynamicSupervisor,
    SupervisorStopped,
    Tree,
    open_dynamic,
)
from unit.supervision.scripts import Crash


class Sleeper:
    """A child that rests; in its task it waits for ``go``, and then rests again, or not."""

    def __init__(self, dynamic: DynamicSupervisor, name: str = "one") -> None:
        self.dynamic = dynamic
        self.left = 0
        self.runs = 0
        self.again = True
        self.go = trio.Event()
        self.child = dynamic.rest_child(
            name, "worker", self.leave, stats=lambda: {"runs": self.runs}
        )

    def leave(self) -> None:
        self.left += 1

    def wake(self) -> None:
        self.dynamic.wake(self.child, self.run)

    async def run(
        self, child: Child, /, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        self.runs += 1
        await self.go.wait()
        if self.again:
            child.rest(self.leave)


async def test_it_is_there_like_any_other_child() -> None:
    tree = Tree()
    async with open_dynamic("many", tree=tree) as dynamic:
        sleeper = Sleeper(dynamic)
        node = tree.find("root.many.one")
        assert node is sleeper.child.node
        assert (node.state, node.kind) == ("running", "worker")
        assert tree.snapshot(node_id="root.many.one").root.stats == {"runs": 0}
        assert dynamic.statistics() == DynamicStatistics(alive=1, started=1, failed=0)
        with pytest.raises(DuplicateChild):
            Sleeper(dynamic)
    assert sleeper.left == 1
    assert tree.find("root.many.one") is None


async def test_it_gets_a_task_when_it_is_woken_and_rests_again() -> None:
    async with open_dynamic("many") as dynamic:
        sleeper = Sleeper(dynamic)
        for _ in range(2):
            sleeper.go = trio.Event()
            sleeper.wake()
            sleeper.wake()  # it is awake
            assert not sleeper.child.resting
            sleeper.go.set()
            await wait_all_tasks_blocked()
            assert sleeper.child.resting
        assert (sleeper.runs, sleeper.left, dynamic.statistics().alive) == (2, 0, 1)


async def test_one_that_does_not_rest_again_has_ended() -> None:
    async with open_dynamic("many") as dynamic:
        sleeper = Sleeper(dynamic)
        sleeper.again = False
        sleeper.go.set()
        sleeper.wake()
        await wait_all_tasks_blocked()
        assert (sleeper.runs, sleeper.left, dynamic.statistics().alive) == (1, 0, 0)


async def test_stopped_while_it_rests_it_leaves_at_once() -> None:
    tree = Tree()
    async with open_dynamic("many", tree=tree) as dynamic:
        sleeper = Sleeper(dynamic)
        dynamic.stop_child("one")
        assert (sleeper.left, dynamic.statistics().alive) == (1, 0)
        assert tree.find("root.many.one") is None
        sleeper.wake()
        with pytest.raises(KeyError):
            dynamic.stop_child("one")
    assert (sleeper.left, sleeper.runs) == (1, 0)


async def test_stopped_while_it_is_awake_it_does_not_rest_any_more() -> None:
    async with open_dynamic("many") as dynamic:
        cancelled, asked = Sleeper(dynamic, "cancelled"), Sleeper(dynamic, "asked")
        cancelled.wake()
        asked.wake()
        await wait_all_tasks_blocked()
        dynamic.stop_child("cancelled", shutdown=0)
        dynamic.stop_child("asked", shutdown=60)
        asked.go.set()
        await wait_all_tasks_blocked()
        assert dynamic.statistics().alive == 0
    assert (cancelled.left, asked.left) == (0, 1)


async def test_a_failure_is_recorded_and_ends_it() -> None:
    tree = Tree()

    async def fails(child: Child, **_: object) -> None:
        raise Crash("woken")

    async with open_dynamic("many", tree=tree) as dynamic:
        sleeper = Sleeper(dynamic)
        dynamic.wake(sleeper.child, fails)
        await wait_all_tasks_blocked()
        assert dynamic.statistics() == DynamicStatistics(alive=0, started=1, failed=1)
        node = tree.find("root.many")
        assert node is not None
        assert node.last_failure is not None
        assert node.last_failure.child == "root.many.one"


async def test_one_that_would_have_rested_and_failed_is_gone_for_good() -> None:
    async def fails(child: Child, **_: object) -> None:
        child.rest(lambda: None)
        raise Crash("woken")

    async with open_dynamic("many") as dynamic:
        sleeper = Sleeper(dynamic)
        dynamic.wake(sleeper.child, fails)
        await wait_all_tasks_blocked()
        sleeper.wake()
        sleeper.go.set()
        await wait_all_tasks_blocked()
        assert (sleeper.child.resting, sleeper.runs) == (False, 0)
        assert dynamic.statistics() == DynamicStatistics(alive=0, started=1, failed=1)


async def test_a_hook_that_fails_is_the_childs_failure_and_stops_nobody_else() -> None:
    tree = Tree()

    def fails() -> None:
        raise Crash("leaving")

    async with open_dynamic("many", tree=tree) as dynamic:
        broken = dynamic.rest_child("broken", "worker", fails).node
        other = Sleeper(dynamic)
    assert broken.last_failure is not None
    assert broken.last_failure.type == "Crash"
    assert other.left == 1


async def test_cancelled_with_its_supervisor_it_leaves() -> None:
    with trio.CancelScope() as scope:
        async with open_dynamic("many") as dynamic:
            sleeper = Sleeper(dynamic)
            scope.cancel()
            await trio.lowlevel.checkpoint()
    assert (scope.cancelled_caught, sleeper.left) == (True, 1)
    with pytest.raises(SupervisorStopped):
        Sleeper(dynamic)


# --- a nursery that is lent ---


async def test_its_tasks_run_in_a_nursery_that_was_lent(nursery: trio.Nursery) -> None:
    tree = Tree()
    async with DynamicSupervisor("many", shutdown=0, tree=tree, nursery=nursery) as dynamic:
        sleeper = Sleeper(dynamic)
        sleeper.wake()
        await wait_all_tasks_blocked()
        assert len(nursery.child_tasks) == 1
    assert dynamic.statistics().alive == 0
    assert tree.find("root.many") is None


async def test_what_the_block_raises_comes_out_of_a_lent_nursery_as_it_is(
    nursery: trio.Nursery,
) -> None:
    with pytest.raises(Crash):
        async with DynamicSupervisor("many", nursery=nursery):
            raise Crash("block")


async def test_cancelled_while_it_stops_nothing_is_lost(nursery: trio.Nursery) -> None:
    async def stays(child: Child, **_: object) -> None:
        await trio.sleep_forever()

    with trio.CancelScope() as scope:
        async with DynamicSupervisor("many", nursery=nursery, shutdown=60) as dynamic:
            dynamic.start_child("one", "worker", stays)
            await wait_all_tasks_blocked()
            nursery.start_soon(_cancel, scope)
    assert scope.cancelled_caught
    assert dynamic.statistics().alive == 0


async def _cancel(scope: trio.CancelScope) -> None:
    await wait_all_tasks_blocked()
    scope.cancel()
