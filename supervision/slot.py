"""One static child as its supervisor keeps it, and the task that runs it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

import trio
from attrs import Factory, define

from .child import CANCEL_GRACE, Child, split
from .child_spec import ChildSpec
from .errors import SupervisionError
from .node import Node, NodeState
from .plan import Phase

if TYPE_CHECKING:
    from .supervisor import Supervisor

__all__ = ["Readiness", "Request", "Slot", "next_alarm", "run_slot"]


@define(eq=False)
class Request:
    """An operator's wish to see a child restarted, and how it went."""

    done: trio.Event = Factory(trio.Event)
    error: SupervisionError | None = None


@define(eq=False)
class Slot:
    """A child's spec, node and place in the plan.

    Attributes:
        again: start it again once it has stopped.
        first: it was never ready yet.
        not_before: trio clock; the end of its backoff.
        leave_by: trio clock; one that was cancelled and is still there by then has overrun.
        failures: in a row.
        ready_at: trio clock, when this run became ready.
    """

    spec: ChildSpec
    node: Node
    phase: Phase = Phase.WAITING
    again: bool = False
    first: bool = True
    child: Child | None = None
    launched: bool = False
    not_before: float = 0.0
    leave_by: float = 0.0
    failures: int = 0
    ready_at: float | None = None
    request: Request | None = None

    def settle(self, error: SupervisionError | None) -> None:
        """Answer the operator, if one waits."""
        if self.request is not None:
            self.request.error = error
            self.request.done.set()
            self.request = None

    def doom(self, *, again: bool) -> None:
        """Have it stopped when its turn comes (it must be live)."""
        self.again = again
        if self.phase in (Phase.STARTING, Phase.RUNNING):
            self.phase = Phase.DOOMED

    def wait(self, not_before: float) -> None:
        """Have it started when its turn comes, not before ``not_before`` (it must not be live)."""
        self.phase = Phase.WAITING
        self.not_before = not_before
        self.node.mark(NodeState.STARTING if not self.launched else NodeState.RESTARTING)

    def end(self, *, failed: bool = False) -> None:
        """Leave it at that (it must not be live)."""
        self.phase = Phase.ENDED
        self.node.mark(NodeState.FAILED if failed else NodeState.STOPPED)

    def ask(self, child: Child, *, at_once: bool) -> None:
        """Ask ``child`` to stop and give it its shutdown timeout, or cancel it at once."""
        self.phase = Phase.STOPPING
        self.node.mark(NodeState.STOPPING)
        grace = 0.0 if at_once else self.spec.shutdown
        now = trio.current_time()
        self.leave_by = now + grace + CANCEL_GRACE
        if grace > 0:
            child.scope.deadline = now + grace
        else:
            child.scope.cancel()
        child.ask()

    def cancel(self, child: Child) -> None:
        """Cancel a stopping ``child`` before its timeout is over."""
        child.scope.cancel()
        self.leave_by = min(self.leave_by, trio.current_time() + CANCEL_GRACE)


def next_alarm(slots: Iterable[Slot], now: float) -> float:
    """Return when a supervisor must look again although nothing happened (trio clock)."""
    alarm = math.inf
    for slot in slots:
        # one that is due and still waits, waits for its turn, which will wake the supervisor
        if slot.phase is Phase.WAITING and slot.not_before > now:
            alarm = min(alarm, slot.not_before)
        elif slot.phase is Phase.STOPPING and not slot.node.overrun:
            alarm = min(alarm, slot.leave_by)
    return alarm


class Readiness(trio.TaskStatus[object]):
    """The ``task_status`` a static child gets."""

    __slots__ = ("_called", "_ready", "_slot")

    def __init__(self, slot: Slot, ready: Callable[[Slot], None]) -> None:
        self._slot = slot
        self._ready = ready
        self._called = False

    def started(self, value: object = None) -> None:
        """Say that the child is ready.

        Raises:
            RuntimeError: said already in this run.
        """
        del value  # nobody to hand it to: children meet through what their bodies hold
        if self._called:
            raise RuntimeError("child called 'started' on the same task status twice")
        self._called = True
        self._ready(self._slot)


async def run_slot(supervisor: Supervisor, slot: Slot, child: Child, ready: Readiness) -> None:
    """Run one child to its end and report how it ended.

    Its scope is shielded: even when all is cancelled the supervisor ends its children one by one,
    the last started first. What is not an ``Exception`` stops the supervisor and travels on.
    """
    failure: Exception | None = None
    try:
        with child.scope:
            await slot.spec.start(child, task_status=ready)
    except BaseException as error:
        failure, rest = split(error)
        if rest is not None:
            supervisor.begin_stop(at_once=True)
        if rest is error:
            raise
        if rest is not None:
            raise rest from None
    finally:
        supervisor.left(slot, failure)
        del failure  # else it and this frame would keep each other
