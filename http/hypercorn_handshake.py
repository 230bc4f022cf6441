"""How one WebSocket of Hypercorn's begins: what it is given to work with, and what it keeps."""

import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace
from typing import Any, cast

import h11
from hypercorn.protocol.events import Data, EndBody, Request, Response, StreamClosed
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.protocol.ws_stream import ASGIWebsocketState, WSStream
from hypercorn.typing import ConnectionState as Names
from wsproto.connection import ConnectionState
from wsproto.extensions import Extension
from wsproto.frame_protocol import CloseReason
from wsproto.handshake import WEBSOCKET_VERSION

from incident_manager.http.app_queue import AppQueue
from incident_manager.http.compressed_writer import CompressedWriter
from incident_manager.http.deflate import Agreement, agree
from incident_manager.http.deflate_extension import EXTENSIONS, DeflateExtension, DeflateHandshake
from incident_manager.http.hypercorn_h2 import GuardedH2
from incident_manager.http.hypercorn_tcp import GuardedServer
from incident_manager.http.own_task import NURSERY, OwnTask
from incident_manager.http.stream_lane import StreamLane
from incident_manager.http.transport import guard_of
from incident_manager.http.websocket_frames import Frames
from incident_manager.http.websocket_writer import KEY, Lane, WebSocketWriter

__all__ = ["OpeningWebSocket"]

_READ = (b"connection", b"sec-websocket-protocol")


class _Accepted:
    """What is left of a handshake."""

    accepted = True
    version: bytes | None = None


class _NobodyWaits:
    """An event of Hypercorn's that nothing waits for."""

    async def set(self) -> None:
        """Nothing."""


_ACCEPTED = _Accepted()
_NOBODY_WAITS = _NobodyWaits()


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
            self._own = OwnTask(self.task_group, cast(Any, self), server.read)
            state[NURSERY] = server.nursery
            server.application = self._own
            self.task_group = cast(Any, self._own)
        await WSStream.handle(self, replace(event, headers=kept, state=state))
        if self._own is None and self.app_put is not None:
            self._queue = AppQueue(self.app_put, self.task_group)
            self.app_put = self._queue.put
        if self.closed:  # refused, after which Hypercorn leaves the connection open for ever
            await self.send(StreamClosed(stream_id=self.stream_id))

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
        status, headers, _ = self.handshake.accept(subprotocol, more)
        headers += self.config.response_headers("h11")
        lines = [b"%b: %b\r\n" % header for header in headers]
        head = b"HTTP/1.1 %d \r\n%b\r\n" % (status, b"".join(lines))
        await self.send(Data(stream_id=self.stream_id, data=head))
        told: Any = {"status": status, "headers": []}
        await self.config.log.access(self.scope, told, time.time() - self.start_time)
        if self.config.websocket_ping_interval is not None:
            self.task_group.spawn(self._send_pings)

    def _forget_handshake(self) -> None:
        """Drop what a connection does not need that has become a WebSocket for good."""
        protocol: Any = getattr(self.send, "__self__", None)
        protocol.connection.h11_connection = None
        protocol.can_read = _NOBODY_WAITS
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
