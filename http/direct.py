"""Requests that are whole when they are looked at: answered in one go, past Quart.

An alert is a small body on a fixed path, and there are many. Its view and its checks are those
that Quart calls; what is left out is what finds them (routing, contexts, a task for each).
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from attrs import frozen
from quart_trio.wrappers import TrioResponse

from incident_manager.actors.access import Access
from incident_manager.http.admission import (
    admit,
    check_host,
    dress,
    problem_reply,
    refuse,
    told,
)
from incident_manager.http.auth import AuthError
from incident_manager.http.exchange import Exchange, during
from incident_manager.http.forwarded import see_through
from incident_manager.http.gateway import Gateway
from incident_manager.http.metrics import count
from incident_manager.http.route import Route

__all__ = ["Answer", "Direct", "direct_of"]


@frozen
class Answer:
    """A whole answer, with ``headers`` as ASGI has them."""

    status: int
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


class Direct:
    """The routes that are ``quick``: their views take what they need from the ``Exchange``, and
    have an answer in bounded time.

    Bodies of more than ``most`` bytes are not for it.
    """

    def __init__(
        self, gateway: Gateway, routes: Sequence[Route], table: Mapping[str, Access]
    ) -> None:
        self._gateway = gateway
        self._trusted = gateway.guard.trusted
        self._known = not gateway.settings.open or gateway.settings.server.insecure
        self._routes = {
            (each.method.encode(), each.path.encode()): (each, table[each.endpoint])
            for each in routes
            if each.quick
        }
        self.most = gateway.settings.server.max_body_bytes

    def takes(self, method: bytes, path: bytes) -> bool:
        """Whether it answers such requests; ``path`` is as it was sent, without the query."""
        return (method, path) in self._routes

    async def answer(self, scope: dict[str, Any], body: bytes) -> Answer:
        """Answer a request of ASGI's ``http`` scope that :meth:`takes` is true of."""
        see_through(scope, self._trusted, host=self._known)
        route, access = self._routes[scope["method"].encode(), scope["raw_path"]]

        async def read() -> bytes:
            return body

        exchange = Exchange.of(self._gateway, scope, read)
        with during(exchange):
            response = await _respond(exchange, route, access)
        headers = dress(exchange, response.headers)
        count(exchange, route.path, response.status_code)
        lines = [(_name(name), value.encode()) for name, value in headers]
        text = await response.get_data(as_text=False)
        return Answer(response.status_code, lines, text)


async def _respond(exchange: Exchange, route: Route, access: Access) -> TrioResponse:
    try:
        check_host(exchange)
        await admit(exchange, access)
        return await route.view()
    except AuthError as error:
        return problem_reply(exchange, told(exchange, refuse(exchange, error)))
    except Exception as error:  # noqa: BLE001 -- told to the client, and to the log where it is ours
        return problem_reply(exchange, told(exchange, error))


@lru_cache(256)
def _name(name: str) -> bytes:
    return name.lower().encode("latin-1")


def direct_of(app: object) -> Direct | None:
    """What answers directly in the application that Hypercorn has wrapped; None if nothing does."""
    found = getattr(getattr(app, "app", None), "direct", None)
    return found if isinstance(found, Direct) else None
