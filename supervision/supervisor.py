"""A supervisor of a fixed list of children (OTP's ``supervisor`` on Trio)."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence

import trio

from .child import Child
from .child_spec import ChildSpec, Restart, Strategy, check_name
from .errors import ChildEnded, StartFailed, SupervisorGaveUp, SupervisorStopped, only
from .intensity import Intensity, Window
from .node import Node, NodeState
from .plan import LIVE, Phase, affected, may_start, may_stop
from .slot import Readiness, Request, Slot, next_alarm, run_slot
from .tree import Tree

__all__ = ["Supervisor"]


class Supervisor:
    """Starts its children in order, each when the one before is ready; stops them in reverse.

    * A child that ends by itself is treated as its :class:`Restart` says, together with the
      siblings that the :class:`Strategy` names: these are stopped in reverse, then all are started
      in order, after the failed one's backoff. Temporary siblings stopped so are not started again.
    * A child that returns before it said it was ready is one that has done its work, except a
      permanent one: that is a failure to start.
    * A failure in the very first start makes the start of the supervisor fail
      (:class:`StartFailed`). A failure in a later start counts like any other.
    * More than ``intensity.restarts`` restarts within ``intensity.period``: it stops all children
      and raises :class:`SupervisorGaveUp` to its parent, whose own restart rule then applies.
    * A child that fails while it is being stopped is recorded, and counts for nothing.
    * When ``run`` is cancelled, children are cancelled at once, the last started first, each after
      the next has left. No child outlives ``run``; ``Cancelled`` always travels on.
    * ``KeyboardInterrupt``, ``SystemExit`` and the like from a child stop everything and travel on.

    Args:
        id: its name: not empty, no dot; ``root`` if it is to be the tree's root.
        specs: its children in start order.
        strategy: whom a restart takes along.
        intensity: how many restarts it bears.
        tree: where it shows; a new one if not given. Not used where a parent runs it.

    Raises:
        ValueError: a name is wrong or given twice.
    """

    def __init__(
        self,
        id: str,  # noqa: A002
        specs: Sequence[ChildSpec],
        *,
        strategy: Strategy = Strategy.ONE_FOR_ONE,
        intensity: Intensity = Intensity(),  # noqa: B008 - a frozen value
        tree: Tree | None = None,
    ) -> None:
        self.id = check_name(id)
        self.specs = tuple(specs)
        self.strategy = strategy
        self.intensity = intensity
        self.tree = Tree() if tree is None else tree
        self._ids = [spec.id for spec in self.specs]
        if len(set(self._ids)) < len(self._ids):
            raise ValueError(f"supervisor {id!r}: the ids of its children must differ")
        self._nursery: trio.Nursery | None = None
        self._reset()

    def _reset(self) -> None:
        self._node: Node | None = None
        self._slots: dict[str, Slot] = {}
        self._window = Window(self.intensity)
        self._left: deque[tuple[Slot, Exception | None]] = deque()  # one per live child at most
        self._wake = trio.Event()
        self._ready = False
        self._stopping = False
        self._at_once = False
        self._error: SupervisorGaveUp | StartFailed | None = None

    @property
    def node(self) -> Node | None:
        """Its node while it runs, else None."""
        return self._node

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its children, in start order."""
        return tuple(self._ids)

    # --- from outside ---

    async def run(
        self,
        child: Child | None = None,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Start the children, keep them running, and stop them when asked to.

        A :class:`Body`: ``ChildSpec("inner", inner.run, kind="supervisor", shutdown=math.inf)``.
        It is ready when all children are, and returns when ``child`` is asked to stop and they
        have left (without ``child``: when ``begin_stop`` was called).

        Raises:
            StartFailed: a child failed in the first start.
            SupervisorGaveUp: its children failed too often.
            DuplicateChild: another child of its name is alive.
            RuntimeError: it runs already.
        """
        if self._nursery is not None:
            raise RuntimeError(f"supervisor {self.id!r} is already running")
        self._reset()
        if child is None:
            node = self.tree.place(self.id, "supervisor", None)
            node.begin(NodeState.STARTING)
        else:
            node = child.node
        self._node = node
        node.strategy = self.strategy.value
        node.budget = self._budget
        wrapped: BaseException | None = None
        try:
            for spec in self.specs:
                slot = Slot(spec, node.tree.attach(node, spec.id, spec.kind))
                slot.wait(-math.inf)
                self._slots[spec.id] = slot
            if child is not None:
                child.on_stop(self.begin_stop)
            async with trio.open_nursery() as self._nursery:
                await self._keep(self._nursery, task_status)
        except BaseExceptionGroup as group:
            wrapped = only(group)
        finally:
            self._nursery = None
            node.budget = None
            if child is None:
                if self._error is not None:
                    node.fail(self._error)
                node.mark(NodeState.STOPPED if self._error is None else NodeState.FAILED)
        if wrapped is not None:
            raise wrapped
        if self._error is not None:
            raise self._error

    async def restart_child(self, child_id: str) -> None:
        """Stop one child, start it again and wait until it is ready (asked for by an operator).

        It alone, whatever the strategy; a backoff is cut short; it counts for no intensity. A
        child that had ended for good is started too.

        Raises:
            KeyError: there is no such child.
            StartFailed: it failed before it was ready; that failure counts as usual.
            SupervisorStopped: the supervisor does not run, or stops meanwhile.
        """
        if child_id not in self._ids:
            raise KeyError(child_id)
        if self._nursery is None or self._stopping:
            raise SupervisorStopped(f"supervisor {self.id!r} is not running")
        slot = self._slots[child_id]
        if slot.request is None:
            slot.request = Request()
        request = slot.request
        if slot.phase in LIVE:
            slot.doom(again=True)
        else:
            slot.wait(-math.inf)
        self._wake.set()
        await request.done.wait()
        if request.error is not None:
            raise request.error

    def begin_stop(self, *, at_once: bool = False) -> None:
        """Begin to stop all children, in reverse; ``run`` returns when they have left.

        ``at_once`` cancels each when its turn comes instead of asking it. Does not block.
        """
        if not self._stopping:
            self._stopping = True
            if self._node is not None:
                self._node.mark(NodeState.STOPPING)
        self._at_once = self._at_once or at_once
        for slot in self._slots.values():
            slot.settle(SupervisorStopped(f"supervisor {self.id!r} stopped"))
            if slot.phase in LIVE:
                slot.doom(again=False)
            elif slot.phase is Phase.WAITING:
                slot.end()
            if self._at_once and slot.phase is Phase.STOPPING and slot.child is not None:
                slot.cancel(slot.child)
        self._wake.set()

    # --- from the children's tasks ---

    def left(self, slot: Slot, failure: Exception | None) -> None:
        """Note that a child's task is over (for the task that ran it)."""
        self._left.append((slot, failure))
        self._wake.set()

    def _is_ready(self, slot: Slot) -> None:
        slot.ready_at = trio.current_time()
        slot.first = False
        if slot.phase is Phase.STARTING:
            slot.phase = Phase.RUNNING
            slot.node.mark(NodeState.RUNNING)
            slot.settle(None)
        self._wake.set()

    # --- the loop ---

    async def _keep(self, nursery: trio.Nursery, task_status: trio.TaskStatus[object]) -> None:
        try:
            await self._loop(nursery, task_status)
        except BaseException:
            # Cancelled from outside, or by a child that raised what no supervisor may handle.
            # Children are shielded, so this is what ends them, and it leaves none behind.
            with trio.CancelScope(shield=True):
                self.begin_stop(at_once=True)
                await self._loop(nursery, trio.TASK_STATUS_IGNORED)
            raise

    async def _loop(self, nursery: trio.Nursery, task_status: trio.TaskStatus[object]) -> None:
        while True:
            while self._left:
                self._ended(*self._left.popleft())
            live = any(slot.phase in LIVE for slot in self._slots.values())
            if self._stopping and not live:
                return
            now = trio.current_time()
            self._advance(nursery, now)
            if not self._ready and not self._stopping and not self._starting():
                self._ready = True
                if self._node is not None and self._node.state is NodeState.STARTING:
                    self._node.mark(NodeState.RUNNING)
                task_status.started(self)
            with trio.move_on_at(next_alarm(self._slots.values(), now)):
                await self._wake.wait()
            self._wake = trio.Event()

    def _starting(self) -> bool:
        return any(slot.first and slot.phase is not Phase.ENDED for slot in self._slots.values())

    def _advance(self, nursery: trio.Nursery, now: float) -> None:
        """Do all that the plan allows now."""
        slots = list(self._slots.values())
        ordered = self.strategy is not Strategy.ONE_FOR_ONE
        phases = [slot.phase for slot in slots]
        for index in may_stop(phases, ordered=ordered or self._stopping):
            slot = slots[index]
            if slot.child is not None:
                slot.ask(slot.child, at_once=self._at_once)
        phases = [slot.phase for slot in slots]
        for index in may_start(phases, [slot.first for slot in slots], ordered=ordered):
            if slots[index].not_before <= now:
                self._launch(nursery, slots[index])
        for slot in slots:
            if slot.phase is Phase.STOPPING and slot.leave_by <= now and not slot.node.overrun:
                slot.node.mark_overrun()

    def _launch(self, nursery: trio.Nursery, slot: Slot) -> None:
        child = Child(slot.node, shield=True)
        slot.child = child
        slot.phase = Phase.STARTING
        slot.ready_at = None
        slot.node.stats = None
        if slot.launched:
            slot.node.restarted()
        slot.launched = True
        slot.node.begin(NodeState.STARTING)
        ready = Readiness(slot, self._is_ready)
        nursery.start_soon(run_slot, self, slot, child, ready, name=slot.node.id)

    # --- decisions ---

    def _ended(self, slot: Slot, failure: Exception | None) -> None:
        phase, ready = slot.phase, slot.ready_at is not None
        slot.child = None
        if failure is not None:
            slot.node.fail(failure)
        if phase in (Phase.DOOMED, Phase.STOPPING):
            # It was on its way out: whatever it died of counts for nothing.
            if slot.again:
                slot.wait(slot.not_before)
            else:
                slot.end(failed=failure is not None)
            return
        if failure is None and slot.spec.restart is Restart.PERMANENT:
            failure = ChildEnded(f"permanent child {slot.spec.id!r} ended")
            slot.node.fail(failure)
        if failure is not None and not ready:
            refused = StartFailed(self._node_id, slot.spec.id)
            refused.__cause__ = failure
            slot.settle(refused)
            if slot.first:
                slot.end(failed=True)
                self._fail(refused)
                return
        slot.first = False
        if slot.spec.restart.again(failed=failure is not None) and failure is not None:
            self._restart(slot, failure)
        else:
            slot.end(failed=failure is not None)
            slot.settle(None)

    def _restart(self, failed: Slot, failure: Exception) -> None:
        now = trio.current_time()
        self._window = self._window.record(now)
        if self._window.exceeded:
            failed.end(failed=True)
            restarts, period = self.intensity.restarts, self.intensity.period
            gave_up = SupervisorGaveUp(self._node_id, failed.spec.id, restarts, period)
            gave_up.__cause__ = failure
            self._fail(gave_up)
            return
        if failed.ready_at is not None and now - failed.ready_at >= self.intensity.period:
            failed.failures = 0
        failed.failures += 1
        not_before = now + failed.spec.backoff.delay(failed.failures)
        for child_id in affected(self.strategy, self._ids, failed.spec.id):
            slot = self._slots[child_id]
            if slot is failed:
                slot.wait(not_before)
            elif slot.phase in LIVE:
                slot.not_before = not_before
                asked = slot.request is not None
                slot.doom(again=asked or slot.spec.restart is not Restart.TEMPORARY)
            elif slot.phase is Phase.WAITING or slot.spec.restart is not Restart.TEMPORARY:
                slot.wait(max(slot.not_before, not_before))

    def _fail(self, error: SupervisorGaveUp | StartFailed) -> None:
        self._error = error
        self.begin_stop()

    @property
    def _node_id(self) -> str:
        return self.id if self._node is None else self._node.id

    def _budget(self) -> int:
        return self._window.left(trio.current_time())
