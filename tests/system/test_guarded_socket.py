"""Sockets of the kernel's: what it holds for a peer, and when a peer is given up."""

import math
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio

from incident_manager.http.guarded_socket import GuardedSocket, keep_little

MUCH = 16 * 1024 * 1024
PATIENCE = 60.0


@asynccontextmanager
async def pair(
    patience: float, *, window: int = 8192
) -> AsyncIterator[tuple[GuardedSocket, trio.SocketStream, list[str]]]:
    """A guarded socket, its peer, and what was said about stalling."""
    said: list[str] = []
    [listener] = await trio.open_tcp_listeners(0, host="127.0.0.1")
    async with listener:
        peer_socket = trio.socket.socket()
        peer_socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window)
        await peer_socket.connect(listener.socket.getsockname())
        peer = trio.SocketStream(peer_socket)
        stream = await listener.accept()
        keep_little(stream.socket)
        guarded = GuardedSocket(stream, patience, lambda: said.append("stalled"))
        async with guarded, peer:
            yield guarded, peer, said


async def drain(stream: trio.SocketStream) -> None:
    while await stream.receive_some():
        pass


async def test_the_kernel_holds_little_of_what_a_peer_does_not_take() -> None:
    async with pair(PATIENCE) as (guarded, _, _):
        taken = 0
        while sent := guarded.try_send(bytes(65536)):
            taken += sent
        assert taken < 512 * 1024
        assert guarded.outstanding() == pytest.approx(taken, abs=65536)


async def test_who_takes_nothing_is_given_up() -> None:
    async with pair(0.05) as (guarded, peer, said):
        with trio.fail_after(PATIENCE), pytest.raises(trio.BrokenResourceError):
            await guarded.send_all(bytes(MUCH))
        assert said == ["stalled"]
        with pytest.raises(trio.BrokenResourceError):  # by a reset: the kernel keeps nothing
            await drain(peer)


async def test_a_closed_socket_is_never_writable() -> None:
    async with pair(PATIENCE) as (guarded, _, _):
        guarded.abort()
        with trio.fail_after(PATIENCE), pytest.raises(trio.ClosedResourceError):
            await guarded.writable()


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="Linux has it")
@pytest.mark.parametrize(("patience", "expected"), [(30.0, 120.0), (600.0, 900.0), (math.inf, 0.0)])
async def test_the_kernel_misses_who_is_gone_after_our_own_patience(
    patience: float, expected: float
) -> None:
    async with pair(patience) as (guarded, _, _):
        told = guarded.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT)
        assert told == expected * 1000


async def test_who_takes_little_is_not() -> None:
    """A pause is longer than the patience is, but in each something is acknowledged."""
    async with pair(0.2) as (guarded, peer, said), trio.open_nursery() as nursery:
        finished = trio.Event()

        async def send() -> None:
            await guarded.send_all(bytes(1024 * 1024))
            finished.set()

        nursery.start_soon(send)
        got = 0
        while got < 1024 * 1024:
            with trio.move_on_after(0.01):
                await finished.wait()
            got += len(await peer.receive_some(8192))
        await finished.wait()
        assert said == []


async def test_what_was_read_already_comes_first() -> None:
    async with pair(PATIENCE) as (guarded, peer, _):
        guarded.preface = b"before"
        await peer.send_all(b"after")
        assert await guarded.receive_some(3) == b"bef"
        assert await guarded.receive_some() == b"ore"
        assert await guarded.receive_some() == b"after"


async def test_a_peer_that_has_gone() -> None:
    async with pair(PATIENCE) as (guarded, peer, _):
        await trio.aclose_forcefully(peer)
        with trio.fail_after(PATIENCE), pytest.raises(trio.BrokenResourceError):
            await guarded.send_all(bytes(MUCH))
        await guarded.aclose()
        with pytest.raises(OSError, match="Bad file descriptor"):
            guarded.try_send(b"x")
        assert guarded.outstanding() is None
        assert guarded.unread() == 0


async def test_what_nobody_reads_is_seen() -> None:
    async with pair(PATIENCE) as (guarded, peer, _):
        assert guarded.unread() == 0
        await peer.send_all(b"five!")
        await trio.lowlevel.wait_readable(guarded.socket)
        assert guarded.unread() == 5


async def test_a_unix_socket_is_kept_little_too() -> None:
    ours, theirs = trio.socket.socketpair()
    keep_little(ours)
    guarded = GuardedSocket(trio.SocketStream(ours), PATIENCE, lambda: None)
    async with guarded, trio.SocketStream(theirs) as peer:
        await guarded.send_all(b"hello")
        await guarded.send_eof()
        assert await peer.receive_some() == b"hello"
        assert await peer.receive_some() == b""
