"""What is asked of the actor tree: all of it, one actor, some connections, the changes."""

import time
from collections.abc import Callable
from typing import Final

import trio
from attrs import frozen
from quart import request
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.system import System
from incident_manager.http.auth import Principal
from incident_manager.http.debug.census import Census, take_census
from incident_manager.http.debug.page import shell
from incident_manager.http.debug.picture import node_view, time_view
from incident_manager.http.debug.stream import changes
from incident_manager.http.logs import Redactor
from incident_manager.http.origins import refuse_strangers
from incident_manager.http.replies import json_reply
from incident_manager.http.rest.filters import Parameters, read_int
from incident_manager.http.serving import caller, gateway
from incident_manager.supervision import Tree

__all__ = ["actor", "actors"]

_LIMIT: Final = 100
_MOST: Final = 1_000
_CONNECTIONS: Final = "root.connections"


async def actors() -> TrioResponse:
    """The whole tree; of each actor at most ``limit`` children are listed, all are counted.

    With ``peer`` or ``principal`` instead the connections that they have; with ``watch`` the
    changes, as server-sent events. A browser gets a page.
    """
    return await _answer(None)


async def actor(actor_id: str) -> TrioResponse:
    """One actor and what is under it; ``offset`` pages through its children."""
    return await _answer(actor_id)


async def _answer(actor_id: str | None) -> TrioResponse:
    who = caller()
    if who is None:  # nobody was asked who they are: they get what has no data
        return shell()
    asked = _Asked.read(actor_id)
    system = gateway().running()
    if asked.watch:
        refuse_strangers(request.headers)  # a stream is held as long as a page likes
        return _stream(system.tree, asked, who)
    census = await _census(system, asked)
    if asked.finds:
        return json_reply(_found(system.tree, asked, census))
    view = asked.picture(system.tree, gateway().redactor)
    if census is not None:
        view["connections"] = census.view()
    return json_reply(view)


@frozen
class _Asked:
    """What the URL asks for."""

    actor_id: str | None
    limit: int
    offset: int
    peer: str | None
    principal: str | None
    watch: bool

    @classmethod
    def read(cls, actor_id: str | None) -> "_Asked":
        """Raises InvalidFields with every parameter that is wrong."""
        given = Parameters(request.args)
        given.only(("limit", "offset", "peer", "principal", "watch"))
        limit = given.one("limit", lambda text: _within(read_int(text), _MOST))
        offset = given.one("offset", lambda text: _within(read_int(text), None))
        peer, principal = given.one("peer", str), given.one("principal", str)
        watch = "watch" in request.args
        if watch and (peer or principal):
            given.wrong("watch", "is of the whole tree, or of one actor: not with peer, principal")
        if actor_id not in (None, _CONNECTIONS):
            for name, value in (("peer", peer), ("principal", principal)):
                if value is not None:
                    given.wrong(name, f"is looked for among all: ask /debug/actors?{name}=")
        given.done()
        return cls(
            actor_id, _LIMIT if limit is None else limit, offset or 0, peer, principal, watch
        )

    @property
    def finds(self) -> bool:
        """Certain connections are looked for."""
        return self.peer is not None or self.principal is not None

    def picture(self, tree: Tree, redactor: Redactor) -> dict[str, object]:
        """The tree, or the actor and what is under it. NOT_FOUND where there is no such actor."""
        try:
            taken = tree.snapshot(limit=self.limit, node_id=self.actor_id, offset=self.offset)
        except KeyError:
            message = f"There is no actor {self.actor_id}."
            raise Refused(ErrorCode.NOT_FOUND, message, "id") from None
        name = "root" if self.actor_id is None else "actor"
        return {"taken_at": time_view(taken.taken_wall), name: node_view(taken.root, redactor)}


def _within(number: int, most: int | None) -> int:
    if number < 0 or (most is not None and number > most):
        raise ValueError("must be 0 or more" if most is None else f"must be 0 to {most}")
    return number


async def _census(system: System, asked: _Asked) -> Census | None:
    """The connections, where they are part of what is asked for."""
    if asked.actor_id not in (None, _CONNECTIONS):
        return None
    return await take_census(system.connections.node, peer=asked.peer, principal=asked.principal)


def _found(tree: Tree, asked: _Asked, census: Census | None) -> dict[str, object]:
    assert census is not None  # noqa: S101 -- it is what finds them
    ids = census.found[asked.offset : asked.offset + asked.limit]
    nodes = [tree.snapshot(limit=asked.limit, node_id=each).root for each in ids if tree.find(each)]
    return {
        "taken_at": time_view(tree.wall()),
        "connections": census.view(),
        "found": len(census.found),
        "actors": [node_view(node, gateway().redactor) for node in nodes],
        "omitted": len(census.found) - len(nodes),
    }


def _stream(tree: Tree, asked: _Asked, who: Principal) -> TrioResponse:
    redactor = gateway().redactor
    asked.picture(tree, redactor)  # one that is not there is said before the stream begins
    until = float("inf")
    if who.expires_at is not None:
        until = trio.current_time() + who.expires_at - time.time()
    picture: Callable[[], object] = lambda: asked.picture(tree, redactor)  # noqa: E731
    body = changes(gateway(), tree, asked.actor_id, picture, until, who)
    response = TrioResponse(body, content_type="text/event-stream; charset=utf-8")
    response.timeout = None
    return response
