"""A WebSocket client of no manners, by hand."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import trio

from system.harness import Place

__all__ = ["deaf", "masked", "shaken", "upgrade"]


def upgrade(headers: bytes = b"") -> bytes:
    """A request for a WebSocket."""
    return (
        b"GET /graphql/ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\n"
        b"Connection: Upgrade\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
        b"Sec-WebSocket-Version: 13\r\n" + headers + b"\r\n"
    )


@asynccontextmanager
async def shaken(
    place: Place, headers: bytes = b"", *, window: int | None = None
) -> AsyncIterator[tuple[trio.SocketStream, bytes]]:
    """The socket of a WebSocket that is open, and the head of the answer."""
    stream = await trio.open_tcp_stream("127.0.0.1", place.port)
    if window is not None:
        stream.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
    async with stream:
        await stream.send_all(upgrade(headers))
        answer = b""
        while b"\r\n\r\n" not in answer:
            answer += await stream.receive_some()
        assert answer.startswith(b"HTTP/1.1 101")
        yield stream, answer


@asynccontextmanager
async def deaf(place: Place) -> AsyncIterator[trio.SocketStream]:
    """A WebSocket whose client reads nothing from now on, and answers no close."""
    async with shaken(place, window=4096) as (stream, _):
        yield stream


def masked(text: str) -> bytes:
    """A client's text frame; its mask is nothing but zeros."""
    data = text.encode()
    size = bytes([0x80 | len(data)]) if len(data) < 126 else b"\xfe" + len(data).to_bytes(2)
    return b"\x81" + size + bytes(4) + data
