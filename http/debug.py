"""``/debug/actors``: the live actor tree (contract, section 7)."""

from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.http.replies import json_reply
from incident_manager.http.rest.filters import Parameters, read_int
from incident_manager.http.serving import gateway
from incident_manager.schema.scalars import write_datetime
from incident_manager.supervision import Failure, NodeSnapshot

__all__ = ["actor", "actors", "node_view"]

_LIMIT = 100
_MOST = 1_000


async def actors() -> TrioResponse:
    """The whole tree; of each actor at most ``limit`` children are listed, all are counted."""
    return _picture(None)


async def actor(actor_id: str) -> TrioResponse:
    """One actor and what is under it; ``offset`` pages through its children."""
    return _picture(actor_id)


def _picture(actor_id: str | None) -> TrioResponse:
    given = Parameters(request.args)
    given.only(("limit", "offset"))
    limit = given.one("limit", lambda text: _within(read_int(text), _MOST))
    offset = given.one("offset", lambda text: _within(read_int(text), None))
    given.done()
    tree = gateway().running().tree
    try:
        taken = tree.snapshot(
            limit=_LIMIT if limit is None else limit, node_id=actor_id, offset=offset or 0
        )
    except KeyError:
        raise Refused(ErrorCode.NOT_FOUND, f"There is no actor {actor_id}.", "id") from None
    view = {"taken_at": _time(taken.taken_wall)}
    if actor_id is None:
        return json_reply(view | {"root": node_view(taken.root)})
    return json_reply(view | {"actor": node_view(taken.root)})


def _within(number: int, most: int | None) -> int:
    if number < 0 or (most is not None and number > most):
        raise ValueError("must be 0 or more" if most is None else f"must be 0 to {most}")
    return number


def node_view(node: NodeSnapshot) -> dict[str, object]:
    """An actor with its children. ``stats`` are its own figures, by kind (mailbox, peer ...)."""
    return {
        "id": node.id,
        "name": node.name,
        "kind": node.kind,
        "parent": node.parent,
        "state": node.state,
        "started_at": None if node.started_wall is None else _time(node.started_wall),
        "age_seconds": None if node.age is None else round(node.age, 6),
        "restarts": node.restarts,
        "restarts_left": node.restart_budget,
        "strategy": node.strategy,
        "overrun": node.overrun,
        "last_failure": None if node.last_failure is None else _failure(node.last_failure),
        "stats": node.stats,
        "child_count": node.child_count,
        "counts": node.counts,
        "children": [node_view(child) for child in node.children],
        "omitted": node.omitted,
    }


def _failure(failure: Failure) -> dict[str, object]:
    return {
        "actor": failure.child,
        "type": failure.type,
        "message": failure.message,
        "when": _time(failure.when),
    }


def _time(wall: float) -> str:
    return write_datetime(round(wall * 1_000_000))
