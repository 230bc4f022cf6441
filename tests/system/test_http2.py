"""HTTP/2 by ALPN and in the clear, and WebSockets over it (RFC 8441), with real clients."""

import json
import logging
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from system import certificates
from system.certificates import Certificates
from system.client import PATIENCE, SUBMIT, alert_input, opened
from system.h2_client import Multiplexed, multiplexed
from system.harness import LocalServer, local
from system.node import Stock, stock

STREAM = "subscription { newIncidents { title } }"


@pytest.fixture(params=["tls", "cleartext"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Certificates | None:
    """What the server speaks TLS with, if it does."""
    return certificates.make(tmp_path / "tls") if request.param == "tls" else None


async def curl(*arguments: str) -> str:
    """What the real curl prints."""
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(["curl", "-sS", *arguments], capture_stdout=True)
    assert done.stdout is not None
    return done.stdout.decode()


@pytest.mark.component("curl")
async def test_curl(tmp_path: Path, made: Certificates | None) -> None:
    alert = json.dumps(alert_input("by curl"))
    post = ("-H", "Content-Type: application/json", "-d", alert)
    written = ("-w", "\n%{http_version} %{response_code}")
    if made is None:
        # An upgrade of a request with a body is answered in HTTP/1.1 (RFC 9110, section 7.8).
        ways = {"--http1.1": "1.1 1.1", "--http2-prior-knowledge": "2 2", "--http2": "2 1.1"}
        trust: tuple[str, ...] = ()
    else:
        ways = {"--http1.1": "1.1 1.1", "--http2": "2 2", "--tls-max 1.2": "2 2"}
        trust = ("--cacert", str(made.ca))
    async with local(tmp_path, tls=made) as server:
        for way, expected in ways.items():
            given = (*way.split(), *trust, *written)
            get_version, post_version = expected.split()
            body, _, told = (await curl(*given, f"{server.http}/health")).rpartition("\n")
            assert told == f"{get_version} 200"
            assert json.loads(body)["status"] == "HEALTHY"
            body, _, told = (await curl(*given, *post, f"{server.http}/v1/alerts")).rpartition("\n")
            assert told == f"{post_version} 202"
            assert json.loads(body)["status"] in ("ACCEPTED", "DUPLICATE")


async def test_httpx(tmp_path: Path, made: Certificates | None) -> None:
    options: Mapping[str, Any] = (
        {"http1": False} if made is None else {"verify": made.trust(("h2", "http/1.1"))}
    )
    async with (
        local(tmp_path, tls=made) as server,
        httpx.AsyncClient(base_url=server.http, http2=True, **options) as web,
    ):
        versions: list[str] = []

        async def send(number: int) -> None:
            answer = await web.post("/v1/alerts", json=alert_input(f"number {number}"))
            assert answer.status_code == 202, answer.text
            versions.append(answer.http_version)

        async with trio.open_nursery() as nursery:
            for number in range(20):
                nursery.start_soon(send, number)
        assert versions == ["HTTP/2"] * 20
        assert (await web.get("/v1/incidents")).json()["incidents"]


@asynccontextmanager
async def node(
    clients: Path, server: LocalServer, made: Certificates | None
) -> AsyncIterator[Stock]:
    """Node's HTTP/2, connected."""
    trust = () if made is None else (str(made.ca),)
    async with stock(clients, server.http, *trust, script="http2.mjs") as client:
        settings = await client.event("settings")
        assert settings["extended"] is True
        assert settings["alpn"] == ("h2c" if made is None else "h2")
        yield client


async def hear(client: Stock, name: str, kind: str) -> dict[str, Any]:
    """The next message of a WebSocket, which must be of this kind."""
    message = (await client.event("message", name))["message"]
    assert message["type"] == kind, message
    return dict(message)


async def begin(client: Stock, name: str) -> None:
    """A WebSocket that is acknowledged."""
    await client.tell("open", id=name)
    response = await client.event("response", name)
    assert (response["status"], response["subprotocol"]) == (200, "graphql-transport-ws")
    await client.tell("send", id=name, message={"type": "connection_init"})
    await hear(client, name, "connection_ack")


async def subscribe(client: Stock, name: str) -> None:
    """A subscription on a WebSocket, begun."""
    message = {"id": "s", "type": "subscribe", "payload": {"query": STREAM}}
    await client.tell("send", id=name, message=message)
    await client.tell("send", id=name, message={"type": "ping"})
    await hear(client, name, "pong")


@pytest.mark.component("node")
async def test_websockets_by_nodes_http2(
    tmp_path: Path, clients: Path, made: Certificates | None
) -> None:
    """Several on one connection, beside requests."""
    async with local(tmp_path, tls=made) as server, node(clients, server, made) as client:
        for name in ("a", "b", "c"):
            await begin(client, name)
            await subscribe(client, name)
        await client.tell("fetch", id="post", path="/v1/alerts", body=alert_input("by node"))
        answer = await client.event("answer", "post")
        assert (answer["status"], answer["body"]["status"]) == (202, "ACCEPTED")
        for name in ("a", "b", "c"):
            message = await hear(client, name, "next")
            assert message["payload"]["data"]["newIncidents"]["title"] == "by node"

        await client.tell("reset", id="b")
        await client.event("ended", "b")
        await client.tell("close", id="c", code=1000)
        assert (await client.event("conclude", "c"))["code"] == 1000
        submit = {"query": SUBMIT, "variables": {"input": alert_input("to a")}}
        await client.tell(
            "send", id="a", message={"id": "m", "type": "subscribe", "payload": submit}
        )
        seen = [(await client.event("message", "a"))["message"] for _ in range(3)]
        assert sorted((message["id"], message["type"]) for message in seen) == [
            ("m", "complete"),
            ("m", "next"),
            ("s", "next"),
        ]
        await client.tell("send", id="a", message={"type": "connection_init"})
        concluded = await client.event("conclude", "a")
        assert (concluded["code"], concluded["reason"]) == (
            4429,
            "Too many initialisation requests",
        )
        await client.tell("fetch", id="get", path="/v1/incidents")
        incidents = (await client.event("answer", "get"))["body"]["incidents"]
        assert {incident["title"] for incident in incidents} == {"by node", "to a"}
        await client.tell("end")
        await client.event("closed")


@pytest.mark.component("node")
async def test_a_stop_closes_them(tmp_path: Path, clients: Path, made: Certificates | None) -> None:
    async with local(tmp_path, tls=made) as server, node(clients, server, made) as client:
        for name in ("a", "b"):
            await begin(client, name)
        server.gateway.drain()
        for name in ("a", "b"):
            concluded = await client.event("conclude", name)
            assert (concluded["code"], concluded["reason"]) == (1001, "Going away")


@asynccontextmanager
async def h2_client(server: LocalServer, made: Certificates | None) -> AsyncIterator[Multiplexed]:
    """The h2 library as a client, connected."""
    trust = None if made is None else made.trust(("h2",))
    async with multiplexed(server.place.port, trust) as client:
        yield client


async def test_websockets_by_the_h2_library(tmp_path: Path, made: Certificates | None) -> None:
    """Many on one connection, each a subscriber, beside a client on HTTP/1.1."""
    async with local(tmp_path, tls=made) as server, h2_client(server, made) as client:
        sockets = [await client.websocket() for _ in range(20)]
        for socket in sockets:
            await socket.init()
            await socket.subscribe(STREAM)
        trust = None if made is None else made.trust()
        async with opened(server.ws, tls=trust) as other:
            for number in range(3):
                await other.submit(f"number {number}")
        for socket in sockets:
            titles = [(await socket.next())["data"]["newIncidents"]["title"] for _ in range(3)]
            assert titles == ["number 0", "number 1", "number 2"]
        assert len(server.gateway.connections) == 20
        for socket in sockets:
            assert await socket.close(1000) == 1000


async def alive(client: Multiplexed) -> None:
    """A request that is answered."""
    assert (await client.get("/health/live"))[0] == 200


async def test_many_requests_beside_a_websocket_end_nothing(tmp_path: Path) -> None:
    """Hypercorn would end the connection, and what is on it, after a thousand."""
    async with local(tmp_path) as server, h2_client(server, None) as client:
        socket = await client.websocket()
        await socket.init()
        await socket.subscribe(STREAM)
        for _ in range(21):
            async with trio.open_nursery() as nursery:
                for _ in range(50):
                    nursery.start_soon(alive, client)
        async with opened(server.ws) as other:
            await other.submit("still there")
        assert (await socket.next())["data"]["newIncidents"]["title"] == "still there"


async def test_a_connect_that_is_no_websocket_is_refused(server: LocalServer) -> None:
    """Neither a tunnel, nor a protocol that is not known; the connection lives on."""
    async with h2_client(server, None) as client:
        for protocol in (None, "connect-udp"):
            headers = [(":method", "CONNECT"), (":authority", "localhost")]
            if protocol is not None:
                headers += [(":protocol", protocol), (":scheme", "http"), (":path", "/graphql/ws")]
            assert (await client.ask(headers))[0] == 501
        assert (await client.get("/health/live"))[0] == 200


async def test_an_upgrade_to_h2c_with_settings_that_are_none(
    server: LocalServer, caplog: pytest.LogCaptureFixture
) -> None:
    """A bad header ends its own connection."""
    for settings in (b"!", b"AA", b"AAMAAABkAAQAAP__"):
        async with await trio.open_tcp_stream("127.0.0.1", server.place.port) as stream:
            await stream.send_all(
                b"GET /health/live HTTP/1.1\r\nHost: localhost\r\nUpgrade: h2c\r\n"
                b"Connection: Upgrade, HTTP2-Settings\r\n"
                b"HTTP2-Settings: " + settings + b"\r\n\r\n"
            )
            with trio.fail_after(PATIENCE):
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 ")
    async with httpx.AsyncClient(base_url=server.http) as web:
        assert (await web.get("/health/live")).status_code == 200
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []
