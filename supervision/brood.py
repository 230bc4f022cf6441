"""The living children of a dynamic supervisor, and how they are stopped together."""

from __future__ import annotations

import trio

from .child import CANCEL_GRACE, Child
from .node import NodeState

__all__ = ["Brood"]


class Brood:
    """Children by name. Empty it holds no dict: a quiet connection has no subscription."""

    __slots__ = ("_children", "_emptied")

    def __init__(self) -> None:
        self._children: dict[str, Child] | None = None
        self._emptied: trio.Event | None = None

    def __len__(self) -> int:
        return 0 if self._children is None else len(self._children)

    def __getitem__(self, name: str) -> Child:
        if self._children is None:
            raise KeyError(name)
        return self._children[name]

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

    def resting(self) -> tuple[Child, ...]:
        """Those without a task."""
        return tuple(child for child in self._alive() if child.resting)

    async def stop(self, shutdown: float) -> None:
        """Ask all, cancel after ``shutdown`` seconds who is left, wait until all have left.

        0 cancels all at once. When it is cancelled itself, it cancels all, waits, and raises.
        """
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
