"""A static child's readiness and its alarms."""

from __future__ import annotations

import math

import trio
import trio.testing

from incident_manager.supervision import Child, ChildSpec, Supervisor, Tree, open_supervisor
from incident_manager.supervision.plan import Phase
from incident_manager.supervision.slot import Slot, next_alarm
from unit.supervision.scripts import Log, spec


async def test_saying_ready_twice_is_the_child_s_fault(log: Log) -> None:
    raised: list[str] = []

    async def twice(child: Child, *, task_status: trio.TaskStatus[object]) -> None:
        task_status.started("value that nobody takes")
        try:
            task_status.started()
        except RuntimeError as error:
            raised.append(str(error))
        await child.stopping.wait()

    async with open_supervisor("sup", [ChildSpec("a", twice)]):
        assert len(raised) == 1


async def test_a_child_that_is_ready_only_after_it_was_asked_to_stop_is_not_running(
    log: Log,
) -> None:
    tree = Tree()
    states: list[str] = []

    async def late(child: Child, *, task_status: trio.TaskStatus[object]) -> None:
        if log.names("first"):
            task_status.started()
            await child.stopping.wait()
            return
        log.add("first", "late")
        await child.stopping.wait()
        task_status.started()
        states.append(child.node.state)

    supervisor = Supervisor("root", [ChildSpec("late", late)], tree=tree)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(supervisor.run)
        await trio.testing.wait_all_tasks_blocked()
        await supervisor.restart_child("late")
        assert states == ["stopping"]
        assert tree.root.children["late"].state == "running"
        supervisor.begin_stop()


def slot(log: Log, phase: Phase, *, not_before: float = 0.0, leave_by: float = 0.0) -> Slot:
    tree = Tree()
    made = Slot(spec(log, "a"), tree.attach(tree.root, "a", "worker"))
    made.phase, made.not_before, made.leave_by = phase, not_before, leave_by
    return made


def test_alarms_are_for_backoffs_and_for_those_who_may_overrun(log: Log) -> None:
    assert next_alarm([], 0.0) == math.inf
    assert next_alarm([slot(log, Phase.WAITING, not_before=3.0)], 2.0) == 3.0
    assert next_alarm([slot(log, Phase.WAITING, not_before=3.0)], 3.0) == math.inf
    assert next_alarm([slot(log, Phase.RUNNING, leave_by=3.0)], 2.0) == math.inf
    leaving = slot(log, Phase.STOPPING, leave_by=3.0)
    assert next_alarm([leaving, slot(log, Phase.WAITING, not_before=4.0)], 2.0) == 3.0
    leaving.node.mark_overrun()
    assert next_alarm([leaving], 2.0) == math.inf
