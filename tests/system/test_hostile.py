"""Clients that mean ill, on real sockets: each costs the server little, and the others nothing."""

import json
import re
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import h2.config
import h2.connection
import h2.events
import httpx
import pytest
import trio

from system.client import PATIENCE, opened
from system.harness import LocalServer, Place, ServerProcess, local, run
from system.rude import deaf, masked, shaken, upgrade
from system.test_hypercorn import APPLICATION, HYPERCORN

DESCRIPTIONS = "subscription{newIncidents{description}}"
INIT = masked('{"type":"connection_init"}')
WATCH = masked(f'{{"type":"subscribe","id":"x","payload":{{"query":"{DESCRIPTIONS}"}}}}')
DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate\r\n"
E = TypeVar("E", bound=h2.events.Event)
MIB = 2**20
HOST = "127.0.0.1"


def peak(server: ServerProcess) -> int:
    """The most memory (bytes resident) that the process has had."""
    status = Path(f"/proc/{server.running.pid}/status").read_text()
    found = re.search(r"VmHWM:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


def frame(opcode: int, data: bytes) -> bytes:
    """A client's frame with the first byte given; its mask is nothing but zeros."""
    return bytes([opcode, 0xFF]) + len(data).to_bytes(8) + bytes(4) + data


async def read_to_the_end(stream: trio.SocketStream) -> bytes:
    got = b""
    with trio.fail_after(PATIENCE):
        while data := await stream.receive_some():
            got += data
    return got


async def read_exactly(stream: trio.SocketStream, size: int) -> bytes:
    got = b""
    with trio.fail_after(PATIENCE):
        while len(got) < size:
            data = await stream.receive_some(size - len(got))
            assert data
            got += data
    return got


async def test_nothing_is_kept_after_1009(tmp_path: Path) -> None:
    async with run(tmp_path) as server, shaken(server.place) as (stream, _):
        before = peak(server)
        await stream.send_all(frame(0x01, bytes(65536)))
        more = frame(0x00, bytes(65536))
        for _ in range(1600):  # 100 MiB
            await stream.send_all(more)
        assert await read_exactly(stream, 4) == b"\x88\x02" + (1009).to_bytes(2)
        await stream.send_all(b"\x88\x82" + bytes(4) + (1009).to_bytes(2))
        assert await read_to_the_end(stream) == b""
        assert peak(server) - before < 40 * MIB
        assert server.complaints() == []


async def test_no_compression_is_agreed(tmp_path: Path) -> None:
    bomb = zlib.compressobj(9, zlib.DEFLATED, -15)
    data = bomb.compress(bytes(100 * MIB)) + bomb.flush(zlib.Z_SYNC_FLUSH)
    async with run(tmp_path) as server, shaken(server.place, DEFLATE) as (stream, answer):
        assert b"sec-websocket-extensions" not in answer.lower()
        before = peak(server)
        with suppress(trio.BrokenResourceError):  # it need not read more than the first byte
            await stream.send_all(frame(0xC1, data[:-4]))
            await read_to_the_end(stream)
        assert peak(server) - before < 20 * MIB
        assert server.complaints() == []


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(b"\x81\x82" + bytes(4) + b"\xc3\x28", 1007, id="no UTF-8"),
        pytest.param(b"\x81\x02{}", 1002, id="not masked"),
        pytest.param(b"\x89\xfe\x00\x7e" + bytes(4 + 126), 1002, id="a long ping"),
    ],
)
async def test_a_frame_that_breaks_the_protocol_gets_its_close(
    server: LocalServer, sent: bytes, code: int
) -> None:
    async with shaken(server.place) as (stream, _):
        await stream.send_all(sent)
        got = await read_to_the_end(stream)
    assert got[0] == 0x88
    assert int.from_bytes(got[2:4]) == code


async def test_who_sends_before_its_answer_is_refused_without_noise(tmp_path: Path) -> None:
    async with run(tmp_path) as server:
        async with await trio.open_tcp_stream("127.0.0.1", server.place.port) as stream:
            await stream.send_all(upgrade() + INIT)
            assert (await read_to_the_end(stream)).startswith(b"HTTP/1.1 400")
        async with opened(server.place.ws) as client:
            await client.submit("the others go on")
        assert await server.stop() == 0
        assert server.complaints() == []


async def test_who_talks_and_never_listens_does_not_stay(tmp_path: Path) -> None:
    """Its application waits for room, with its own queue full, when it is cut off."""
    ping = masked('{"type":"ping","payload":{"x":"' + "x" * 60_000 + '"}}')
    limits = {"limits__stall_timeout": "200ms", "limits__outbox_bytes": 65536}
    async with local(tmp_path, **limits) as server, deaf(server.place) as stream:
        await stream.send_all(INIT)
        with trio.fail_after(PATIENCE), suppress(trio.BrokenResourceError):
            while True:
                await stream.send_all(ping)
        async with opened(server.ws) as client:
            with trio.fail_after(PATIENCE):
                while len(server.gateway.connections) > 1:
                    await client.ping()


