"""What a client's bad manners, or its bad luck, cost the others: nothing."""

import logging
import sys
from pathlib import Path
from typing import Any

import pytest
import trio

from incident_manager.http.hypercorn_tcp import GuardedServer
from system.client import PATIENCE, opened
from system.harness import LocalServer, local, run
from system.rude import deaf, masked


async def test_a_client_that_takes_nothing_is_cut_off_and_slows_nobody(tmp_path: Path) -> None:
    async with (
        local(tmp_path, limits__stall_timeout="100ms", limits__outbox_bytes=65536) as server,
        deaf(server.place) as stream,
        opened(server.ws) as client,
    ):
        query = "subscription{newIncidents{description}}"
        await stream.send_all(masked('{"type":"connection_init"}'))
        await stream.send_all(
            masked(f'{{"type":"subscribe","id":"x","payload":{{"query":"{query}"}}}}')
        )
        mine = await client.subscribe(query)
        sent = 0
        while len(server.gateway.connections) == 2:
            sent += 1
            await client.submit(f"large {sent}", description="d" * 60_000)
            payload = await client.next(mine)
            assert len(payload["data"]["newIncidents"]["description"]) == 60_000
        [left] = server.gateway.connections
        assert left.statistics()["subscriptions"] == 1
        while server.gateway.running().hub.seats > 1:
            await client.ping()


async def test_a_connection_that_fails_is_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    real = GuardedServer._read_data
    fail = trio.Event()

    async def broken(self: Any) -> None:
        if fail.is_set():
            raise RuntimeError("injected")
        await real(self)

    monkeypatch.setattr(GuardedServer, "_read_data", broken)
    async with local(tmp_path) as server, opened(server.ws) as client:
        logging.getLogger().addHandler(caplog.handler)
        fail.set()
        async with await trio.open_tcp_stream("127.0.0.1", server.place.port) as stream:
            assert await stream.receive_some() == b""
        await client.submit("the others go on")
    [record] = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert record.getMessage() == "a connection failed"
    assert record.exc_info is not None


UNKNOWN = """
from incident_manager.http import transport
transport.install.__defaults__ = ((*transport._RELIED_ON, "hypercorn.gone:Any"),)
from incident_manager.http.cli import main
main()
"""


async def test_on_a_hypercorn_that_is_not_known_it_streams_by_plain_asgi(tmp_path: Path) -> None:
    command = (sys.executable, "-c", UNKNOWN, "serve", "--host", "127.0.0.1", "--port", "{port}")
    async with run(tmp_path, command=command) as server:
        async with opened(server.place.ws) as client:
            mine = await client.subscribe("subscription{newIncidents{title}}")
            for number in range(50):
                await client.submit(f"number {number}")
                payload = await client.next(mine)
                assert payload["data"]["newIncidents"]["title"] == f"number {number}"
        assert await server.stop() == 0
        [warning] = [line for line in server.complaints() if "not known" in line["event"]]
        assert "hypercorn.gone:Any" in warning["event"]


def head(size: int, kind: str = "text/plain") -> bytes:
    return (
        b"POST /v1/alerts HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        + f"Content-Type: {kind}\r\nContent-Length: {size}\r\n\r\n".encode()
    )


async def answer(stream: trio.SocketStream) -> bytes:
    """One answer, to its end."""
    got = b""
    while b"\r\n\r\n" not in got:
        got += await stream.receive_some()
    top, _, body = got.partition(b"\r\n\r\n")
    [size] = [int(line[15:]) for line in top.split(b"\r\n") if line.startswith(b"content-length:")]
    while len(body) < size:
        body += await stream.receive_some()
    assert len(body) == size
    return top + body


async def test_a_body_that_nobody_wanted_does_not_cost_the_connection(server: LocalServer) -> None:
    async with await trio.open_tcp_stream("127.0.0.1", server.place.port) as stream:
        with trio.fail_after(PATIENCE):
            for _ in range(3):
                await stream.send_all(head(2))
                await stream.send_all(b"{}")
                assert b" 415 " in await answer(stream)


async def test_who_sends_too_much_sees_the_answer_and_the_end(tmp_path: Path) -> None:
    async with (
        local(tmp_path, server__max_body_bytes=1024) as server,
        await trio.open_tcp_stream("127.0.0.1", server.place.port) as stream,
    ):
        with trio.fail_after(PATIENCE):
            await stream.send_all(head(1_000_000, "application/json"))
            assert b" 413 " in await answer(stream)
            assert await stream.receive_some() == b""
            # Nothing is reset while the rest comes, nor is anything made of it.
            await stream.send_all(bytes(1_000_000) + head(2))
