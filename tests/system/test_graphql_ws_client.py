"""The real ``graphql-ws`` client on Node: connect, filter, receive, error, complete, reconnect."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from system.client import opened
from system.harness import LocalServer, local, run
from system.node import Stock, stock

pytestmark = pytest.mark.component("node")

STREAM = "subscription ($s: [Severity!]) { newIncidents(severities: $s) { title } }"


@asynccontextmanager
async def ready(clients: Path, url: str, event: str = "connected") -> AsyncIterator[Stock]:
    """The stock client, when this has happened."""
    async with stock(clients, url) as client:
        await client.event(event)
        yield client


async def started(server: LocalServer, count: int) -> None:
    """Wait until so many subscriptions have their seat."""
    async with opened(server.ws) as client:
        while server.gateway.running().hub.seats < count:
            await client.ping()


async def test_connect_filter_receive_complete(server: LocalServer, clients: Path) -> None:
    async with ready(clients, server.ws) as client:
        await client.subscribe("all", STREAM)
        await client.subscribe("critical", STREAM, variables={"s": ["P0"]})
        await started(server, 2)
        assert (await client.submit("mild", severity="P4"))["status"] == "ACCEPTED"
        assert (await client.submit("mild", severity="P4"))["status"] == "DUPLICATE"
        await client.submit("bad", severity="P0")
        assert [await client.title("all"), await client.title("all")] == ["mild", "bad"]
        assert await client.title("critical") == "bad"

        await client.tell("complete", id="all")
        await client.event("complete", "all")
        await client.submit("worse", severity="P0")
        assert await client.title("critical") == "worse"
        assert not [event for event in client.kept if event.get("id") == "all"]
        await client.tell("dispose")
        assert (await client.event("closed"))["code"] == 1000


async def test_errors_reach_their_operation(server: LocalServer, clients: Path) -> None:
    async with ready(clients, server.ws) as client:
        await client.subscribe("good", STREAM)
        await client.subscribe("bad", "subscription { nothing }")
        await client.subscribe("worse", STREAM, extensions={"cursor": "what"})
        for name, code in (("bad", "GRAPHQL_VALIDATION_FAILED"), ("worse", "BAD_USER_INPUT")):
            [error] = (await client.event("error", name))["errors"]
            assert error["extensions"]["code"] == code
        await client.submit("one")
        assert await client.title("good") == "one"
        assert not [event for event in client.kept if event["event"] in ("closed", "fatal")]


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_it_comes_back_and_has_missed_nothing(
    tmp_path: Path, clients: Path, how: str
) -> None:
    async with run(tmp_path) as server, ready(clients, server.place.ws) as client:
        await client.subscribe("all", STREAM)
        await client.submit("one")
        assert await client.title("all") == "one"
        if how == "stop":
            assert await server.stop() == 0
            assert (await client.event("closed"))["code"] == 1001
        else:
            await server.kill()
            assert (await client.event("closed"))["code"] == 1006
        await server.start()
        # Whichever of the two is there first, it is the first that the stream brings.
        async with opened(server.place.ws) as sender:
            await sender.submit("two")
            await sender.submit("three")
        assert (await client.event("connected"))["retrying"] is True
        event = await client.event("next", "all")
        assert event["result"]["data"]["newIncidents"]["title"] == "two"
        assert event["result"]["extensions"]["recovered"] is True
        assert await client.title("all") == "three"
        assert not [event for event in client.kept if event["event"] in ("next", "fatal")]


async def test_it_tries_again_where_its_token_is_refused(tmp_path: Path, clients: Path) -> None:
    """4403 is one that the stock client does not give up at."""
    async with (
        local(tmp_path, auth__jwt_secret="a secret of tests that is long enough") as server,
        ready(clients, server.ws, "closed") as client,
    ):
        for _ in range(3):
            assert (await client.event("closed"))["code"] == 4403
