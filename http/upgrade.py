"""The WebSocket door: who is let in, with which subprotocol, and as which actor."""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any

import trio

from incident_manager.http.auth import of_headers
from incident_manager.http.connection import Connection, close_code
from incident_manager.http.counters import Refusal
from incident_manager.http.frame_writer import AsgiWriter
from incident_manager.http.gateway import Gateway, Phase
from incident_manager.http.hosts import is_rebound
from incident_manager.http.origins import is_stranger
from incident_manager.http.outbox import Outbox
from incident_manager.http.own_task import nursery_of
from incident_manager.http.protocol import SUBPROTOCOL
from incident_manager.http.rates import RateLimited
from incident_manager.http.security_headers import EVERYWHERE
from incident_manager.http.target import route_of
from incident_manager.http.websocket_writer import writer_of
from incident_manager.supervision import Child, SupervisorStopped

__all__ = ["PATHS", "peer_of", "websocket"]

PATHS = frozenset({"/graphql/ws", "/graphql"})
"""Where GraphQL is spoken over WebSocket (contract, section 1)."""

_FAREWELL = 1.0  # seconds for the last words of a connection that fails

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


async def websocket(gateway: Gateway, scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one ``websocket`` scope of ASGI from its connect to its end."""
    await receive()
    host = _host(scope)
    with gateway.addresses.entered(host) as entered:
        refusal = _refusal(gateway, scope, entered=entered)
        if refusal is not None:
            await _refuse(gateway, send, *refusal)
            return
        agreed = SUBPROTOCOL in scope.get("subprotocols", ())
        try:
            await _serve(gateway, scope, receive, send, agreed=agreed)
        except SupervisorStopped:  # it began to stop between the look and the entry
            await _refuse(gateway, send, 503, Refusal.UNAVAILABLE, "The server is stopping.")


def _refusal(gateway: Gateway, scope: Scope, *, entered: bool) -> tuple[int, Refusal, str] | None:
    """Status, reason and text; ``entered`` is whether its address may have another one."""
    if is_rebound(gateway.settings, _header(scope, b"host")):
        return 403, Refusal.FOREIGN, "This Host is not one that an open server answers to."
    allowed = gateway.settings.server.allowed_origins
    if is_stranger(_header(scope, b"origin"), _header(scope, b"host"), allowed):
        text = "Pages of this Origin may not connect (server.allowed_origins)."
        return 403, Refusal.FOREIGN, text
    if route_of(scope) not in PATHS:
        return 404, Refusal.PATH, f"WebSockets are served at {', '.join(sorted(PATHS))}."
    if gateway.phase is not Phase.READY:
        return 503, Refusal.UNAVAILABLE, f"The server is {gateway.phase.value}."
    limit = gateway.settings.server.max_connections
    if limit and len(gateway.connections) >= limit:
        text = f"The server has {limit} connections already (server.max_connections)."
        return 503, Refusal.CONNECTIONS, text
    if not entered:
        most = gateway.settings.limits.connections_per_address
        text = f"This address has {most} connections already (limits.connections_per_address)."
        return 429, Refusal.ADDRESS, text
    try:
        gateway.quotas.check_sign_in(_host(scope), trio.current_time())
    except RateLimited as limited:
        return 429, Refusal.ADDRESS, limited.message
    return None


def _host(scope: Scope) -> str | None:
    client = scope.get("client")
    return None if client is None else str(client[0])


def _header(scope: Scope, name: bytes) -> str | None:
    found = next((value for key, value in scope.get("headers", ()) if key == name), None)
    return None if found is None else found.decode("latin-1")


async def _refuse(gateway: Gateway, send: Send, status: int, reason: Refusal, message: str) -> None:
    gateway.counters.refused[reason] += 1
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"retry-after", b"5")]
    headers += [(name.lower().encode(), text.encode()) for name, text in EVERYWHERE.items()]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": message.encode()})


async def _serve(
    gateway: Gateway, scope: Scope, receive: Receive, send: Send, *, agreed: bool
) -> None:
    system = gateway.running()
    gateway.serial += 1
    async with system.connections.adopt(f"c{gateway.serial}", "connection") as child:
        lent = nursery_of(scope)
        if lent is not None:
            await _converse(gateway, child, lent, scope, receive, send, agreed=agreed)
            return
        async with trio.open_nursery() as nursery:
            await _converse(gateway, child, nursery, scope, receive, send, agreed=agreed)
            nursery.cancel_scope.cancel()


async def _converse(
    gateway: Gateway,
    child: Child,
    nursery: trio.Nursery,
    scope: Scope,
    receive: Receive,
    send: Send,
    *,
    agreed: bool,
) -> None:
    connection, outbox = _opened(gateway, child, nursery, scope, send, agreed=agreed)
    gateway.connections.add(connection)
    gateway.counters.connections += 1
    began = trio.current_time()
    # It counts from here on: while it is being accepted others knock too.
    subprotocol = SUBPROTOCOL if agreed else None
    try:
        await send({"type": "websocket.accept", "subprotocol": subprotocol})
        await connection.run(receive)
    finally:
        gateway.counters.lives.observe(trio.current_time() - began)
        gateway.connections.discard(connection)
        if not (outbox.ended or connection.gone):
            await _farewell(gateway, send)


def _opened(
    gateway: Gateway,
    child: Child,
    nursery: trio.Nursery,
    scope: Scope,
    send: Send,
    *,
    agreed: bool,
) -> tuple[Connection, Outbox]:
    latency = gateway.running().hub.latency
    limit = gateway.settings.limits.outbox_bytes
    writer = writer_of(scope) or AsgiWriter(send, nursery.start_soon)
    outbox = Outbox(writer, send, nursery.start_soon, limit, gateway.counters, latency)
    connection = Connection(
        gateway,
        child,
        outbox,
        nursery,
        agreed=agreed,
        peer=peer_of(scope.get("client")),
        host=_host(scope),
        credentials=of_headers(scope.get("headers", ())),
    )
    return connection, outbox


async def _farewell(gateway: Gateway, send: Send) -> None:
    """Close what ends without a close, by a failure or by cancellation; no harm if it is closed.

    Left to itself, Hypercorn would say 1011, and stock clients would never come back.
    """
    code = close_code(gateway)
    with trio.move_on_after(_FAREWELL, shield=True):
        await send({"type": "websocket.close", "code": code, "reason": code.reason})


def peer_of(client: object) -> str:
    """The peer as the actor tree shows it: ``address:port`` of ASGI's ``client``."""
    if isinstance(client, tuple | list) and len(client) > 1 and client[1] is not None:
        host = str(client[0])
        if not client[1]:  # a proxy has not said it
            return host
        return f"[{host}]:{client[1]}" if ":" in host else f"{host}:{client[1]}"
    return "unix" if client is None else "unknown"  # only a Unix socket has no address
