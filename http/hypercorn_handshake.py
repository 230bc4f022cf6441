"""How one WebSocket of Hypercorn's begins: what it is given to work with, and what it keeps."""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from functools import lru_cache
from typing import Any, cast
from urllib.parse import unquote

import h11
from hypercorn.config import Config
from hypercorn.protocol.events import EndBody, Request, Response, StreamClosed
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import ASGIWebsocketState, Handshake, WSStream
from hypercorn.typing import ConnectionState as Names
from wsproto.connection import ConnectionState
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import WEBSOCKET_VERSION

from incident_manager.http.app_queue import AppQueue
from incident_manager.http.compressed_writer import CompressedWriter
from incident_manager.http.deflate import Agreement, agree
from incident_manager.http.deflate_extension import EXTENSIONS, DeflateExtension, DeflateHandshake
from incident_manager.http.hypercorn_events import Upgrading
from incident_manager.http.hypercorn_h2 import GuardedH2
from incident_manager.http.hypercorn_tcp import GuardedServer
from incident_manager.http.hypercorn_upgrade import NOBODY_WAITS
from incident_manager.http.own_task import NURSERY, OwnTask
from incident_manager.http.stream_lane import StreamLane
from incident_manager.http.transport import guard_of
from incident_manager.http.websocket_frames import Frames
from incident_manager.http.websocket_writer import KEY, Lane, WebSocketWriter
from incident_manager.http.whole_upgrade import Upgrade, answer

__all__ = ["OpeningWebSocket"]

_READ = (b"connection", b"sec-websocket-protocol")


class _Accepted:
    """What is left of a handshake."""

    accepted = True
    version: bytes | None = None


_ACCEPTED = _Accepted()


class _Ready(Handshake):
    """A handshake that is known to be good, and offers no extension that would not be known."""

    def __init__(self, upgrade: Upgrade) -> None:
        self.accepted = False
        self.http_version = "1.1"
        self.extensions = None
        self.key = upgrade.key
        self.subprotocols = list(upgrade.subprotocols)
        self.version = WEBSOCKET_VERSION


@lru_cache(2)
def _dated(config: Config, second: int) -> bytes:  # noqa: ARG001 -- of Date
    """The lines that Hypercorn says with every answer of that second."""
    return b"".join(b"%b: %b\r\n" % header for header in config.response_headers("h11"))


