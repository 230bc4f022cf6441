"""Asking for a WebSocket, over HTTP/1.1 or 2, TLS or not: the answer, and then its frames."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h2.events
import pytest
import trio
from attrs import frozen

from system import certificates
from system.certificates import Certificates
from system.client import PATIENCE
from system.h2_client import Multiplexed, multiplexed
from system.harness import Place
from system.rude import upgrade
from system.wires import Carrier, Talk, byte_stream, frame

__all__ = ["WAYS", "Door", "Way", "knocked", "knocked_again"]

PROTOCOL = "graphql-transport-ws"


@frozen
class Way:
    """How a client comes."""

    carrier: Carrier
    secure: bool

    def certificates(self, directory: Path) -> Certificates | None:
        """What a server at the other end of it speaks TLS with, if it does."""
        return certificates.make(directory / "tls") if self.secure else None


WAYS = [
    pytest.param(Way(Carrier.HTTP_1, secure=False), id="http1"),
    pytest.param(Way(Carrier.HTTP_1, secure=True), id="http1-tls"),
    pytest.param(Way(Carrier.HTTP_2, secure=False), id="h2c"),
    pytest.param(Way(Carrier.HTTP_2, secure=True), id="h2-tls"),
]


@frozen
class Door:
    """The answer to a request for a WebSocket: 101 (200 over HTTP/2) where it was let in."""

    status: int
    headers: Mapping[str, str]
    talk: Talk

    @property
    def open(self) -> bool:
        return self.status in (101, 200)

    async def send(self, kind: str, **fields: object) -> None:
        text = json.dumps({"type": kind, **fields})
        await self.talk.send(frame(1, text.encode()))

    async def read(self) -> dict[str, Any]:
        """The next message of the protocol."""
        message: dict[str, Any] = json.loads(await self.talk.text())
        return message

    async def init(self) -> None:
        await self.send("connection_init")
        assert (await self.read())["type"] == "connection_ack"


@asynccontextmanager
async def knocked(
    place: Place, carrier: Carrier, headers: Mapping[str, str] | None = None, preface: bytes = b""
) -> AsyncIterator[Door]:
    """Ask on a connection of its own, which is broken off at the end.

    ``preface`` is sent before everything else (of a connection without TLS).
    """
    if carrier is Carrier.HTTP_2:
        tls = None if place.tls is None else place.tls.trust(alpn=["h2"])
        async with multiplexed(place.port, tls) as client:
            yield await knocked_again(client, headers)
        return
    async with byte_stream(place, carrier) as stream:
        more = {"Sec-WebSocket-Protocol": PROTOCOL, **(headers or {})}
        lines = "".join(f"{name}: {value}\r\n" for name, value in more.items())
        await stream.send_all(preface + upgrade(lines.encode()))
        answer = b""
        with trio.fail_after(PATIENCE):
            while b"\r\n\r\n" not in answer:
                data = await stream.receive_some()
                assert data, answer
                answer += data
        head, _, _ = answer.partition(b"\r\n\r\n")
        first, *fields = head.decode().split("\r\n")
        pairs = (each.partition(": ") for each in fields)
        found = {name.lower(): value for name, _, value in pairs}
        yield Door(int(first.split()[1]), found, Talk(_Plain(stream)))


async def knocked_again(client: Multiplexed, headers: Mapping[str, str] | None = None) -> Door:
    """Ask on a connection of HTTP/2 (RFC 8441) that may have other WebSockets."""
    await client.settled()
    top = {
        ":method": "CONNECT",
        ":protocol": "websocket",
        ":scheme": "http",
        ":path": "/graphql/ws",
        ":authority": "127.0.0.1",
        "sec-websocket-version": "13",
        "sec-websocket-protocol": PROTOCOL,
    }
    more = {name.lower(): value for name, value in (headers or {}).items()}
    number, events = await client.begin([*top.items(), *more.items()], end=False)
    with trio.fail_after(PATIENCE):
        answer = await events.receive()
    assert isinstance(answer, h2.events.ResponseReceived), answer
    found = {str(name): str(value) for name, value in answer.headers or ()}
    return Door(int(found[":status"]), found, Talk(_Stream(client, number, events)))


@frozen
class _Plain:
    """The bytes of a connection."""

    stream: trio.SocketStream | trio.SSLStream[trio.SocketStream]

    async def send_all(self, data: bytes) -> None:
        await self.stream.send_all(data)

    async def receive_some(self) -> bytes:
        return bytes(await self.stream.receive_some())


@frozen
class _Stream:
    """The bytes of one stream of several."""

    client: Multiplexed
    number: int
    events: trio.MemoryReceiveChannel[h2.events.Event]

    async def send_all(self, data: bytes) -> None:
        while data:
            room = min(self.client.h2.local_flow_control_window(self.number), 16384)
            self.client.h2.send_data(self.number, data[:room])
            await self.client.flush()
            await trio.lowlevel.checkpoint()  # the window opens while others read
            data = data[room:]

    async def receive_some(self) -> bytes:
        async for event in self.events:
            if isinstance(event, h2.events.DataReceived):
                return event.data or b""
            if isinstance(event, h2.events.StreamEnded | h2.events.StreamReset):
                break
        return b""