async def test_a_slow_reader_of_large_frames_is_not_cut_off(tmp_path: Path) -> None:
    """For none of them it takes less than the time in which it must take something."""
    query = "subscription{alerts{annotations}}"
    watch = masked(f'{{"type":"subscribe","id":"x","payload":{{"query":"{query}"}}}}')
    annotations = {f"k{number}": "\x01" * 8000 for number in range(64)}  # 3 MB in JSON
    alert = {"source": "s", "title": "t", "description": "d", "severity": "P1"}
    async with (
        local(tmp_path, limits__stall_timeout="600ms") as server,
        shaken(server.place, window=65536) as (stream, _),
        opened(server.ws) as client,
        httpx.AsyncClient(base_url=server.http) as http,
    ):
        await stream.send_all(INIT + watch)
        while server.gateway.running().hub.seats < 1:
            await client.ping()
        for number in range(3):
            body = {**alert, "title": f"t{number}", "annotations": annotations}
            assert (await http.post("/v1/alerts", json=body)).status_code == 202
        left = 9_000_000
        while left > 0:
            left -= len(await read_exactly(stream, 100_000))
            rested = trio.current_time() + 0.04
            while trio.current_time() < rested:
                await client.ping()
        assert server.gateway.guard.stalled == 0


class Http2:
    """A connection of HTTP/2 that gives the server no more window than the first."""

    def __init__(self, stream: trio.SocketStream) -> None:
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.state = h2.connection.H2Connection(config)
        self.stream = stream
        self.events: list[h2.events.Event] = []

    async def flush(self) -> None:
        await self.stream.send_all(self.state.data_to_send())

    async def request(self, method: str, path: str, *more: tuple[str, str], end: bool) -> int:
        stream_id = self.state.get_next_available_stream_id()
        top = [(":method", method), (":scheme", "http"), (":path", path), (":authority", HOST)]
        self.state.send_headers(stream_id, [*top, *more], end_stream=end)
        await self.flush()
        return stream_id

    async def next(self, kind: type[E]) -> E:
        """The next event of a kind; those before it are dropped."""
        with trio.fail_after(PATIENCE):
            while True:
                while self.events:
                    event = self.events.pop(0)
                    if isinstance(event, kind):
                        return event
                data = await self.stream.receive_some()
                assert data, "the connection has ended"
                self.events += self.state.receive_data(data)
                await self.flush()


@asynccontextmanager
async def http2(place: Place) -> AsyncIterator[Http2]:
    """A connection of HTTP/2 that is settled."""
    async with await trio.open_tcp_stream("127.0.0.1", place.port) as stream:
        client = Http2(stream)
        client.state.initiate_connection()
        await client.flush()
        await client.next(h2.events.RemoteSettingsChanged)
        yield client


async def status(client: Http2) -> str:
    answer = await client.next(h2.events.ResponseReceived)
    return str(dict(answer.headers)[":status"])


async def test_who_opens_no_window_of_http2_is_held_for_a_while_and_not_fed(tmp_path: Path) -> None:
    async with (
        run(tmp_path, limits__stall_timeout="1s") as server,
        opened(server.place.ws) as client,
    ):
        for number in range(100):
            await client.submit(f"large {number}", description="d" * 60_000)
        epoch = (await client.data("{cursor}"))["cursor"].partition(":")[0]
        async with http2(server.place) as rude:  # which, idle, would be closed before long
            before = peak(server)
            stream_id = await rude.request(
                "CONNECT",
                "/graphql/ws",
                (":protocol", "websocket"),
                ("sec-websocket-version", "13"),
                ("sec-websocket-protocol", "graphql-transport-ws"),
                end=False,
            )
            assert await status(rude) == "200"
            rude.state.send_data(stream_id, INIT)
            for number in range(10):  # 60 MB in all
                payload = {"query": DESCRIPTIONS, "extensions": {"cursor": f"{epoch}:0"}}
                message = {"type": "subscribe", "id": str(number), "payload": payload}
                rude.state.send_data(stream_id, masked(json.dumps(message)))
            await rude.flush()
            reset = await rude.next(h2.events.StreamReset)
            assert reset.stream_id == stream_id
            assert peak(server) - before < 30 * MIB
            # The connection serves on.
            await rude.request("HEAD", "/health/live", end=True)
            assert await status(rude) == "200"
            assert server.complaints() == []


async def test_a_body_of_http2_that_comes_after_the_answer_is_thrown_away(tmp_path: Path) -> None:
    async with run(tmp_path, server__max_body_bytes=1024) as server, http2(server.place) as client:
        stream_id = await client.request(
            "POST", "/v1/alerts", ("content-type", "application/json"), end=False
        )
        answers = []
        sent = 0
        while sent < 6_000_000:
            room = min(client.state.local_flow_control_window(stream_id), 16384)
            if room == 0:
                event = await client.next(h2.events.Event)
                if isinstance(event, h2.events.ResponseReceived):
                    answers.append(dict(event.headers)[":status"])
                if isinstance(event, h2.events.StreamReset | h2.events.StreamEnded):
                    break
                continue
            client.state.send_data(stream_id, b" " * room)
            await client.flush()
            sent += room
        assert answers == ["413"] or await status(client) == "413"
        await client.request("HEAD", "/health/live", end=True)
        assert await status(client) == "200"
        assert server.complaints() == []


async def test_plain_hypercorn_is_not_held_up_by_who_reads_nothing(tmp_path: Path) -> None:
    command = (*HYPERCORN, APPLICATION)
    async with (
        run(
            tmp_path, command=command, ready_line="Running on", limits__stall_timeout="1h"
        ) as server,
        deaf(server.place) as stream,
        opened(server.place.ws) as client,
    ):
        await stream.send_all(INIT + WATCH)
        for number in range(100):
            await client.submit(f"large {number}", description="d" * 60_000)
        assert await server.stop() == 0
