"""The protocol on real sockets: how connections begin, what ends them, and with which code."""

import json
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from trio_websocket import ConnectionRejected

from incident_manager.http.gateway import Phase
from incident_manager.http.operations import Operations
from system.client import connected, opened
from system.harness import LocalServer, local

STREAM = "subscription { newIncidents { title } }"


async def test_the_offered_subprotocol_is_echoed(server: LocalServer) -> None:
    async with connected(server.ws, subprotocols=["soap", "graphql-transport-ws"]) as client:
        assert client.socket.subprotocol == "graphql-transport-ws"
        assert await client.init() == {"type": "connection_ack"}


async def test_both_paths_serve(server: LocalServer) -> None:
    async with opened(server.ws.removesuffix("/ws")) as client:
        assert (await client.submit("one"))["status"] == "ACCEPTED"


async def test_a_client_without_a_subprotocol_is_spoken_to(server: LocalServer) -> None:
    async with connected(server.ws, subprotocols=[]) as client:
        assert client.socket.subprotocol is None
        await client.init()
        await client.submit("one")
        stream = await client.subscribe(STREAM, cursor="other-epoch:1")
        payload = await client.next(stream)
        assert payload["data"]["newIncidents"]["title"] == "one"
        assert payload["extensions"]["recovered"] is False
        await client.ping()
        # It may not know what to do with a ping, so it is sent none.
        assert all(message["type"] != "ping" for message in client.kept)


async def test_a_client_of_another_subprotocol_is_closed_at_its_first_message(
    server: LocalServer,
) -> None:
    async with connected(server.ws, subprotocols=["graphql-ws"]) as client:
        assert client.socket.subprotocol is None
        await client.init()  # both subprotocols begin so
        await client.send("start", id="1", payload={"query": STREAM})
        assert (await client.closed()).code == 4400


async def test_ping_and_pong(server: LocalServer) -> None:
    async with connected(server.ws) as client:
        assert await client.ping({"a": [1, None]}) == {
            "type": "pong", "payload": {"serial": 1, "a": [1, None]},
        }  # fmt: skip
        await client.send("ping")
        assert await client.read() == {"type": "pong"}
        await client.send("pong")
        await client.init()


SUBSCRIBE = {"type": "subscribe", "id": "x", "payload": {"query": STREAM}}


@pytest.mark.parametrize(
    ("first", "messages", "code"),
    [
        ("connection_init", [SUBSCRIBE, SUBSCRIBE], 4409),
        ("connection_init", [{"type": "connection_init"}], 4429),
        ("connection_init", [{"type": "subscribe", "id": "x"}], 4400),
        ("connection_init", [{"type": "next", "id": "x", "payload": {}}], 4400),
        ("connection_init", [{"type": "connection_terminate"}], 1000),
        ("ping", [SUBSCRIBE], 4401),
        ("ping", ["no JSON"], 4400),
        ("ping", [[]], 4400),
        ("ping", [{"type": "start"}], 4400),
        ("ping", [{"no": "type"}], 4400),
    ],
)
async def test_what_closes_a_connection(
    server: LocalServer, first: str, messages: Sequence[object], code: int
) -> None:
    async with connected(server.ws) as client, opened(server.ws) as bystander:
        await client.send(first)
        for message in messages:
            await client.send_text(message if isinstance(message, str) else json.dumps(message))
        assert (await client.closed()).code == code
        await bystander.ping()


async def test_a_binary_message(server: LocalServer) -> None:
    async with connected(server.ws) as client:
        await client.send_text(b'{"type":"connection_init"}')
        assert (await client.closed()).code == 4400


async def test_a_message_that_is_too_big(tmp_path: Path) -> None:
    async with local(tmp_path, limits__message_bytes=1000) as server, opened(server.ws) as client:
        await client.send("ping", payload={"x": "x" * 1000})
        assert (await client.closed()).code == 1009


async def test_no_connection_init_in_time(tmp_path: Path) -> None:
    async with (
        local(tmp_path, limits__init_timeout="20ms") as server,
        connected(server.ws) as client,
    ):
        closed = await client.closed()
        assert (closed.code, closed.reason) == (4408, "Connection initialisation timeout")


async def test_too_many_subscriptions(tmp_path: Path) -> None:
    async with (
        local(tmp_path, limits__subscriptions_per_connection=2) as server,
        opened(server.ws) as client,
    ):
        one, _two = await client.subscribe(STREAM), await client.subscribe(STREAM)
        three = await client.begin(STREAM)
        [error] = await client.error(three)
        assert error["extensions"]["code"] == "SUBSCRIPTION_LIMIT_EXCEEDED"
        await client.submit("a mutation is no subscription")
        await client.send("complete", id=one)
        four = await client.subscribe(STREAM)
        await client.submit("one")
        assert (await client.next(four))["data"]["newIncidents"]["title"] == "one"


