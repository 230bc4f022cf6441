"""What is asked of ``/graphql/stream``: queries and mutations are answered, subscriptions begun."""

import re
from collections.abc import Mapping
from typing import Any, Final

from quart import request
from quart_trio.wrappers import TrioResponse
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import NotAcceptable
from werkzeug.http import parse_accept_header

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.errors import Unavailable
from incident_manager.http.counters import Refusal
from incident_manager.http.execution import prepare
from incident_manager.http.gateway import Gateway, Phase
from incident_manager.http.graphql_http import GraphQLRequest, read_request, read_url, result_of
from incident_manager.http.origins import refuse_strangers
from incident_manager.http.rates import RateLimited
from incident_manager.http.rest.body import read_body
from incident_manager.http.serving import gateway, session
from incident_manager.http.sse.door import Handover
from incident_manager.http.sse.stream import EventStream, Wanted, told
from incident_manager.http.streams import read_cursor, wanted_of
from incident_manager.http.upgrade import peer_of
from incident_manager.schema.errors import OperationRefused
from incident_manager.schema.operation import Operation

__all__ = ["EVENTS", "get", "post", "resumed_from", "takes_events"]

EVENTS: Final = "text/event-stream"

_UTF8: Final = "; charset=utf-8"
_CHARSET: Final = re.compile(r';\s*charset\s*=\s*"?utf-8"?', re.IGNORECASE)
_WAIT: Final = 5  # seconds that a client should wait where its address has all that it may
_LAST: Final = "Last-Event-ID"
_HEADERS: Final = {"X-Accel-Buffering": "no", "Vary": "Accept"}


def takes_events(accept: str) -> bool:
    """Whether a request with this ``Accept`` takes an event stream; empty is as good as ``*/*``."""
    if not accept.strip():
        return True
    offered = parse_accept_header(_CHARSET.sub("", accept), MIMEAccept)
    return offered.best_match((EVENTS,)) is not None


def resumed_from(header: str | None, extensions: Mapping[str, Any] | None) -> Cursor | None:
    """Where a stream resumes: what the header ``Last-Event-ID`` says, else ``extensions.cursor``.

    A client that comes back repeats its request as it was first, and adds the header. Raises
    OperationRefused with BAD_USER_INPUT, naming the one that counts.
    """
    if header:
        return read_cursor(header, _LAST)
    return read_cursor((extensions or {}).get("cursor"), "extensions.cursor")


async def post() -> TrioResponse:
    """Any operation."""
    _negotiate()
    body = await read_body()
    return await _answer(read_request(body.given))


async def get() -> TrioResponse:
    """A subscription or a query."""
    _negotiate()
    return await _answer(read_url())


def _negotiate() -> None:
    if not takes_events(",".join(request.headers.getlist("Accept"))):
        raise NotAcceptable(f"The answer can be had as {EVENTS}; single results at /graphql.")


async def _answer(asked: GraphQLRequest) -> TrioResponse:
    """What is wrong with an operation is streamed too, as the protocol asks for."""
    served, principal = gateway(), session().principal
    try:
        operation = prepare(served, asked.query, asked.operation_name, asked.variables, principal)
        if operation.streams:
            return _begin(served, operation, asked)
    except OperationRefused as refused:
        served.counters.erred(refused.errors)
        return _stream(told({"errors": refused.errors}))
    return _stream(told(await result_of(operation)))


def _stream(body: bytes) -> TrioResponse:
    return TrioResponse(body, headers=_HEADERS, content_type=EVENTS + _UTF8)


def _begin(served: Gateway, operation: Operation, asked: GraphQLRequest) -> TrioResponse:
    """Have the door serve a stream, with this answer's head."""
    principal = session().principal
    wanted = Wanted(
        wanted_of(operation, principal),
        resumed_from(request.headers.get(_LAST), asked.extensions),
        principal,
        peer_of(request.scope.get("client")),
        retries=request.method != "POST",
    )
    response = _stream(b"")
    del response.headers["Content-Length"]
    response.timeout = None
    handover = _admit(served)
    if request.method != "HEAD":
        stream = EventStream(served, wanted)
        served.connections.add(stream)
        handover.held.callback(served.connections.discard, stream)
        handover.stream = stream
    return response


def _admit(served: Gateway) -> Handover:
    """Where to leave the stream; raises what a WebSocket would be refused for, too."""
    counts = served.counters.refused
    settings = served.settings
    if not served.cors.permits(request.headers.get("Origin"), request.path):
        refuse_strangers(request.headers)  # also of GET: a stream is held as long as a page likes
    if served.phase is not Phase.READY:
        counts[Refusal.UNAVAILABLE] += 1
        raise Unavailable(f"The server is {served.phase.value}.", known=True)
    limit = settings.server.max_connections
    if limit and len(served.connections) >= limit:
        counts[Refusal.CONNECTIONS] += 1
        text = f"The server has {limit} connections already (server.max_connections)."
        raise Unavailable(text, known=True)
    handover = Handover.of(request.scope)
    client = request.scope.get("client")
    entered = served.addresses.entered(None if client is None else str(client[0]))
    if not handover.held.enter_context(entered):
        counts[Refusal.ADDRESS] += 1
        most = settings.limits.connections_per_address
        text = f"This address has {most} connections already (limits.connections_per_address)."
        raise RateLimited(text, _WAIT)
    return handover
