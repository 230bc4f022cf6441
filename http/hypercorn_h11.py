"""HTTP/1.1 of Hypercorn's, for requests of one meaning only; those that are whole go straight."""

from collections.abc import Sequence
from functools import lru_cache
from time import time
from typing import Any, cast

import h11
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.events import Event as ConnectionEvent
from hypercorn.protocol.events import Body, EndBody, Event, StreamClosed
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

from incident_manager.http.direct import Answer, Direct, direct_of
from incident_manager.http.hypercorn_events import Held, Last
from incident_manager.http.whole_request import WholeRequest, read_request

__all__ = ["GuardedH11", "LastRequest", "header_line", "is_ambiguous", "length_of"]

_END = b"\r\n"
_NOTHING = (b"", False)  # of trailing data
_FRAMING = frozenset({b"connection", b"content-length", b"transfer-encoding"})
_ANSWERING = frozenset({h11.SEND_RESPONSE, h11.SEND_BODY})
_LENGTHS = frozenset({b"content-length", b"transfer-encoding"})


def is_ambiguous(request: h11.Request) -> bool:
    """Whether a proxy in front may have seen another end of the request than we do.

    Both headers together are how requests are smuggled past it (RFC 9112, section 6.1).
    """
    return {name for name, _ in request.headers} >= _LENGTHS


def length_of(request: h11.Request) -> int | None:
    """Bytes of the request's body; None where only its end will tell (RFC 9112, section 6.3)."""
    length = 0
    for name, value in request.headers:
        if name == b"transfer-encoding":
            return None
        if name == b"content-length":
            length = int(value)
    return length


@lru_cache(2)
def _told(config: Config, second: int) -> tuple[tuple[bytes, bytes], ...]:  # noqa: ARG001 -- of Date
    """What Hypercorn says with every answer of that second."""
    return tuple(config.response_headers("h11"))


@lru_cache(1024)
def header_line(name: bytes, value: bytes) -> bytes:
    """The line of a header, which h11 has looked at once: LocalProtocolError for what is none."""
    [(name, value)] = h11.Response(status_code=200, headers=[(name, value)]).headers
    return b"%b: %b\r\n" % (name, value)


class LastRequest(h11.Connection):
    """What comes behind a client's last request, which is nothing to anybody (RFC 9112, section
    9.6), h11 takes for an error of that one. Here it waits, and then it is thrown away.
    """

    def next_event(self) -> Any:
        """As h11 has it."""
        if self.their_state is not h11.MUST_CLOSE or not self.trailing_data[0]:
            return super().next_event()
        return h11.PAUSED if self.our_state in _ANSWERING else h11.NEED_DATA