async def rejected(url: str, headers: Sequence[tuple[bytes, bytes]] = ()) -> ConnectionRejected:
    """How the server refuses an upgrade there."""
    refusals: list[ConnectionRejected] = []
    try:
        async with connected(url, headers=headers):
            pytest.fail("it was accepted")
    except* ConnectionRejected as group:
        refusals += flattened(group)
    [refusal] = refusals
    return refusal


def flattened(group: BaseExceptionGroup[ConnectionRejected]) -> list[ConnectionRejected]:
    found: list[ConnectionRejected] = []
    for error in group.exceptions:
        found += flattened(error) if isinstance(error, BaseExceptionGroup) else [error]
    return found


async def test_an_unknown_path(server: LocalServer) -> None:
    refusal = await rejected(server.ws + "/nowhere")
    assert refusal.status_code == 404
    assert b"/graphql/ws" in refusal.body


async def test_too_many_connections(tmp_path: Path) -> None:
    async with local(tmp_path, server__max_connections=1) as server, opened(server.ws):
        refusal = await rejected(server.ws)
        assert refusal.status_code == 503
        assert b"server.max_connections" in refusal.body


async def test_no_upgrade_while_draining(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        server.gateway.phase = Phase.DRAINING
        assert (await rejected(server.ws)).status_code == 503
        await client.ping()  # those that are there go on until it is their turn


async def test_a_plain_get_where_websockets_are(server: LocalServer) -> None:
    async with httpx.AsyncClient(base_url=server.http) as http:
        answer = await http.get("/graphql/ws")
        assert 400 <= answer.status_code < 500
        assert answer.headers["content-type"].startswith("application/problem+json")


async def test_a_connection_shows_in_the_tree_with_its_subscriptions(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        await client.subscribe(STREAM)
        await client.subscribe(STREAM)
        snapshot = server.gateway.running().tree.snapshot(limit=None)
        node = snapshot.find("root.connections")
        assert node is not None
        [connection] = node.children
        assert (connection.kind, connection.state) == ("connection", "running")
        assert connection.stats["subscriptions"] == 2
        assert [child.kind for child in connection.children] == ["subscription"] * 2


async def test_a_connection_that_ends_leaves_nothing_behind(server: LocalServer) -> None:
    system = server.gateway.running()
    for _ in range(3):
        async with opened(server.ws) as one, opened(server.ws) as other:
            for client in (one, other):
                await client.subscribe(STREAM)
                await client.submit("same")
    async with opened(server.ws) as client:
        # The server may be a moment behind its clients.
        while len(server.gateway.connections) > 1 or system.hub.seats:
            await client.ping()
        assert system.connections.statistics().alive == 1


async def test_a_client_that_breaks_off_leaves_nothing_behind(server: LocalServer) -> None:
    system = server.gateway.running()
    async with connected(server.ws) as client:
        await client.init()
        await client.subscribe(STREAM)
        await client.begin("{ cursor }")
        await client.stream.aclose()
    async with opened(server.ws) as client:
        while len(server.gateway.connections) > 1 or system.hub.seats:
            await client.ping()
        await client.submit("the others go on")


async def test_a_connection_that_fails_is_closed_so_that_its_client_comes_back(
    server: LocalServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*args: object) -> None:
        raise RuntimeError("injected")

    async with opened(server.ws) as one, opened(server.ws) as other:
        with monkeypatch.context() as patch:
            patch.setattr(Operations, "start", broken)
            await one.begin(STREAM)
            assert (await one.closed()).code == 1012
        await other.submit("the others go on")
        node = server.gateway.running().tree.find("root.connections")
        assert node is not None
        assert node.last_failure is not None
        assert "injected" in node.last_failure.traceback


@pytest.mark.parametrize("origin", [b"http://evil.example", b"null", b"http://localhost:1"])
async def test_a_page_of_another_origin_may_not_connect(server: LocalServer, origin: bytes) -> None:
    """Browsers let every page try, and an open server would make it ADMIN."""
    refusal = await rejected(server.ws, [(b"Origin", origin)])
    assert refusal.status_code == 403


async def test_the_servers_own_page_may_connect(server: LocalServer) -> None:
    own = server.ws.removeprefix("ws://").partition("/")[0].encode()
    async with connected(server.ws, headers=[(b"Origin", b"http://" + own)]) as client:
        assert await client.init() == {"type": "connection_ack"}


async def test_the_operator_may_allow_other_origins(tmp_path: Path) -> None:
    async with local(tmp_path, server__allowed_origins="https://board.example") as server:
        headers = [(b"Origin", b"https://board.example")]
        async with connected(server.ws, headers=headers) as client:
            assert await client.init() == {"type": "connection_ack"}


async def test_results_that_nobody_reads_are_not_made_without_end(server: LocalServer) -> None:
    """More queries at once than are executed at once: each is answered all the same."""
    async with opened(server.ws) as client:
        streams = [await client.begin("{ cursor }") for _ in range(40)]
        for stream in streams:
            assert "cursor" in (await client.next(stream))["data"]
