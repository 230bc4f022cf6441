"""Whose connection it is: trusted proxies say so, and nobody else is asked."""

from itertools import pairwise
from typing import Any, cast

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.guarded_socket import GuardedSocket
from incident_manager.http.introduction import introduced
from incident_manager.http.proxies import NOBODY, Trust
from incident_manager.http.proxy_header import Endpoint, ProxyHeaderError

PROXY = ("10.0.0.1", 4711)
HEADER = b"PROXY TCP4 192.0.2.7 198.51.100.1 55555 443\r\n"
CLIENT = ("192.0.2.7", 55555)
TRUST = Trust.parse(["10.0.0.0/8"])


class Socket:
    """A connection as it came, one part at each read; then it has ended."""

    def __init__(self, *parts: bytes) -> None:
        self.parts = list(parts)
        self.preface = b""

    async def receive_some(self, max_bytes: int | None = None) -> bytes:
        await trio.lowlevel.checkpoint()
        return self.parts.pop(0) if self.parts else b""


async def ask(socket: Any, peer: Endpoint | None = PROXY, trust: Trust = TRUST) -> Endpoint | None:
    return await introduced(cast(GuardedSocket, socket), peer, trust)


async def test_a_trusted_proxy_speaks_for_its_client() -> None:
    socket = Socket(HEADER + b"GET / HTTP/1.1\r\n")
    assert await ask(socket) == CLIENT
    assert socket.preface == b"GET / HTTP/1.1\r\n"


@pytest.mark.parametrize(
    ("peer", "trust"),
    [(("192.0.2.1", 1), TRUST), (PROXY, NOBODY), (None, TRUST)],
    ids=["another", "nobody is trusted", "unix"],
)
async def test_of_others_nothing_is_read(peer: Endpoint | None, trust: Trust) -> None:
    socket = Socket(HEADER)
    assert await ask(socket, peer, trust) == peer
    assert socket.parts == [HEADER]


async def test_a_trusted_unix_socket() -> None:
    assert await ask(Socket(HEADER), None, Trust.parse(["unix"])) == CLIENT


@pytest.mark.parametrize("begun", [b"GET / HTTP/1.1\r\n", b"\x16\x03\x01\x02", b"PRI * HTTP/2.0"])
async def test_a_trusted_peer_may_come_for_itself(begun: bytes) -> None:
    socket = Socket(begun)
    assert await ask(socket) == PROXY
    assert socket.preface == begun


@pytest.mark.parametrize("header", [b"PROXY UNKNOWN\r\n", b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0"])
async def test_a_proxy_may_speak_for_itself(header: bytes) -> None:
    socket = Socket(header + b"GET")
    assert await ask(socket) == PROXY
    assert socket.preface == b"GET"


async def test_a_malformed_header_is_an_error() -> None:
    with pytest.raises(ProxyHeaderError):
        await ask(Socket(b"PROXY TCP4 here there\r\n"))


@pytest.mark.parametrize("begun", [b"", b"PROXY TCP4 192", HEADER[:-1]])
async def test_it_ends_before_it_has_begun(begun: bytes) -> None:
    with pytest.raises(trio.BrokenResourceError, match="ended before it began"):
        await ask(Socket(*filter(None, [begun])))


@given(st.lists(st.integers(0, len(HEADER) + 4)))
def test_the_parts_that_it_comes_in_do_not_matter(cuts: list[int]) -> None:
    """And nothing behind the header is lost, whatever is read with it."""
    data = HEADER + b"\x16\x03\x01!"
    edges = sorted({0, len(data), *cuts})
    parts = [data[a:b] for a, b in pairwise(edges)]

    async def main() -> None:
        socket = Socket(*parts)
        assert await ask(socket) == CLIENT
        assert socket.preface + b"".join(socket.parts) == b"\x16\x03\x01!"

    trio.run(main)
