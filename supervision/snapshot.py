"""A frozen picture of the tree."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import islice
from types import MappingProxyType

from attrs import asdict, frozen

from .node import ALIVE, Failure, Node

__all__ = ["NodeSnapshot", "TreeSnapshot", "take"]


@frozen
class NodeSnapshot:
    """A node at one moment.

    Attributes:
        id, name, kind, parent, state, restarts, strategy, overrun, last_failure: as in
            :class:`Node` (``parent`` is its id, None for the root).
        started_at: trio clock; started_wall: wall clock, seconds since the epoch.
        age: seconds since its latest start; None unless it is alive.
        restart_budget: restarts left in the window of a running static supervisor; else None.
        stats: its live figures, empty if none; ``{"error": text}`` if asking for them failed.
        child_count: direct children, listed or not.
        counts: of direct children, kind -> state -> number.
        children: those listed, oldest first; ``omitted`` says how many are not.
    """

    id: str
    name: str
    kind: str
    parent: str | None
    state: str
    started_at: float | None
    started_wall: float | None
    age: float | None
    restarts: int
    restart_budget: int | None
    strategy: str | None
    overrun: bool
    last_failure: Failure | None
    stats: Mapping[str, object]
    child_count: int
    counts: Mapping[str, Mapping[str, int]]
    children: tuple[NodeSnapshot, ...]
    omitted: int

    def as_dict(self) -> dict[str, object]:
        """Return it as plain dicts and lists, for JSON (``stats`` as the child gave it)."""
        return {
            "id": self.id,
            "name": self.name,
            "kind": self.kind,
            "parent": self.parent,
            "state": self.state,
            "started_at": self.started_wall,
            "age": self.age,
            "restarts": self.restarts,
            "restart_budget": self.restart_budget,
            "strategy": self.strategy,
            "overrun": self.overrun,
            "last_failure": None if self.last_failure is None else asdict(self.last_failure),
            "stats": dict(self.stats),
            "child_count": self.child_count,
            "counts": {kind: dict(states) for kind, states in self.counts.items()},
            "children": [child.as_dict() for child in self.children],
            "omitted": self.omitted,
        }


@frozen
class TreeSnapshot:
    """The tree, or the part of it under ``root``, at one moment.

    Attributes:
        taken_at: trio clock; taken_wall: wall clock, seconds since the epoch.
    """

    taken_at: float
    taken_wall: float
    root: NodeSnapshot

    def find(self, node_id: str) -> NodeSnapshot | None:
        """Return the listed node of this id, or None."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            if node.id == node_id:
                return node
            waiting.extend(node.children)
        return None


def take(
    node: Node, now: float, *, limit: int | None, offset: int = 0, deep: bool = True
) -> NodeSnapshot:
    """Picture ``node`` at ``now`` (trio clock).

    ``limit`` bounds the children listed per node (None: all), ``offset`` skips among its own
    direct ones; not ``deep`` lists none at all.
    """
    children = node.children
    listed: tuple[NodeSnapshot, ...] = ()
    if deep:
        stop = None if limit is None else offset + limit
        page = islice(children.values(), offset, stop)
        listed = tuple(take(child, now, limit=limit) for child in page)
    alive = node.state in ALIVE and node.started_at is not None
    return NodeSnapshot(
        id=node.id,
        name=node.name,
        kind=node.kind,
        parent=None if node.parent is None else node.parent.id,
        state=node.state.value,
        started_at=node.started_at,
        started_wall=node.started_wall,
        age=now - node.started_at if alive and node.started_at is not None else None,
        restarts=node.restarts,
        restart_budget=node.restart_budget,
        strategy=node.strategy,
        overrun=node.overrun,
        last_failure=node.last_failure,
        stats=_stats(node),
        child_count=len(children),
        counts=_counts(children),
        children=listed,
        omitted=len(children) - len(listed),
    )


def _counts(children: Mapping[str, Node]) -> Mapping[str, Mapping[str, int]]:
    counts: dict[str, dict[str, int]] = {}
    for child in children.values():
        states = counts.setdefault(child.kind, {})
        states[child.state.value] = states.get(child.state.value, 0) + 1
    return MappingProxyType({kind: MappingProxyType(states) for kind, states in counts.items()})


def _stats(node: Node) -> Mapping[str, object]:
    if node.stats is None:
        return _NONE
    try:
        return MappingProxyType(dict(node.stats()))
    except Exception as error:  # noqa: BLE001 - looking at a broken child must not break the looker
        return MappingProxyType({"error": f"{type(error).__name__}: {error}"})


_NONE: Mapping[str, object] = MappingProxyType({})
