"""A client of HTTP/2 on the ``h2`` library: requests and WebSockets on one connection."""

import json
import math
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import trio
from wsproto.connection import Connection, ConnectionType
from wsproto.events import CloseConnection, TextMessage
from wsproto.events import Event as WebSocketEvent

from system.client import PATIENCE

__all__ = ["Multiplexed", "WebSocket", "multiplexed"]

Headers = Sequence[tuple[str, str]]
Stream = trio.SocketStream | trio.SSLStream[trio.SocketStream]


class Multiplexed:
    """One connection. Everything that comes is taken, and its window given back, at once."""

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._turn = trio.Lock()
        self._streams: dict[int, trio.MemorySendChannel[h2.events.Event]] = {}
        self._settled = trio.Event()
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(header_encoding="utf-8"))

    async def run(self) -> None:
        """Read to the end."""
        self.h2.initiate_connection()
        await self.flush()
        while data := await self._receive():
            for event in self.h2.receive_data(data):
                if isinstance(event, h2.events.RemoteSettingsChanged):
                    self._settled.set()
                if isinstance(event, h2.events.DataReceived):
                    self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
                channel = self._streams.get(getattr(event, "stream_id", None) or 0)
                if channel is not None:
                    channel.send_nowait(event)
            await self.flush()
        for channel in self._streams.values():
            channel.close()

    async def _receive(self) -> bytes | bytearray:
        try:
            return await self._stream.receive_some()
        except trio.BrokenResourceError:
            return b""

    async def flush(self) -> None:
        """Send what h2 has to say."""
        async with self._turn:
            if data := self.h2.data_to_send():
                await self._stream.send_all(data)

    async def settled(self) -> None:
        """Wait for the server's settings."""
        with trio.fail_after(PATIENCE):
            await self._settled.wait()

    async def begin(
        self, headers: Headers, *, end: bool
    ) -> tuple[int, trio.MemoryReceiveChannel[h2.events.Event]]:
        """Begin a request; its stream, and what will happen to it."""
        await self.settled()
        number = self.h2.get_next_available_stream_id()
        events: tuple[Any, Any] = trio.open_memory_channel[h2.events.Event](math.inf)
        self._streams[number] = events[0]
        self.h2.send_headers(number, headers, end_stream=end)
        await self.flush()
        return number, events[1]

    async def ask(self, headers: Headers) -> tuple[int, bytes]:
        """The status and the body of the answer to a request without a body."""
        _, events = await self.begin(headers, end=True)
        status, body = 0, b""
        with trio.fail_after(PATIENCE):
            async for event in events:
                if isinstance(event, h2.events.ResponseReceived):
                    status = _status(event)
                elif isinstance(event, h2.events.DataReceived):
                    body += event.data or b""
                elif isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                    return status, body
        raise AssertionError("the connection ended")

    async def get(self, path: str) -> tuple[int, bytes]:
        """GET."""
        return await self.ask(
            [
                (":method", "GET"),
                (":scheme", "http"),
                (":authority", "localhost"),
                (":path", path),
            ]
        )

    async def websocket(self) -> "WebSocket":
        """A WebSocket by extended CONNECT (RFC 8441), open."""
        await self.settled()  # who is told of no extended CONNECT may not use it
        code = h2.settings.SettingCodes.ENABLE_CONNECT_PROTOCOL
        assert self.h2.remote_settings[code] == 1
        number, events = await self.begin(
            [
                (":method", "CONNECT"),
                (":protocol", "websocket"),
                (":scheme", "http"),
                (":authority", "localhost"),
                (":path", "/graphql/ws"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-protocol", "graphql-transport-ws"),
            ],
            end=False,
        )
        with trio.fail_after(PATIENCE):
            answer = await events.receive()
        assert isinstance(answer, h2.events.ResponseReceived), answer
        assert _status(answer) == 200
        return WebSocket(self, number, events)


class WebSocket:
    """One of the connection's WebSockets, which speaks graphql-transport-ws."""

    def __init__(
        self,
        owner: Multiplexed,
        number: int,
        events: trio.MemoryReceiveChannel[h2.events.Event],
    ) -> None:
        self._owner = owner
        self.number = number
        self.events = events
        self._frames = Connection(ConnectionType.CLIENT)
        self._come: list[WebSocketEvent] = []
        self._text = ""

    async def _send(self, event: WebSocketEvent) -> None:
        self._owner.h2.send_data(self.number, self._frames.send(event))
        await self._owner.flush()

    async def send(self, kind: str, **fields: object) -> None:
        """A message of the protocol."""
        await self._send(TextMessage(data=json.dumps({"type": kind, **fields})))

    async def _event(self) -> WebSocketEvent:
        while not self._come:
            with trio.fail_after(PATIENCE):
                event = await self.events.receive()
            if isinstance(event, h2.events.DataReceived):
                self._frames.receive_data(event.data)
                self._come = list(self._frames.events())
        return self._come.pop(0)

    async def read(self, kind: str) -> dict[str, Any]:
        """The next message, which must be of this kind."""
        while True:
            event = await self._event()
            assert isinstance(event, TextMessage), event
            self._text += event.data
            if event.message_finished:
                message: dict[str, Any] = json.loads(self._text)
                self._text = ""
                assert message["type"] == kind, message
                return message

    async def init(self) -> None:
        """``connection_init`` and its ack."""
        await self.send("connection_init")
        await self.read("connection_ack")

    async def subscribe(self, query: str) -> None:
        """A subscription that has begun."""
        await self.send("subscribe", id="s", payload={"query": query})
        await self.send("ping")
        await self.read("pong")

    async def next(self) -> dict[str, Any]:
        """The payload of the next ``next``."""
        payload: dict[str, Any] = (await self.read("next"))["payload"]
        return payload

    async def close(self, code: int) -> int:
        """Close it; the code of the server's close."""
        await self._send(CloseConnection(code=code))
        event = await self._event()
        assert isinstance(event, CloseConnection), event
        return int(event.code)


def _status(event: h2.events.ResponseReceived) -> int:
    return int(dict(event.headers or ())[":status"])


@asynccontextmanager
async def multiplexed(port: int, tls: ssl.SSLContext | None = None) -> AsyncIterator[Multiplexed]:
    """A connection to a server on this machine, broken off at the end."""
    stream: Stream = await trio.open_tcp_stream("127.0.0.1", port)
    try:
        if tls is not None:
            stream = trio.SSLStream(stream, tls, server_hostname="127.0.0.1", https_compatible=True)
            await stream.do_handshake()
            assert stream.selected_alpn_protocol() == "h2"
        async with trio.open_nursery() as nursery:
            client = Multiplexed(stream)
            nursery.start_soon(client.run)
            yield client
            nursery.cancel_scope.cancel()
    finally:
        await trio.aclose_forcefully(stream)
