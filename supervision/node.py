"""One place in the tree of supervised children: what it is, how it fares, what it last died of."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING

import trio
from attrs import define, frozen

if TYPE_CHECKING:
    from .tree import Tree

__all__ = ["Failure", "Node", "NodeState", "Stats"]

Stats = Callable[[], Mapping[str, object]]
"""Live figures of a child (mailbox depth, handled, ...); called only when somebody looks."""

_TRACEBACK_CHARACTERS = 16_384


class NodeState(StrEnum):
    """States of a node. ``restarting``: waiting for its backoff or its turn to start again."""

    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    RESTARTING = "restarting"
    STOPPED = "stopped"
    FAILED = "failed"


ALIVE = frozenset({NodeState.STARTING, NodeState.RUNNING, NodeState.STOPPING})


@frozen
class Failure:
    """How a child died: text only, so that no frame of the dead stays in memory.

    Attributes:
        child: node id of the child that failed.
        type: name of the exception's class.
        message: ``str`` of the exception.
        when: wall clock, seconds since the epoch.
        traceback: formatted, at most 16,384 characters, the end kept.
    """

    child: str
    type: str
    message: str
    when: float
    traceback: str

    @classmethod
    def of(cls, child: str, error: BaseException, when: float) -> Failure:
        """Describe ``error``."""
        text = "".join(traceback.format_exception(error))
        return cls(child, type(error).__name__, str(error), when, text[-_TRACEBACK_CHARACTERS:])


@define(eq=False, weakref_slot=False, repr=False)
class Node:
    """A place in a :class:`Tree`; made by :meth:`Tree.attach`, changed by its supervisor only.

    Attributes:
        name: unique among its siblings, without a dot.
        kind: what sort of child it is (``worker``, ``supervisor``, ``connection`` ...).
        started_at: trio clock at its latest start; None before the first.
        started_wall: the same on the wall clock, seconds since the epoch.
        restarts: how often it was started again, for whatever reason.
        strategy: of a static supervisor; else None.
        overrun: True if it did not leave when it was cancelled (Trio cannot kill a task).
        last_failure: of itself; for a dynamic supervisor also of its latest failed child.
        stats: live figures, or None.
        budget: of a static supervisor that runs: how many restarts it would still bear.
    """

    tree: Tree
    name: str
    kind: str
    parent: Node | None
    state: NodeState = NodeState.STOPPED
    started_at: float | None = None
    started_wall: float | None = None
    restarts: int = 0
    strategy: str | None = None
    overrun: bool = False
    last_failure: Failure | None = None
    stats: Stats | None = None
    budget: Callable[[], int] | None = None
    # Made at the first child and dropped with the last: ten thousand leaves carry no dict.
    children_or_none: dict[str, Node] | None = None

    def __repr__(self) -> str:
        return f"<Node {self.id} {self.state}>"

    @property
    def id(self) -> str:
        """Parent's id + "." + name; the root's is its name. Unique in the tree."""
        return self.name if self.parent is None else f"{self.parent.id}.{self.name}"

    @property
    def children(self) -> Mapping[str, Node]:
        """Children by name, oldest first. A live view: do not keep it across a checkpoint."""
        return _NO_CHILDREN if self.children_or_none is None else self.children_or_none

    @property
    def restart_budget(self) -> int | None:
        """Restarts left in the current window; None for all but running static supervisors."""
        return None if self.budget is None else self.budget()

    def begin(self, state: NodeState) -> None:
        """Note a start, now (must be called inside Trio)."""
        self.started_at = trio.current_time()
        self.started_wall = self.tree.wall()
        self.overrun = False
        self.mark(state)

    def restarted(self) -> None:
        """Count a restart, here and in the tree."""
        self.restarts += 1
        self.tree.restarts[self.kind] += 1

    def mark(self, state: NodeState) -> None:
        """Set the state and tell the watchers."""
        self.state = state
        self.tree.changed(self)

    def mark_overrun(self) -> None:
        """Note that the child stays although it was cancelled."""
        self.overrun = True
        self.tree.changed(self)

    def fail(self, error: BaseException, *, child: Node | None = None) -> None:
        """Record a failure of this node, or of its dynamic ``child``, and report it."""
        failed = self if child is None else child
        self.last_failure = Failure.of(failed.id, error, self.tree.wall())
        self.tree.changed(self)
        self.tree.failed(failed, error)


_NO_CHILDREN: Mapping[str, Node] = {}
