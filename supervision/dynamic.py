"""A supervisor of any number of temporary children, started and gone at any time."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from types import TracebackType

import trio

from .adoption import Adoption
from .brood import Brood, DynamicStatistics
from .child import Body, Child
from .child_spec import check_name
from .errors import SupervisorStopped, left
from .node import Node, NodeState, Stats
from .tree import Tree

__all__ = ["DynamicSupervisor"]


class DynamicSupervisor:
    """Tens of thousands of temporary children, none of them ever restarted.

    A child runs in a task of its own (``start_child``) or in the task that already runs it
    (``adopt``). Its failure is recorded on this supervisor's node with its id, is reported to the
    tree's hook, and touches nobody else. Its node goes when it ends.

    Stopping asks all children at once, cancels after ``shutdown`` seconds those that are left, and
    waits for them to leave. No order holds between them.

    It is used as an asynchronous context manager (see :func:`open_dynamic`), or its ``run`` is the
    body of a static child. Children live inside either only. ``brood`` has them (for adoptions).

    Args:
        id: its name under ``parent``: not empty, no dot. None: it sits on ``parent`` itself, whose
            children its children then are (a connection over its subscriptions).
        kind: what the tree shows it as.
        parent: the node over it; None: the tree's root.
        tree: where it shows, if ``parent`` does not say; a new one by default.
        shutdown: seconds between asking the children to stop and cancelling them.
        nursery: where its tasks run; one of its own by default. It must outlast the supervisor.

    Raises:
        ValueError: the id is wrong, or None without a parent.
    """

    __slots__ = (
        "_given",
        "_lent",
        "_manager",
        "_nursery",
        "_open",
        "_own",
        "_parent",
        "_tree",
        "brood",
        "id",
        "kind",
        "shutdown",
    )

    def __init__(
        self,
        id: str | None,  # noqa: A002
        *,
        kind: str = "supervisor",
        parent: Node | None = None,
        tree: Tree | None = None,
        shutdown: float = 5.0,
        nursery: trio.Nursery | None = None,
    ) -> None:
        if id is not None:
            check_name(id)
        elif parent is None:
            raise ValueError("a dynamic supervisor without an id must have a parent to sit on")
        if not shutdown >= 0:
            raise ValueError(f"shutdown must not be negative: {shutdown!r}")
        self.id = id
        self.kind = kind
        self.shutdown = shutdown
        self._parent = parent
        self._tree = tree
        self._lent = nursery
        self._nursery: trio.Nursery | None = None
        self._manager: AbstractAsyncContextManager[trio.Nursery] | None = None
        self.brood = Brood()
        self._given: Node | None = None  # by the static supervisor that runs it
        self._open = False
        self._own = False

    @property
    def node(self) -> Node | None:
        """Its node while it runs, else None."""
        return self.brood.node

    def statistics(self) -> DynamicStatistics:
        """Return its counts."""
        return self.brood.statistics()

    # --- its own life ---

    async def run(
        self,
        child: Child,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Take children until ``child`` is asked to stop, then stop them (a :class:`Body`).

        It sits on the node of ``child``. It can run again after it ended.

        Raises:
            RuntimeError: it runs already.
        """
        asked = trio.Event()
        self._refuse_second()
        self._given = child.node
        async with self:
            child.on_stop(asked.set)
            task_status.started(self)
            await asked.wait()

    async def __aenter__(self) -> DynamicSupervisor:
        """Begin to take children.

        Raises:
            DuplicateChild: another child of its name is alive.
            RuntimeError: it runs already.
        """
        self._refuse_second()
        node = self._place()
        self._nursery = self._lent
        if self._nursery is None:
            self._manager = trio.open_nursery()
            self._nursery = await self._manager.__aenter__()
        self.brood.begin(node)
        self._open = True
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Stop the children and wait for them.

        They are asked first, unless the block was cancelled (or left by another exception that is
        no ``Exception``): then they are cancelled at once.
        """
        raised = error
        try:
            await self._stop(at_once=error is not None and not isinstance(error, Exception))
        except BaseException as stop:  # noqa: BLE001 - handed to the nursery, which raises it
            # Cancelled while it stopped: neither that nor what the block raised may be lost.
            raised = stop if error is None else BaseExceptionGroup("failed", [error, stop])
        if self._manager is None:  # the nursery was lent
            self._close()
            if raised is not None and raised is not error:
                raise raised
            return False
        try:
            out = await left(self._manager, raised, trace)
        finally:
            self._close()
        if out is not None and out is not error:
            raise out
        return out is None

    def _refuse_second(self) -> None:
        if self.node is not None:
            raise RuntimeError(f"dynamic supervisor {self.node.id!r} is already running")

    def _place(self) -> Node:
        """Return the node to sit on; one of our own is shown as running from now on."""
        self._own = False
        if self._given is not None:
            self._given.stats = self.brood.figures
            return self._given
        if self.id is None:
            assert self._parent is not None  # noqa: S101 - checked by __init__
            return self._parent
        self._own = True
        tree = self._tree if self._parent is None else self._parent.tree
        node = (Tree() if tree is None else tree).place(self.id, self.kind, self._parent)
        node.begin(NodeState.RUNNING)
        node.stats = self.brood.figures
        return node

    def _close(self) -> None:
        node, self.brood.node = self.brood.node, None
        self._nursery = self._manager = self._given = None
        if self._own and node is not None:
            node.mark(NodeState.STOPPED)
            node.tree.detach(node)

    async def _stop(self, *, at_once: bool) -> None:
        self._open = False
        if self._own and self.node is not None:
            self.node.mark(NodeState.STOPPING)
        await self.brood.stop(0.0 if at_once else self.shutdown)

    # --- children ---

    def start_child(
        self,
        id: str,  # noqa: A002
        kind: str,
        body: Body,
        *,
        stats: Stats | None = None,
    ) -> Node:
        """Start ``body`` in a task of its own and return its node; does not block.

        It is running from the start: nobody waits for its readiness.

        Raises:
            SupervisorStopped: the supervisor does not run, or is stopping.
            DuplicateChild: one of this id is alive.
            ValueError: the id is empty or has a dot.
        """
        child = self.admit(id, kind, stats, None)
        assert self._nursery is not None  # noqa: S101 - admit() refuses otherwise
        self._nursery.start_soon(self.brood.run, child, body, name=child.node.id)
        return child.node

    def rest_child(
        self,
        id: str,  # noqa: A002
        kind: str,
        leave: Callable[[], None],
        *,
        stats: Stats | None = None,
    ) -> Child:
        """Take in a child that has nothing to do for now: it has its node, and no task.

        It is there, and running, as any other one; :meth:`wake` gives it a task. When it is
        stopped before that it leaves at once, and ``leave()`` is called (see :meth:`Child.rest`).
        Raises as :meth:`start_child`.
        """
        child = self.admit(id, kind, stats, None)
        child.rest(leave)
        return child

    def wake(self, child: Child, body: Body) -> None:
        """Have a child that rests run ``body`` in a task; does not block.

        When the body returns the child ends, or rests again (:meth:`Child.rest`). A child that
        does not rest, or not any more, is left as it is.
        """
        if child.resting and self._nursery is not None:
            child.awake()
            self._nursery.start_soon(self.brood.run, child, body, name=child.node.id)

    def adopt(
        self,
        id: str,  # noqa: A002
        kind: str,
        *,
        stats: Stats | None = None,
        on_stop: Callable[[], None] | None = None,
    ) -> Adoption:
        """Return a context manager whose block is a child: it costs no extra task.

        ``async with connections.adopt("c1", "connection") as child: ...``. When the supervisor
        stops, the block is asked (``child.stopping``, ``on_stop()``), then its scope is cancelled,
        and the supervisor waits for it to leave. A cancelled block is left silently, as with
        ``trio.move_on_after``; ``child.scope.cancelled_caught`` tells. What the block raises is
        recorded as the child's failure and raised.

        Entering raises:
            SupervisorStopped: the supervisor does not run, or is stopping.
            DuplicateChild: one of this id is alive.
            ValueError: the id is empty or has a dot.
        """
        return Adoption(self, id, kind, stats, on_stop)

    def stop_child(self, child_id: str, *, shutdown: float | None = None) -> None:
        """Ask one child to stop and have it cancelled after ``shutdown`` seconds; does not block.

        ``shutdown``: None is the supervisor's; 0 cancels at once.

        Raises:
            KeyError: there is no such child (any more).
        """
        self.brood.dismiss(child_id, self.shutdown if shutdown is None else shutdown)

    def admit(
        self,
        name: str,
        kind: str,
        stats: Stats | None,
        on_stop: Callable[[], None] | None,
    ) -> Child:
        """Take a child in; raises as ``start_child`` does (for adoptions and itself)."""
        if not self._open:
            raise SupervisorStopped(f"dynamic supervisor {self.id!r} takes no child")
        return self.brood.admit(name, kind, stats, on_stop)
