"""Connections that nobody needs end: idle ones, refused ones, and closed ones that are slow."""

import json
import math
from pathlib import Path

import pytest
import trio
from hypercorn.config import Config

from system.certificates import make
from system.client import PATIENCE, alert_input, opened
from system.harness import local
from system.readers import dialled, shake
from system.rude import masked, upgrade
from system.wires import Carrier, Talk, byte_stream, frame, opened_wire

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SETTINGS = bytes.fromhex("000000040000000000")
HALF_HEADERS = bytes.fromhex("00001001040000000182")
REFUSED = {
    "version": upgrade().replace(b"Version: 13", b"Version: 12"),
    "no key": upgrade().replace(b"Sec-WebSocket-Key", b"X-Key"),
    "http/1.0": upgrade().replace(b"HTTP/1.1", b"HTTP/1.0"),
}
IDLE = {
    "answered": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "answered at once": (
        b"POST /v1/alerts HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"
    ),
    "answered twice": b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n" * 2,
    "half a preface": PREFACE[:18],
    "no streams": PREFACE + SETTINGS,
    "half a stream": PREFACE + SETTINGS + HALF_HEADERS,
}


async def to_the_end(stream: trio.abc.ReceiveStream) -> bytes:
    got = b""
    with trio.fail_after(PATIENCE):
        while data := await stream.receive_some():
            got += data
    return got


@pytest.mark.parametrize("request_", REFUSED.values(), ids=list(REFUSED))
async def test_a_refused_handshake_ends_the_connection(tmp_path: Path, request_: bytes) -> None:
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        await stream.send_all(request_)
        answer = await to_the_end(stream)
        if b"Version: 12" in request_:
            assert answer.startswith(b"HTTP/1.1 426 ")
            assert b"sec-websocket-version: 13\r\n" in answer
        else:
            assert answer.startswith(b"HTTP/1.1 400 ")


async def test_a_request_of_two_lengths_is_refused_and_nothing_behind_it_is_read(
    tmp_path: Path,
) -> None:
    """What a proxy takes for its body must not become a request (RFC 9112, section 6.1)."""
    smuggled = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
    request = (
        b"POST /graphql HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n" % (5 + len(smuggled))
    )
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        await stream.send_all(request + smuggled)
        answer = await to_the_end(stream)
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1


ALERT = json.dumps(alert_input("one")).encode()
LAST = {
    "at once": b"POST /v1/alerts HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(ALERT), ALERT),
    "by Quart": b"GET /health HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    "refused": b"GET /health HTTP/1.1\r\nHost: a b\x00\r\n\r\n",
}


@pytest.mark.parametrize("request_", LAST.values(), ids=list(LAST))
@pytest.mark.parametrize("size", [2, 300_000])
async def test_the_last_answer_is_not_overtaken_by_a_reset(
    tmp_path: Path, request_: bytes, size: int
) -> None:
    """Where more comes behind it, which nobody reads (RFC 9112, section 9.6)."""
    async with local(tmp_path) as server, byte_stream(server.place) as stream:
        await stream.send_all(request_ + b"\r\n" * (size // 2))
        answer = await to_the_end(stream)
    status = 400 if b"\x00" in request_ else 202 if request_.startswith(b"POST") else 200
    assert answer.startswith(b"HTTP/1.1 %d " % status)
    assert answer.count(b"HTTP/1.1") == 1


@pytest.mark.slow
@pytest.mark.parametrize("secure", [False, True], ids=["cleartext", "TLS"])
async def test_an_idle_connection_is_closed(tmp_path: Path, secure: bool) -> None:
    async def ends(request: bytes) -> None:
        carrier = Carrier.HTTP_2 if request.startswith(b"PRI") else Carrier.HTTP_1
        async with byte_stream(server.place, carrier) as stream:
            await stream.send_all(request)
            await to_the_end(stream)

    tls = make(tmp_path / "tls") if secure else None
    async with local(tmp_path, tls=tls) as server, trio.open_nursery() as nursery:
        for request in IDLE.values():
            nursery.start_soon(ends, request)


def tasks() -> int:
    return trio.lowlevel.current_statistics().tasks_living


@pytest.mark.parametrize("secure", [False, True], ids=["cleartext", "TLS"])
@pytest.mark.parametrize("init", [b'{"type":"connection_init"}', b"no message"])
async def test_nothing_is_left_of_one_that_was_broken_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secure: bool, init: bytes
) -> None:
    """With its task all that a connection has would stay for as long as one may be idle."""
    monkeypatch.setattr(Config, "keep_alive_timeout", math.inf)
    tls = make(tmp_path / "tls") if secure else None
    async with local(tmp_path, tls=tls) as server:
        before = tasks()
        for _ in range(3):
            async with opened_wire(server.place, Carrier.HTTP_1) as wire:
                talk = Talk(wire)
                await talk.send(frame(1, init))
                if init == b"no message":
                    assert await talk.end() == 4400
                else:
                    await talk.text()
        with trio.fail_after(PATIENCE):
            while tasks() > before:
                await trio.lowlevel.checkpoint()


@pytest.mark.slow
@pytest.mark.parametrize("secure", [False, True], ids=["cleartext", "TLS"])
async def test_a_head_that_trickles_in_is_not_waited_for(tmp_path: Path, secure: bool) -> None:
    tls = make(tmp_path / "tls") if secure else None
    async with local(tmp_path, tls=tls) as server, byte_stream(server.place) as stream:
        await stream.send_all(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
        ended = False
        with trio.fail_after(PATIENCE):
            while not ended:
                try:
                    await stream.send_all(b"x")
                    with trio.move_on_after(0.1):
                        ended = not await stream.receive_some()
                except trio.BrokenResourceError:
                    ended = True


@pytest.mark.slow
async def test_a_slow_reader_sees_its_close_and_then_the_end(tmp_path: Path) -> None:
    """It takes longer for what is due to it than the time in which it must take something."""
    watch = {"query": "subscription{newIncidents{title description}}"}
    async with (
        local(tmp_path, limits__stall_timeout="1s") as server,
        dialled(server.place, window=4096) as stream,
        opened(server.ws) as client,
    ):
        assert not await shake(stream)
        await stream.send_all(masked('{"type":"connection_init"}'))
        await stream.send_all(
            masked(json.dumps({"type": "subscribe", "id": "x", "payload": watch}))
        )
        while server.gateway.running().hub.seats < 1:
            await client.ping()
        for number in range(5):
            await client.submit(f"t{number}", description="d" * 50_000)
        await stream.send_all(masked('{"type":"connection_init"}'))
        got = bytearray()
        with trio.fail_after(PATIENCE):
            while data := await stream.receive_some(4000):
                got += data
                rested = trio.current_time() + 0.08
                while trio.current_time() < rested:
                    await client.ping()
        assert got.endswith(b"\x88\x22\x11\x4dToo many initialisation requests")
        assert server.gateway.guard.stalled == 0