class GuardedH11(H11Protocol):
    """Hypercorn 0.18 takes a request with two lengths, and what comes behind it as another one.
    Here it is refused, and its connection ends.

    A request that has come whole, on a route for which the application has a direct answer, gets
    it here, by the task that has read it, and in one write. Until then nothing else is read. Of
    one that is plain as well h11 hears nothing: to it the connection stays idle.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        most = self.config.h11_max_incomplete_size
        self.connection = LastRequest(h11.SERVER, max_incomplete_event_size=most)

    async def handle(self, event: ConnectionEvent) -> None:
        """Take what has come."""
        if isinstance(event, RawData):
            found = self._plain(event.data)
            if found is not None:
                await self._answer(*found)
                return
        await super().handle(event)

    def _plain(self, data: bytes) -> tuple[Direct, WholeRequest] | None:
        """What can be answered without h11, in whose hands nothing must be then. The last request
        of a connection is not: it is h11 that ends one.
        """
        direct, connection = self._direct_of_all(), self.connection
        if (
            direct is None
            or connection.their_state is not h11.IDLE
            or connection.our_state is not h11.IDLE
            or connection.trailing_data != _NOTHING
            or self.keep_alive_requests + 1 >= self.config.keep_alive_max_requests
        ):
            return None
        request = read_request(data)
        if (
            request is None
            or len(request.body) > direct.most
            or not direct.takes(b"POST", request.target.partition(b"?")[0])
        ):
            return None
        return direct, request

    async def _answer(self, direct: Direct, request: WholeRequest) -> None:
        began = time()
        await self.send(Updated(idle=False))
        self.keep_alive_requests += 1
        await self.context.mark_request()
        scope = _scope(self, b"POST", request.target, request.headers)
        answer = await direct.answer(scope, request.body)
        head = b"HTTP/1.1 %d \r\ncontent-length: %d\r\n" % (answer.status, len(answer.body))
        data = b"".join((head, *self._lines(answer), _END, answer.body))
        await self.send(Last(data))
        told: Any = {"status": answer.status, "headers": answer.headers}
        await self.config.log.access(cast(Any, scope), told, time() - began)
        await self.send(Closed() if self.context.terminated.is_set() else Updated(idle=True))

    async def _create_stream(self, request: h11.Request) -> None:
        if is_ambiguous(request):
            await self._send_error_response(400)
            await self.send(Closed())
        elif (direct := self._direct(request)) is not None:
            self.stream = _Whole(self, direct, request)
            self.keep_alive_requests += 1
            await self.context.mark_request()
        else:
            await self.send(Held())
            await super()._create_stream(request)

    def _direct(self, request: h11.Request) -> Direct | None:
        direct, connection = self._direct_of_all(), self.connection
        if (
            direct is None
            or not direct.takes(request.method, request.target.partition(b"?")[0])
            or connection.they_are_waiting_for_100_continue
        ):
            return None
        length = length_of(request)
        here = len(connection.trailing_data[0])
        return None if length is None or length > min(here, direct.most) else direct

    def _direct_of_all(self) -> Direct | None:
        """What answers directly; None where Hypercorn has something to say to each request."""
        config = self.config
        return None if config.root_path or config.server_names else direct_of(self.app)

    def _lines(self, answer: Answer) -> list[bytes]:
        """The headers of an answer that do not say where it ends."""
        lines = [header_line(*each) for each in answer.headers if each[0] not in _FRAMING]
        return lines + [header_line(*each) for each in _told(self.config, int(time()))]

    async def send_whole(self, answer: Answer) -> None:
        """Send an answer in one write."""
        # What says where the answer ends, and whether another one follows, is h11's to know.
        headers = [each for each in answer.headers if each[0] in _FRAMING]
        if self.keep_alive_requests >= self.config.keep_alive_max_requests:
            headers.append((b"connection", b"close"))
        send: Any = self.connection.send
        head: bytes = send(h11.Response(status_code=answer.status, headers=headers))
        rest = send(h11.Data(data=answer.body)), send(h11.EndOfMessage())
        data = b"".join((head.removesuffix(_END), *self._lines(answer), _END, *rest))
        # What has come behind this request is answered next: others have a turn before.
        more = self.connection.trailing_data[0]
        await self.send(RawData(data) if more else Last(data))


def _scope(
    protocol: GuardedH11,
    method: bytes,
    target: bytes,
    headers: Sequence[tuple[bytes, bytes]],
    version: bytes = b"1.1",
) -> dict[str, Any]:
    """What ASGI says of a request that is answered directly."""
    path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "http_version": version.decode(),
        "asgi": {"spec_version": "2.1", "version": "3.0"},
        "method": method.decode("ascii"),
        "scheme": "https" if protocol.ssl else "http",
        "path": path.decode("ascii"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": headers,
        "client": protocol.client,
        "server": protocol.server,
        "state": protocol.connection_state,
        "extensions": {},
    }


class _Whole(HTTPStream):
    """A request of which everything is there."""

    def __init__(self, protocol: GuardedH11, direct: Direct, request: h11.Request) -> None:
        super().__init__(
            protocol.app,
            protocol.config,
            protocol.context,
            protocol.task_group,
            protocol.ssl,
            protocol.client,
            protocol.server,
            protocol.stream_send,
            STREAM_ID,
        )
        self._protocol = protocol
        self._direct = direct
        self._body = b""
        self.start_time = time()
        headers = list(request.headers)
        scope: Any = _scope(protocol, request.method, request.target, headers, request.http_version)
        self.scope = scope

    async def handle(self, event: Event) -> None:
        """Take a part of the request; at its end, answer it."""
        if isinstance(event, Body):
            self._body += event.data
        elif isinstance(event, EndBody):
            scope: Any = self.scope
            answer = await self._direct.answer(scope, self._body)
            await self._protocol.send_whole(answer)
            told: Any = {"status": answer.status, "headers": answer.headers}
            await self.config.log.access(self.scope, told, time() - self.start_time)
            await self.send(StreamClosed(stream_id=STREAM_ID))
        elif isinstance(event, StreamClosed):
            self.closed = True
