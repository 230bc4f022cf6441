"""Clients by hand that stream: one that reads all there is, and ones that read nothing at all."""

import json
import socket
import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
from hyperframe.frame import DataFrame, SettingsFrame

from system.client import PATIENCE
from system.harness import Place
from system.rude import masked, upgrade
from system.rude_h2 import rude_h2, websocket_headers

__all__ = [
    "Reader",
    "SocketStream",
    "deaf_subscriber",
    "dialled",
    "shake",
    "subscription",
    "trusting",
]

SocketStream = trio.SocketStream | trio.SSLStream[trio.SocketStream]
AGREED = b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n"
HOST = "127.0.0.1"


def subscription(query: str, cursor: str | None = None) -> list[str]:
    """What a client says first: its init, and right behind it one subscription."""
    payload: dict[str, object] = {"query": query}
    if cursor is not None:
        payload["extensions"] = {"cursor": cursor}
    return [
        json.dumps({"type": "connection_init"}),
        json.dumps({"type": "subscribe", "id": "x", "payload": payload}),
    ]


@asynccontextmanager
async def dialled(place: Place, *, window: int | None = None) -> AsyncIterator[SocketStream]:
    """A connection to the server, through its TLS where it has one.

    ``window`` is the size in bytes of the receive buffer of the kernel.
    """
    with trio.socket.socket() as own:
        if window is not None:  # before it connects: this is what the peer is told at first
            own.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        with trio.fail_after(PATIENCE):
            await own.connect((HOST, place.port))
        stream = trio.SocketStream(own)
        if place.tls is None:
            yield stream
            return
        secured = trio.SSLStream(
            stream, place.tls.trust(), server_hostname=HOST, https_compatible=True
        )
        with trio.fail_after(PATIENCE):
            await secured.do_handshake()
        yield secured


async def shake(stream: SocketStream) -> bytes:
    """Open a WebSocket; what has come behind the answer."""
    await stream.send_all(upgrade(AGREED))
    answer = b""
    with trio.fail_after(PATIENCE):
        while b"\r\n\r\n" not in answer:
            chunk = await stream.receive_some()
            assert chunk
            answer += chunk
    head, _, rest = answer.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 101"), head
    return rest


class Reader:
    """Follows one subscription to the end of its connection.

    Its titles are those of every ``next``, in the order of arrival; ``at`` wakes who waits for so
    many. ``code`` is what the server closed with, None while it has not.
    """

    def __init__(self, query: str, cursor: str) -> None:
        self._messages = subscription(query, cursor)
        self.titles: list[str] = []
        self.sizes: set[int] = set()
        self.recovered: list[bool] = []
        self.code: int | None = None
        self._wanted = 0
        self._there = trio.Event()

    async def at(self, count: int) -> None:
        """Wait until it has had so many."""
        self._wanted = count
        self._look()
        await self._there.wait()

    def _look(self) -> None:
        if 0 < self._wanted <= len(self.titles):
            self._there.set()

    async def run(
        self, place: Place, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Read to the end; started when it is subscribed."""
        async with dialled(place) as stream:
            buffer = bytearray(await shake(stream))
            for message in self._messages:
                await stream.send_all(masked(message))
            task_status.started()
            while self.code is None:
                chunk = await stream.receive_some(2**18)
                assert chunk, "it ended without a close"
                buffer += chunk
                for opcode, data in _frames(buffer):
                    self._take(opcode, data)
            await stream.send_all(b"\x88\x82" + bytes(4) + self.code.to_bytes(2))

    def _take(self, opcode: int, data: bytes) -> None:
        if opcode == 8:
            self.code = int.from_bytes(data[:2])
        if opcode != 1:
            return
        message: dict[str, Any] = json.loads(data)
        if message["type"] == "next":
            payload = message["payload"]
            self.titles.append(payload["data"]["newIncidents"]["title"])
            self.sizes.add(len(payload["data"]["newIncidents"].get("description", "")))
            if "recovered" in payload["extensions"]:
                self.recovered.append(payload["extensions"]["recovered"])
            self._look()


def _frames(buffer: bytearray) -> list[tuple[int, bytes]]:
    """Take the whole frames of a server off the buffer; each of them is a whole message."""
    found = []
    start = 0
    while len(buffer) - start >= 2:
        size, body = buffer[start + 1], start + 2
        if size >= 126:
            wide = 2 if size == 126 else 8
            size, body = int.from_bytes(buffer[body : body + wide]), body + wide
        if len(buffer) < body + size:
            break
        assert buffer[start] & 0x80, "a fragment"
        found.append((buffer[start] & 0x0F, bytes(buffer[body : body + size])))
        start = body + size
    del buffer[:start]
    return found


@asynccontextmanager
async def deaf_subscriber(
    place: Place, messages: Sequence[str], *, http2: bool = False
) -> AsyncIterator[None]:
    """A client that has sent these messages, and reads nothing from its handshake on.

    Over HTTP/2 (RFC 8441) it opens no window either: not one byte may be sent on its stream.
    """
    if http2:
        async with rude_h2(place, settings={SettingsFrame.INITIAL_WINDOW_SIZE: 0}) as client:
            await client.send(client.headers(1, websocket_headers(), end=False))
            assert await client.status(1) == "200"
            await client.send(*[DataFrame(1, masked(message)) for message in messages])
            yield
        return
    async with dialled(place, window=4096) as stream:
        await shake(stream)
        for message in messages:
            await stream.send_all(masked(message))
        yield


def trusting(place: Place) -> ssl.SSLContext | bool:
    """What httpx is to verify the server with."""
    return True if place.tls is None else place.tls.trust()
