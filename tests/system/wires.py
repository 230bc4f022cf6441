"""WebSockets by hand, down to their bytes, whatever carries them: HTTP/1.1 or 2, TLS or not."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from typing import Protocol

import h2.config
import h2.connection
import h2.events
import h2.exceptions
import trio
from wsproto.frame_protocol import FrameProtocol, Opcode

from system.client import PATIENCE
from system.harness import Place
from system.rude import upgrade

__all__ = ["Carrier", "Ended", "Http2Wire", "Talk", "Wire", "byte_stream", "frame", "opened_wire"]

SUBPROTOCOL = "graphql-transport-ws"


class Carrier(Enum):
    """What carries the WebSocket, over the server's TLS where it has one."""

    HTTP_1 = "http/1.1"
    HTTP_2 = "h2"


class Wire(Protocol):
    """The bytes of one WebSocket, after the handshake."""

    async def send_all(self, data: bytes) -> None: ...

    async def receive_some(self) -> bytes: ...


def frame(
    opcode: int,
    data: bytes = b"",
    *,
    first: int = 0x80,
    mask: bytes | None = bytes(4),
    size: int | None = None,
    width: int | None = None,
) -> bytes:
    """A frame: ``first`` has the bits beside the opcode; without ``mask`` it is bare.

    ``size`` is the length that it states; ``width`` says by how many bytes (0, 2 or 8) more than
    the seven bits, where they are not the fewest.
    """
    stated = len(data) if size is None else size
    if width is None:
        width = 0 if stated < 126 else 2 if stated < 65536 else 8
    seven = {0: stated, 2: 126, 8: 127}[width]
    head = bytes([first | opcode, (0 if mask is None else 0x80) | seven]) + (
        stated.to_bytes(width) if width else b""
    )
    if mask is None:
        return head + data
    if any(mask):
        key = (mask * (len(data) // 4 + 1))[: len(data)]
        data = (int.from_bytes(data) ^ int.from_bytes(key)).to_bytes(len(data))
    return head + mask + data


@asynccontextmanager
async def byte_stream(
    place: Place, carrier: Carrier = Carrier.HTTP_1
) -> AsyncIterator["trio.SocketStream | trio.SSLStream[trio.SocketStream]"]:
    """A connection that has carried nothing yet; broken off at the end."""
    with trio.fail_after(PATIENCE):
        stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]
        stream = await trio.open_tcp_stream("127.0.0.1", place.port)
        if place.tls is not None:
            context = place.tls.trust(alpn=[carrier.value])
            stream = trio.SSLStream(
                stream, context, server_hostname="127.0.0.1", https_compatible=True
            )
            await stream.do_handshake()
    try:
        yield stream
    finally:
        await trio.aclose_forcefully(stream)


class Http2Wire:
    """A WebSocket that is the only stream of its HTTP/2 connection (RFC 8441)."""

    def __init__(self, stream: "trio.SocketStream | trio.SSLStream[trio.SocketStream]") -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self._stream = stream
        self._state = h2.connection.H2Connection(config)
        self._id = 0
        self._got = b""
        self._over = False
        self.status: str | None = None

    async def begin(self) -> None:
        self._state.initiate_connection()
        await self._flush()
        while not self._state.remote_settings.enable_connect_protocol:
            await self._read()
        self._id = self._state.get_next_available_stream_id()
        top = {
            ":method": "CONNECT",
            ":protocol": "websocket",
            ":scheme": "http",
            ":path": "/graphql/ws",
            ":authority": "127.0.0.1",
            "sec-websocket-version": "13",
            "sec-websocket-protocol": SUBPROTOCOL,
        }
        self._state.send_headers(self._id, list(top.items()))
        await self._flush()
        while self.status is None and not self._over:
            await self._read()

    async def _flush(self) -> None:
        await self._stream.send_all(self._state.data_to_send())

    async def _read(self) -> None:
        data = await self._stream.receive_some()
        if not data:
            self._over = True
            return
        for event in self._state.receive_data(data):
            if isinstance(event, h2.events.DataReceived):
                self._got += event.data
                self._state.acknowledge_received_data(event.flow_controlled_length or 0, self._id)
            elif isinstance(event, h2.events.ResponseReceived):
                self.status = str(dict(event.headers)[":status"])
            elif isinstance(
                event,
                h2.events.StreamEnded | h2.events.StreamReset | h2.events.ConnectionTerminated,
            ):
                self._over = True
        await self._flush()

    async def send_all(self, data: bytes) -> None:
        while data:
            if self._over:
                raise trio.BrokenResourceError
            try:
                room = min(
                    self._state.local_flow_control_window(self._id),
                    self._state.max_outbound_frame_size,
                )
                if room == 0:
                    await self._read()
                    continue
                self._state.send_data(self._id, data[:room])
            except h2.exceptions.ProtocolError:
                raise trio.BrokenResourceError from None
            await self._flush()
            data = data[room:]

    async def receive_some(self) -> bytes:
        while not self._got and not self._over:
            await self._read()
        got, self._got = self._got, b""
        return got


@asynccontextmanager
async def opened_wire(place: Place, carrier: Carrier) -> AsyncIterator[Wire]:
    """A WebSocket that has agreed the subprotocol; broken off at the end."""
    async with byte_stream(place, carrier) as stream:
        with trio.fail_after(PATIENCE):
            if carrier is Carrier.HTTP_2:
                wire = Http2Wire(stream)
                await wire.begin()
                assert wire.status == "200"
                yield wire
                return
            await stream.send_all(upgrade(f"Sec-WebSocket-Protocol: {SUBPROTOCOL}\r\n".encode()))
            answer = b""
            while b"\r\n\r\n" not in answer:
                data = await stream.receive_some()
                assert data, "no answer to a handshake"
                answer += data
            assert answer.startswith(b"HTTP/1.1 101"), answer
        yield stream


class Ended(Exception):
    """The server has closed."""


class Talk:
    """Reads what the server says on a wire; every byte of it must be right.

    ``code`` is that of its close frame, None without one.
    """

    def __init__(self, wire: Wire) -> None:
        self.wire = wire
        self._frames = FrameProtocol(client=True, extensions=[])
        self._texts: list[str] = []
        self._part = ""
        self.code: int | None = None

    async def send(self, data: bytes) -> None:
        """Send bytes; nothing happens if the server has gone: what it said is still to be read."""
        with suppress(trio.BrokenResourceError), trio.fail_after(PATIENCE):
            await self.wire.send_all(data)

    async def text(self) -> str:
        """The next text; raises :class:`Ended` at the end."""
        with trio.fail_after(PATIENCE):
            while not self._texts:
                await self._read()
        return self._texts.pop(0)

    async def end(self) -> int | None:
        """Read to the end; the code of the server's close frame."""
        with suppress(Ended):
            while True:
                await self.text()
        return self.code

    async def _read(self) -> None:
        try:
            data = await self.wire.receive_some()
        except trio.BrokenResourceError:
            data = b""
        if not data:
            raise Ended
        self._frames.receive_bytes(data)
        for each in self._frames.received_frames():
            assert self.code is None, "something comes after the close"
            if each.opcode is Opcode.CLOSE:
                code, _ = each.payload
                self.code = int(code)
                await self.send(frame(8, self.code.to_bytes(2)))
            elif each.opcode is Opcode.TEXT:
                self._part += each.payload
                if each.message_finished:
                    self._texts.append(self._part)
                    self._part = ""
            else:
                assert each.opcode in (Opcode.PING, Opcode.PONG)
