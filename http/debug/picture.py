"""An actor as JSON."""

from collections.abc import Mapping

from incident_manager.http.logs import Redactor
from incident_manager.schema.scalars import write_datetime
from incident_manager.supervision import Failure, NodeSnapshot

__all__ = ["node_view", "time_view"]


def node_view(node: NodeSnapshot, redactor: Redactor) -> dict[str, object]:
    """An actor with its children; ``redactor`` takes credentials out of what failures say.

    ``mailbox`` is None for one that has none, ``messages_handled`` for one that counts none;
    ``stats`` are all figures of its own, by kind (peer, seats, ...).
    """
    stats = node.stats
    return {
        "id": node.id,
        "name": node.name,
        "kind": node.kind,
        "parent": node.parent,
        "state": node.state,
        "started_at": None if node.started_wall is None else time_view(node.started_wall),
        "age_seconds": None if node.age is None else round(node.age, 6),
        "restarts": node.restarts,
        "restarts_left": node.restart_budget,
        "strategy": node.strategy,
        "overrun": node.overrun,
        "mailbox": _mailbox(stats),
        "messages_handled": stats.get("messages_handled"),
        "last_failure": _failure(node.last_failure, redactor),
        "stats": stats,
        "child_count": node.child_count,
        "counts": node.counts,
        "children": [node_view(child, redactor) for child in node.children],
        "omitted": node.omitted,
    }


def _mailbox(stats: Mapping[str, object]) -> dict[str, object] | None:
    if "mailbox_depth" not in stats:
        return None
    return {
        "depth": stats["mailbox_depth"],
        "capacity": stats.get("mailbox_capacity"),
        "oldest_seconds": stats.get("oldest_message_seconds"),
    }


def _failure(failure: Failure | None, redactor: Redactor) -> dict[str, object] | None:
    if failure is None:
        return None
    return {
        "actor": failure.child,
        "type": failure.type,
        "message": redactor.text(failure.message),
        "when": time_view(failure.when),
        "traceback": redactor.text(failure.traceback),
    }


def time_view(wall: float) -> str:
    """A time on the wall clock, given in seconds since 1970."""
    return write_datetime(round(wall * 1_000_000))
