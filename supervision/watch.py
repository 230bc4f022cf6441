"""Following the changes of a tree without ever queueing more than the latest state per node."""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from types import TracebackType

import trio
from attrs import frozen

from .node import Node
from .snapshot import NodeSnapshot, take

__all__ = ["Change", "ChangeKind", "Watch"]


class ChangeKind(StrEnum):
    """What happened to a node; ``resync``: too much happened, take a new snapshot."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"
    RESYNC = "resync"


@frozen
class Change:
    """One change.

    Attributes:
        id: of the node; the root's for a resync.
        node: its state now, without children (``child_count`` and ``counts`` tell of them); None
            for removed and resync.
    """

    kind: ChangeKind
    id: str
    node: NodeSnapshot | None


class Watch:
    """Asynchronous iterator of :class:`Change`, from the moment its block is entered.

    Conflated: a node that changes again before it was read is told once, in its latest state; one
    that came and went unread is not told. At most ``limit`` nodes wait; if more change, all are
    dropped and one ``resync`` is told instead. It never ends by itself: leave the block.
    """

    __slots__ = ("_enter", "_event", "_leave", "_limit", "_lost", "_pending", "_root")

    def __init__(
        self,
        root: str,
        limit: int,
        enter: Callable[[Watch], None],
        leave: Callable[[Watch], None],
    ) -> None:
        self._root = root
        self._limit = limit
        self._enter = enter
        self._leave = leave
        self._pending: dict[str, tuple[ChangeKind, Node]] = {}
        self._lost = False
        self._event = trio.Event()

    async def __aenter__(self) -> Watch:
        """Begin to collect changes."""
        self._enter(self)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop collecting."""
        self._leave(self)

    def __aiter__(self) -> Watch:
        """Return itself."""
        return self

    async def __anext__(self) -> Change:
        """Wait for the next change."""
        await trio.lowlevel.checkpoint_if_cancelled()
        while True:
            while not self._pending and not self._lost:
                self._event = trio.Event()
                await self._event.wait()
            await trio.lowlevel.cancel_shielded_checkpoint()
            change = self.next_nowait()
            if change is not None:  # one that came may have gone during the checkpoint
                return change

    def next_nowait(self) -> Change | None:
        """Return the next change, or None where there is none yet."""
        if self._lost:
            self._lost = False
            return Change(ChangeKind.RESYNC, self._root, None)
        if not self._pending:
            return None
        node_id = next(iter(self._pending))
        kind, node = self._pending.pop(node_id)
        if kind is ChangeKind.REMOVED:
            return Change(kind, node_id, None)
        return Change(kind, node_id, take(node, trio.current_time(), limit=0, deep=False))

    def publish(self, kind: ChangeKind, node: Node) -> None:
        """Note a change (for the tree)."""
        if self._lost:
            return  # the snapshot that follows the resync will show it
        node_id = node.id
        known = self._pending.get(node_id)
        merged = kind if known is None else _MERGED[known[0], kind]
        if merged is None:
            del self._pending[node_id]
            return
        self._pending[node_id] = (merged, node)
        if len(self._pending) > self._limit:
            self._pending.clear()
            self._lost = True
        self._event.set()


# (waiting, new) -> told; None: the reader never knew the node, so nothing is told
_ADDED, _CHANGED, _REMOVED = ChangeKind.ADDED, ChangeKind.CHANGED, ChangeKind.REMOVED
_MERGED: dict[tuple[ChangeKind, ChangeKind], ChangeKind | None] = {
    (_ADDED, _ADDED): _ADDED,
    (_ADDED, _CHANGED): _ADDED,
    (_ADDED, _REMOVED): None,
    (_CHANGED, _ADDED): _CHANGED,
    (_CHANGED, _CHANGED): _CHANGED,
    (_CHANGED, _REMOVED): _REMOVED,
    (_REMOVED, _ADDED): _CHANGED,
    (_REMOVED, _CHANGED): _REMOVED,
    (_REMOVED, _REMOVED): _REMOVED,
}
