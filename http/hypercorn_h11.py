"""HTTP/1.1 of Hypercorn's, for requests of one meaning only; those that are whole go straight."""

from collections.abc import Iterable
from functools import lru_cache
from time import time
from typing import Any, cast

import h11
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.events import Event as HypercornEvent
from hypercorn.protocol.events import Body, EndBody, Event, StreamClosed
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol
from hypercorn.protocol.http_stream import HTTPStream

from incident_manager.http.direct import Answer, Direct, direct_of
from incident_manager.http.hypercorn_events import Held, Last
from incident_manager.http.whole_request import WholeRequest, read_request

__all__ = ["GuardedH11", "LastRequest", "header_line", "is_ambiguous", "length_of"]

_END = b"\r\n"
_NOTHING = (b"", False)
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
    it here, by the task that has read it, and in one write. Until then nothing else is read.
    """

    def __init__(self, *given: Any) -> None:
        super().__init__(*given)
        most = self.config.h11_max_incomplete_size
        self.connection = LastRequest(h11.SERVER, max_incomplete_event_size=most)

    async def handle(self, event: HypercornEvent) -> None:
        """Take what has come; a whole request for which there is a direct answer gets it here, and
        h11 has nothing to do with it.
        """
        whole = self._whole(event.data) if isinstance(event, RawData) else None
        if whole is None:
            await super().handle(event)
            return
        request, direct = whole
        await self.send(Updated(idle=False))
        self.keep_alive_requests += 1
        await self.context.mark_request()
        began = time()
        scope: Any = _scope(self, request.target, request.headers)
        answer = await direct.answer(scope, request.body)
        lines = [header_line(*each) for each in (*answer.headers, *_told(self.config, int(time())))]
        head = b"HTTP/1.1 %d \r\n%b\r\n" % (answer.status, b"".join(lines))
        await self.send(Last(head + answer.body))
        told: Any = {"status": answer.status, "headers": answer.headers}
        await self.config.log.access(scope, told, time() - began)
        ends = self.context.terminated.is_set()
        await self.send(Closed() if ends else Updated(idle=True))

    def _whole(self, data: bytes) -> tuple[WholeRequest, Direct] | None:
        """The request that these bytes are, where the connection is at its beginning."""
        connection, config = self.connection, self.config
        direct = direct_of(self.app)
        if (
            direct is None
            or connection.our_state is not h11.IDLE
            or connection.their_state is not h11.IDLE
            or connection.trailing_data != _NOTHING
            or config.root_path
            or config.server_names
            or self.keep_alive_requests + 1 >= config.keep_alive_max_requests
            or self.context.terminated.is_set()
        ):
            return None
        request = read_request(data)
        if (
            request is None
            or len(request.body) > direct.most
            or not direct.takes(b"POST", request.target.partition(b"?")[0])
        ):
            return None
        return request, direct

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
        direct, connection = direct_of(self.app), self.connection
        if (
            direct is None
            or not direct.takes(request.method, request.target.partition(b"?")[0])
            or self.config.root_path
            or self.config.server_names
            or connection.they_are_waiting_for_100_continue
        ):
            return None
        length = length_of(request)
        here = len(connection.trailing_data[0])
        return None if length is None or length > min(here, direct.most) else direct

    async def send_whole(self, answer: Answer) -> None:
        """Send an answer in one write."""
        # What says where the answer ends, and whether another one follows, is h11's to know.
        headers = [each for each in answer.headers if each[0] in _FRAMING]
        if self.keep_alive_requests >= self.config.keep_alive_max_requests:
            headers.append((b"connection", b"close"))
        lines = [header_line(*each) for each in answer.headers if each[0] not in _FRAMING]
        lines += [header_line(*each) for each in _told(self.config, int(time()))]
        send: Any = self.connection.send
        head: bytes = send(h11.Response(status_code=answer.status, headers=headers))
        rest = send(h11.Data(data=answer.body)), send(h11.EndOfMessage())
        data = b"".join((head.removesuffix(_END), *lines, _END, *rest))
        # What has come behind this request is answered next: others have a turn before.
        more = self.connection.trailing_data[0]
        await self.send(RawData(data) if more else Last(data))


def _scope(
    protocol: H11Protocol, target: bytes, headers: Iterable[tuple[bytes, bytes]]
) -> dict[str, Any]:
    """ASGI's scope of a POST of HTTP/1.1."""
    path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "http_version": "1.1",
        "asgi": {"spec_version": "2.1", "version": "3.0"},
        "method": "POST",
        "scheme": "https" if protocol.ssl else "http",
        "path": path.decode("ascii"),
        "raw_path": path,
        "query_string": query,
        "root_path": "",
        "headers": list(headers),
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
        scope = _scope(protocol, request.target, request.headers)
        scope["method"] = request.method.decode("ascii")
        scope["http_version"] = request.http_version.decode()
        self.scope = cast(Any, scope)

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
