"""The living children of a dynamic supervisor: how they begin and end, alone and together."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import trio
from attrs import frozen

from .child import CANCEL_GRACE, Body, Child, split
from .node import Node, NodeState, Stats

__all__ = ["Brood", "DynamicStatistics"]


@frozen
class DynamicStatistics:
    """Counts since the supervisor started: ``alive`` now; ``started`` and ``failed`` in all."""

    alive: int
    started: int
    failed: int


class Brood:
    """Children by name. Empty it holds no dict: a quiet connection has no subscription.

    ``node`` is the one they are under: None where the supervisor does not run.
    """

    __slots__ = ("_children", "_emptied", "_failed", "_started", "node")

    def __init__(self) -> None:
        self._children: dict[str, Child] | None = None
        self._emptied: trio.Event | None = None
        self._started = 0
        self._failed = 0
        self.node: Node | None = None

    def begin(self, node: Node) -> None:
        """Take children from now on, and count them anew."""
        self.node = node
        self._started = self._failed = 0

    def statistics(self) -> DynamicStatistics:
        """Return the counts."""
        return DynamicStatistics(len(self), self._started, self._failed)

    def figures(self) -> Mapping[str, object]:
        """Return the counts as the tree shows them."""
        return {"alive": len(self), "started": self._started, "failed": self._failed}

    def __len__(self) -> int:
        return 0 if self._children is None else len(self._children)

    def __getitem__(self, name: str) -> Child:
        if self._children is None:
            raise KeyError(name)
        return self._children[name]

    def admit(
        self, name: str, kind: str, stats: Stats | None, on_stop: Callable[[], None] | None
    ) -> Child:
        """Make a child and take it in; it is running from the start.

        Raises:
            DuplicateChild: one of this name is alive.
            ValueError: the name is empty or has a dot.
        """
        assert self.node is not None  # noqa: S101 - the supervisor refuses otherwise
        node = self.node.tree.attach(self.node, name, kind)
        node.stats = stats
        node.begin(NodeState.RUNNING)
        child = Child(node, on_stop=on_stop)
        self.add(child)
        self._started += 1
        return child

    async def run(self, child: Child, body: Body) -> None:
        """Run ``body`` in the calling task, record how it ends, and let the child go, or rest."""
        rests = False
        try:
            with child.scope as scope:
                await body(child)
                if child.asked or scope.cancel_called:
                    child.rise()
                rests = child.resting
        except BaseException as error:
            failure, rest = split(error)
            self.record(child, failure)
            if rest is error:
                raise
            if rest is not None:
                raise rest from None
        finally:
            if not rests:
                self.leave(child)

    def record(self, child: Child, failure: Exception | None) -> None:
        """Record how a child ended."""
        if failure is not None and self.node is not None:
            self._failed += 1
            self.node.fail(failure, child=child.node)

    def leave(self, child: Child) -> None:
        """Let a child go that has ended, and its node with it."""
        child.resting = False  # it may have asked for that, and failed then
        self.remove(child)
        child.node.state = NodeState.STOPPED
        child.node.tree.detach(child.node)

    def dismiss(self, name: str, shutdown: float) -> None:
        """Ask one child, and have it cancelled after ``shutdown`` seconds; 0 cancels at once.

        One that rests leaves at once. Raises KeyError where there is no such child.
        """
        child = self[name]
        if child.resting:
            self._send_away(child)
            return
        child.node.mark(NodeState.STOPPING)
        if shutdown > 0:
            child.scope.deadline = min(child.scope.deadline, trio.current_time() + shutdown)
        else:
            child.scope.cancel()
        child.ask()

    def _send_away(self, child: Child) -> None:
        """Stop a child that rests."""
        child.node.mark(NodeState.STOPPING)
        child.resting = False
        child.ask()
        self.leave(child)

    def add(self, child: Child) -> None:
        """Take a child in (its node's name must be free)."""
        if self._children is None:
            self._children = {}
        self._children[child.node.name] = child

    def remove(self, child: Child) -> None:
        """Let a child go that has left."""
        if self._children is None:
            raise KeyError(child.node.name)
        del self._children[child.node.name]
        if not self._children:
            self._children = None
            if self._emptied is not None:
                self._emptied.set()

    async def stop(self, shutdown: float) -> None:
        """Ask all, cancel after ``shutdown`` seconds who is left, wait until all have left.

        Who rests leaves before that. 0 cancels all at once. When it is cancelled itself, it cancels
        all, waits, and raises.
        """
        for child in self._alive():
            if child.resting:
                self._send_away(child)
        if not self._children:
            return
        try:
            if shutdown > 0:
                self._ask()
                with trio.move_on_after(shutdown):
                    await self._empty()
        finally:
            for child in self._alive():
                child.scope.cancel()
            self._ask()  # after the scope: one that waits to be asked is cancelled as well
            with trio.CancelScope(shield=True):
                with trio.move_on_after(CANCEL_GRACE):
                    await self._empty()
                for child in self._alive():
                    child.node.mark_overrun()
                await self._empty()

    def _alive(self) -> tuple[Child, ...]:
        return () if self._children is None else tuple(self._children.values())

    def _ask(self) -> None:
        for child in self._alive():
            if not child.asked:
                child.node.mark(NodeState.STOPPING)
                child.ask()

    async def _empty(self) -> None:
        while self._children:
            self._emptied = trio.Event()
            await self._emptied.wait()
