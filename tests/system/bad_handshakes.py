"""What is almost a handshake: by its number, and the same each time."""

import ssl
from collections.abc import Sequence
from functools import cache
from random import Random

from attrs import frozen

from system.bad_messages import seed
from system.rude import upgrade

__all__ = ["Half", "client_hello", "half_handshake", "half_http_2"]


@frozen
class Half:
    """A handshake in pieces: ``statuses`` that it may be answered with; none where it ends early.

    With ``leaves`` the client goes at once.
    """

    what: str
    pieces: tuple[bytes, ...]
    statuses: tuple[int, ...] = ()
    leaves: bool = False

    @property
    def large(self) -> bool:
        """More than a server need read to refuse it."""
        return sum(map(len, self.pieces)) > 8_000


UPGRADE = upgrade(b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n")
REFUSED = (400, 403, 404, 405, 413, 414, 426, 431, 501, 505)
WRONG: Sequence[tuple[bytes, bytes]] = (
    (b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", b""),
    (b"dGhlIHNhbXBsZSBub25jZQ==", b"x"),
    (b"dGhlIHNhbXBsZSBub25jZQ==", b"\xff\xfe"),
    (b"Sec-WebSocket-Version: 13\r\n", b""),
    (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 12"),
    (b"Sec-WebSocket-Version: 13", b"Sec-WebSocket-Version: 1e1"),
    (b"Host: 127.0.0.1\r\n", b""),
    (b"Host: 127.0.0.1\r\n", b"Host: a\r\nHost: b\r\n"),
    (b"Host: 127.0.0.1", b"Host: evil.example"),
    (b"Host: 127.0.0.1", b"Host: \xff\xff"),
    (b"Host: 127.0.0.1", b"Host: [::1"),
    (b"GET ", b"POST "),
    (b"GET ", b"G\0T "),
    (b"GET ", b""),
    (b"HTTP/1.1", b"HTTP/1.0"),
    (b"HTTP/1.1", b"HTTP/3.7"),
    (b"HTTP/1.1", b""),
    (b"/graphql/ws", b"/nowhere"),
    (b"/graphql/ws", b"/graphql/ws\0"),
    (b"/graphql/ws", b"*"),
    (b"/graphql/ws", b"http://x:y@[/"),
    (b"/graphql/ws", b"/%ff%00%zz"),
    (b"/graphql/ws", b"/" + b"a" * 70_000),
    (b"Upgrade: websocket", b"Upgrade: websocket, h2c"),
    (b"Upgrade: websocket", b"Upgrade: teapot"),
    (b"Upgrade: websocket\r\n", b""),
    (b"Connection: Upgrade\r\n", b""),
    (b"Connection: Upgrade", b"Connection: close"),
    (b"\r\n\r\n", b"\r\nX: " + b"y" * 70_000 + b"\r\n\r\n"),
    (b"\r\n\r\n", b"\r\n" + b"X: y\r\n" * 5_000 + b"\r\n"),
    (b"\r\n\r\n", b"\r\nNo colon\r\n\r\n"),
    (b"\r\n\r\n", b"\r\n : x\r\n\r\n"),
    (b"\r\n\r\n", b"\r\nX: a\0b\r\n\r\n"),
    (b"\r\n\r\n", b"\r\nX: a\r\n b\r\n\r\n"),
    (b"\r\n\r\n", b"\r\nContent-Length: 5\r\n\r\nhello"),
    (b"\r\n\r\n", b"\r\nContent-Length: -1\r\n\r\n"),
    (b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"),
    (b"\r\n\r\n", b"\r\nOrigin: https://evil.example\r\n\r\n"),
    (b"\r\n\r\n", b'\r\nSec-WebSocket-Extensions: permessage-deflate; x="\r\n\r\n'),
    (b"graphql-transport-ws", b"\xff,,;"),
    (b"\r\n", b"\n"),
)


def half_handshake(number: int) -> Half:
    """A handshake that ends too early, is wrong, or comes in small pieces."""
    dice = Random(f"handshake {seed} {number}")
    match dice.randrange(4):
        case 0 | 1:
            cut = UPGRADE[: dice.randrange(len(UPGRADE))]
            return Half("truncated", _pieces(dice, cut), leaves=dice.random() < 0.5)
        case 2:
            old, new = dice.choice(WRONG)
            data = UPGRADE.replace(old, new, 1)
            statuses = (101, 200, *REFUSED)
            return Half(f"{old!r} is {new[:40]!r}", _pieces(dice, data), statuses)
        case _:
            data = bytearray(UPGRADE)
            for _ in range(dice.randint(1, 4)):
                data[dice.randrange(len(data) - 4)] = dice.randrange(256)
            return Half("mutated", _pieces(dice, bytes(data)), (101, 200, *REFUSED))


def _pieces(dice: Random, data: bytes) -> tuple[bytes, ...]:
    size = dice.choice([1, 7, 100, 65536])
    if len(data) > 5_000:
        size = 65536
    return tuple(data[start : start + size] for start in range(0, len(data), size))


@cache
def client_hello() -> bytes:
    """The first bytes of TLS."""
    context = ssl.create_default_context()
    read, written = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(read, written, server_hostname="localhost")
    try:
        client.do_handshake()
    except ssl.SSLWantReadError:
        return written.read()
    raise AssertionError("a handshake alone")


ODD_HEADERS: Sequence[tuple[bytes, bytes]] = (
    (b":method", b"CONN\xffECT"),
    (b":method", b""),
    (b":protocol", b"\xff"),
    (b":protocol", b"teapot"),
    (b":path", b"/graphql/\xff\xfe"),
    (b":path", b"/%ff%00%zz"),
    (b":path", b""),
    (b":path", b"graphql"),
    (b":scheme", b"\xff"),
    (b":authority", b"\xff"),
    (b":authority", b"evil.example"),
    (b":status", b"200"),
    (b"host", b"\xff"),
    (b"connection", b"\xffupgrade"),
    (b"upgrade", b"websocket"),
    (b"content-length", b"x"),
    (b"content-length", b"\xff"),
    (b"sec-websocket-version", b"12"),
    (b"sec-websocket-version", b"\xff"),
    (b"sec-websocket-protocol", b"\xff,,"),
    (b"sec-websocket-extensions", b"\xff;=,"),
    (b"origin", b"\xff\xfe"),
    (b"cookie", b"\xff"),
    (b"te", b"\xff"),
    (b"UPPER", b"x"),
    (b"a b", b"x"),
    (b"\xff", b"x"),
    (b"x", b"\0"),
    (b"x", b"y" * 9_000),
)


def half_http_2(dice: Random) -> tuple[str, bytes]:
    """What kind of beginning of HTTP/2 it is, and its bytes: no connection of it is whole."""
    preface = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
    kind = dice.randrange(4)
    if kind == 0:
        return "preface of HTTP/2", preface[: dice.randrange(len(preface))]
    if kind == 1:
        odd = bytes([0, 0, dice.randrange(30), dice.randrange(12), dice.randrange(256)])
        more = bytes([0, 0, 0, dice.randrange(4)]) + dice.randbytes(dice.randrange(60))
        return "frame of HTTP/2", preface + odd + more
    headers = {
        b":method": dice.choice([b"CONNECT", b"GET", b"POST"]),
        b":protocol": b"websocket",
        b":scheme": b"http",
        b":path": b"/graphql/ws",
        b":authority": b"127.0.0.1",
        b"sec-websocket-version": b"13",
        b"sec-websocket-protocol": b"graphql-transport-ws",
    }
    for _ in range(dice.randint(1, 2)):
        if dice.random() < 0.3:
            headers.pop(dice.choice(list(headers)))
        else:
            name, value = dice.choice(ODD_HEADERS)
            headers[name] = value
    if headers.get(b":method") != b"CONNECT":
        headers.pop(b":protocol", None)
    block = b"".join(map(_literal, headers.items()))
    flags = dice.choice([0x04, 0x05, 0x05, 0x00])
    head = len(block).to_bytes(3) + bytes([1, flags, 0, 0, 0, dice.choice([1, 1, 1, 3, 2])])
    return "headers of HTTP/2", preface + head + block


def _literal(header: tuple[bytes, bytes]) -> bytes:
    """A literal header field without indexing (RFC 7541, section 6.2.2)."""
    return b"\0" + b"".join(_length(len(text)) + text for text in header)


def _length(size: int) -> bytes:
    if size < 127:
        return bytes([size])
    size -= 127
    found = b"\x7f"
    while size >= 128:
        found += bytes([size % 128 + 128])
        size //= 128
    return found + bytes([size])
