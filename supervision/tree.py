"""The tree of everything supervised: find a node, picture it, follow its changes."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable

import trio

from .child_spec import check_name
from .errors import DuplicateChild
from .node import ALIVE, Failure, Node, NodeState
from .snapshot import NodeSnapshot, TreeSnapshot, take
from .watch import Change, ChangeKind, Watch

__all__ = [
    "Change",
    "ChangeKind",
    "Failure",
    "Node",
    "NodeSnapshot",
    "NodeState",
    "Tree",
    "TreeSnapshot",
    "Watch",
]


class Tree:
    """A tree of nodes under one root, whose id is ``root``.

    A supervisor opened with the id ``root`` is the root itself; any other hangs under it.

    Args:
        on_failure: called with the node and the exception of every failed child, so that the
            application can log it. It must not block. What it raises is recorded as the root's
            last failure.
        wall: the wall clock, seconds since the epoch.

    Attributes:
        restarts: how often children of a kind were started again, also of those that are gone.
    """

    __slots__ = ("_on_failure", "_watches", "restarts", "root", "wall")

    def __init__(
        self,
        on_failure: Callable[[Node, BaseException], None] | None = None,
        *,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self._on_failure = on_failure
        self._watches: set[Watch] = set()
        self.wall = wall
        self.restarts: Counter[str] = Counter()
        self.root = Node(self, "root", "supervisor", None)

    def find(self, node_id: str) -> Node | None:
        """Return the node of this id, or None."""
        name, *path = node_id.split(".")
        node = self.root if name == self.root.name else None
        for name in path:
            node = None if node is None else node.children.get(name)
        return node

    def snapshot(
        self, *, limit: int | None = None, node_id: str | None = None, offset: int = 0
    ) -> TreeSnapshot:
        """Picture the tree (must be called inside Trio).

        Args:
            limit: at most so many children are listed of each node (None: all); the counts by
                kind and state always tell of all.
            node_id: picture only what is under this node.
            offset: skip so many of that node's direct children (paging).

        Raises:
            KeyError: there is no node of that id.
        """
        node = self.root if node_id is None else self.find(node_id)
        if node is None:
            raise KeyError(node_id)
        now = trio.current_time()
        return TreeSnapshot(now, self.wall(), take(node, now, limit=limit, offset=offset))

    def watch(self, *, limit: int = 1024) -> Watch:
        """Return a context manager that gives an asynchronous iterator of changes.

        ``limit`` bounds how many changed nodes wait for a slow reader; see :class:`Watch`.
        Take the first snapshot inside the block: then nothing falls between the two.
        """
        return Watch(self.root.name, limit, self._watches.add, self._watches.discard)

    def attach(self, parent: Node, name: str, kind: str) -> Node:
        """Return a node for a child that is about to start (for supervisors).

        The node of a child of this name that is no longer alive is taken over, with its history.

        Raises:
            DuplicateChild: one of this name is alive.
            ValueError: the name is empty or has a dot.
        """
        known = parent.children.get(name)
        if known is not None:
            if known.state in ALIVE:
                raise DuplicateChild(f"{known.id} is there already")
            known.kind = kind
            known.stats = None
            known.started_at = None
            return known
        node = Node(self, check_name(name), kind, parent)
        if parent.children_or_none is None:
            parent.children_or_none = {}
        parent.children_or_none[name] = node
        self._publish(ChangeKind.ADDED, node)
        return node

    def detach(self, node: Node) -> None:
        """Remove a node, and what may be left under it (for dynamic supervisors)."""
        parent = node.parent
        siblings = None if parent is None else parent.children_or_none
        if parent is None or siblings is None or siblings.get(node.name) is not node:
            return
        self._publish_removed(node)
        del siblings[node.name]
        if not siblings:
            parent.children_or_none = None

    def place(self, name: str, kind: str, parent: Node | None) -> Node:
        """Return the node of a supervisor that no supervisor started.

        Raises:
            DuplicateChild: one of this name is alive.
            ValueError: the name is empty or has a dot.
        """
        if parent is not None:
            return self.attach(parent, name, kind)
        if name != self.root.name:
            if self.root.state not in ALIVE:
                self.root.begin(NodeState.RUNNING)
            return self.attach(self.root, name, kind)
        if self.root.state in ALIVE:
            raise DuplicateChild(f"{name} is there already")
        self.root.kind = kind
        return self.root

    def changed(self, node: Node) -> None:
        """Tell the watchers that ``node`` changed (for nodes)."""
        self._publish(ChangeKind.CHANGED, node)

    def failed(self, node: Node, error: BaseException) -> None:
        """Report a failure to the application (for nodes)."""
        if self._on_failure is None:
            return
        try:
            self._on_failure(node, error)
        except Exception as broken:  # noqa: BLE001 - a broken log must not stop the system
            self.root.last_failure = Failure.of(self.root.id, broken, self.wall())

    def _publish(self, kind: ChangeKind, node: Node) -> None:
        for watch in self._watches:
            watch.publish(kind, node)

    def _publish_removed(self, node: Node) -> None:
        if self._watches:
            for child in node.children.values():
                self._publish_removed(child)
            self._publish(ChangeKind.REMOVED, node)