class OpeningWebSocket(WSStream):
    """Hypercorn 0.18 always agrees to permessage-deflate, and keeps all of a handshake, and of its
    decoders, as long as the WebSocket lasts.

    Here compression is agreed where the application wants it, without a context that would be
    kept, and of the rest nothing stays. The application gets a ``WebSocketWriter`` for the frames
    it makes itself. Where the WebSocket has its connection alone, the reader's task runs it.
    """

    _lane: Lane | None = None
    _writer: WebSocketWriter | None = None
    _queue: AppQueue | None = None
    _own: OwnTask | None = None
    _frames: Frames | None = None
    _agreement: Agreement | None = None

    async def _open(self, event: Request) -> None:
        if guard_of(self.app).compression:
            self._agreement = agree(_values(event.headers, EXTENSIONS))
        kept = [_ascii(each) for each in event.headers if each[0].lower() != EXTENSIONS]
        state = Names({**event.state, **self._offer()})
        if (server := self._server()) is not None:
            self._run_by(server, state)
        await WSStream.handle(self, replace(event, headers=kept, state=state))
        if self._own is None and self.app_put is not None:
            self._queue = AppQueue(self.app_put, self.task_group)
            self.app_put = self._queue.put
        if self.closed:  # refused, after which Hypercorn leaves the connection open for ever
            await self.send(StreamClosed(stream_id=self.stream_id))

    async def _begin(self, event: Upgrading) -> None:
        """Do as :meth:`_open` does, but with a handshake that is known to be good, of a client that
        has its connection alone.
        """
        upgrade, server = event.upgrade, self._server()
        assert server is not None  # noqa: S101 -- there is no such handshake elsewhere
        if guard_of(self.app).compression:
            self._agreement = agree(_values(upgrade.headers, EXTENSIONS))
        state = Names({**event.state, **self._offer()})
        own = self._run_by(server, state)
        self.start_time = time.time()
        self.handshake = _Ready(upgrade)
        path, _, query = upgrade.target.partition(b"?")
        self.scope = {
            "type": "websocket",
            "asgi": {"spec_version": "2.3", "version": "3.0"},
            "scheme": self.scheme,
            "http_version": "1.1",
            "path": unquote(path.decode("ascii")),
            "raw_path": path,
            "query_string": query,
            "root_path": self.config.root_path,
            "headers": [each for each in upgrade.headers if each[0] != EXTENSIONS],
            "client": self.client,
            "server": self.server,
            "state": state,
            "subprotocols": self.handshake.subprotocols or [],
            "extensions": {"websocket.http.response": {}},
        }
        self.app_put = await own.spawn_app(self.app, self.config, self.scope, self.app_send)
        await own.put({"type": "websocket.connect"})

    def _run_by(self, server: GuardedServer, state: Names) -> OwnTask:
        """Have the reader's task run the application."""
        self._own = own = OwnTask(self.task_group, cast(Any, self), server.read)
        state[NURSERY] = server.nursery
        server.application = own
        self.task_group = cast(Any, own)
        return own

    def _offer(self) -> dict[str, object]:
        """What the application can write with, where this is a connection of ours."""
        protocol = getattr(self.send, "__self__", None)
        if isinstance(protocol, GuardedH2):
            self._lane = StreamLane(protocol, self.stream_id)
        elif (server := self._server()) is not None:
            self._lane = server.wire
        if self._lane is None:
            return {}
        if self._agreement is None:
            self._writer = WebSocketWriter(self._lane)
        else:
            self._writer = CompressedWriter(self._lane, self._agreement)
        return {KEY: self._writer}

    def _is_open(self) -> bool:
        return (
            not self.closed
            and self.handshake.accepted
            and self.connection.state is ConnectionState.OPEN
        )

    async def _accept(self, message: Any) -> None:
        extensions: list[Extension] = []
        if self._agreement is not None:
            extension = DeflateExtension(self._agreement, self.buffer.max_length)
            self.handshake = DeflateHandshake(self.handshake, extension)
            extensions.append(extension)
        if self._own is None:
            await super()._accept(message)
        else:
            await self._answer(message)
        self._frames = Frames(extensions)
        self.connection = cast(Any, self._frames)
        if self._own is not None:
            self._forget_handshake()
        if self._writer is not None:
            self._writer.open = self._is_open()

    async def _answer(self, message: Any) -> None:
        """Accept as Hypercorn does, but without h11, which is done with this connection."""
        self.state = ASGIWebsocketState.CONNECTED
        subprotocol, more = message.get("subprotocol"), message.get("headers", ())
        handshake, dated = self.handshake, _dated(self.config, int(time.time()))
        known = handshake.subprotocols or ()
        status = 101
        if type(handshake) is _Ready and not more and (not subprotocol or subprotocol in known):
            handshake.accepted = True
            head = answer(handshake.key or b"", subprotocol, dated)
        else:
            status, headers, _ = handshake.accept(subprotocol, more)
            lines = [b"%b: %b\r\n" % header for header in headers]
            head = b"HTTP/1.1 %d \r\n%b%b\r\n" % (status, b"".join(lines), dated)
        if self._lane is not None:
            self._lane.write(head)
        told: Any = {"status": status, "headers": []}
        await self.config.log.access(self.scope, told, time.time() - self.start_time)
        if self.config.websocket_ping_interval is not None:
            self.task_group.spawn(self._send_pings)

    def _forget_handshake(self) -> None:
        """Drop what a connection does not need that has become a WebSocket for good."""
        protocol: Any = getattr(self.send, "__self__", None)
        protocol.connection.h11_connection = protocol.connection.head = None
        protocol.can_read = NOBODY_WAITS
        self.handshake = cast(Any, _ACCEPTED)
        self.scope.clear()  # type: ignore[attr-defined]

    async def _send_error_response(self, status_code: int) -> None:
        """Refuse a handshake; one of another version is told ours (RFC 6455, section 4.4)."""
        if status_code != 400 or self.handshake.version in {None, WEBSOCKET_VERSION}:
            await super()._send_error_response(status_code)
            return
        headers = [
            (b"content-length", b"0"),
            (b"connection", b"close"),
            (b"sec-websocket-version", WEBSOCKET_VERSION),
        ]
        await self.send(Response(stream_id=self.stream_id, status_code=426, headers=headers))
        await self.send(EndBody(stream_id=self.stream_id))

    async def _too_early(self) -> None:
        """Refuse a client that sends before it has its answer; after a refusal, ignore it."""
        if self.state is not ASGIWebsocketState.HANDSHAKE:
            return
        self.closed = True  # nothing the application says from now on counts
        with suppress(h11.LocalProtocolError):  # or it has just had its answer
            await self._send_error_response(400)
        if self.app_put is not None:
            code = CloseReason.ABNORMAL_CLOSURE.value
            await self.app_put({"type": "websocket.disconnect", "code": code})
        await self.send(StreamClosed(stream_id=self.stream_id))

    def _server(self) -> GuardedServer | None:
        """The connection, where it has this WebSocket alone."""
        alone = isinstance(getattr(self.send, "__self__", None), H11Protocol)
        return self._connection() if alone else None

    def _connection(self) -> GuardedServer | None:
        """The connection that this WebSocket is on."""
        protocol = getattr(self.send, "__self__", None)
        server = getattr(getattr(protocol, "send", None), "__self__", None)
        return server if isinstance(server, GuardedServer) else None


def _values(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in headers if key.lower() == name]


def _ascii(header: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """A header as Hypercorn can read it: what it takes for ASCII without a look, must be."""
    name, value = header
    if name.lower() not in _READ or value.isascii():
        return header
    return name, value.decode("ascii", "replace").encode("ascii", "replace")
