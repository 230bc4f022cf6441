"""The actor tree of a running server: followed, and left without a trace."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import trio

from system.client import PATIENCE, opened
from system.harness import LocalServer

STREAM = "subscription { newIncidents { title } }"


class Events:
    """The events of ``?watch``, read off the wire."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self._stream = stream
        self._rest = b""

    async def block(self) -> list[str]:
        """The lines up to the next empty one; none at the end."""
        with trio.fail_after(PATIENCE):
            while b"\n\n" not in self._rest:
                chunk = await self._stream.receive_some()
                if not chunk:
                    return []
                self._rest += chunk.replace(b"\r", b"")
        block, _, self._rest = self._rest.partition(b"\n\n")
        return block.decode().split("\n")

    async def next(self) -> tuple[str, Any] | None:
        """The next event, None at the end."""
        block = await self.block()
        if not block:
            return None
        name, data = block
        return name.removeprefix("event: "), json.loads(data.removeprefix("data: "))


@asynccontextmanager
async def followed(server: LocalServer) -> AsyncIterator[Events]:
    """Whoever leaves just hangs up."""
    async with await trio.open_tcp_stream("127.0.0.1", server.place.port) as stream:
        # To a client of HTTP/1.0 the body is sent as it is.
        await stream.send_all(
            b"GET /debug/actors?watch&limit=0 HTTP/1.0\r\nHost: 127.0.0.1\r\n"
            b"Accept: text/event-stream\r\n\r\n"
        )
        events = Events(stream)
        head = await events.block()
        assert head[0].split()[1] == "200"
        assert "content-type: text/event-stream; charset=utf-8" in head
        yield events


def watches(server: LocalServer) -> int:
    return len(server.gateway.running().tree._watches)


async def test_who_comes_and_goes_is_told(server: LocalServer) -> None:
    async with followed(server) as events:
        told = await events.next()
        assert told is not None
        assert (told[0], told[1]["root"]["id"]) == ("snapshot", "root")
        found: list[tuple[str, Any]] = []
        async with opened(server.ws) as client:
            await client.subscribe(STREAM)
            while not found or found[-1][1]["actor"]["kind"] != "subscription":
                event = await events.next()
                assert event is not None
                found.append(event)
        assert (found[0][0], found[0][1]["actor"]["kind"]) == ("added", "connection")
        gone = found[0][1]["id"]
        while (event := await events.next()) != ("removed", {"id": gone, "actor": None}):
            assert event is not None


async def test_a_client_that_leaves_leaves_no_watch_behind(server: LocalServer) -> None:
    for _ in range(3):
        async with followed(server) as events:
            await events.next()
            assert watches(server) == 1
        with trio.fail_after(PATIENCE):
            while watches(server):
                await trio.lowlevel.checkpoint()


async def test_it_ends_when_the_server_stops(server: LocalServer) -> None:
    async with followed(server) as events:
        await events.next()
        server.gateway.drain()
        last = event = await events.next()
        while event is not None:
            last, event = event, await events.next()
        assert last == ("end", {"reason": "draining"})


async def test_figures_of_connections_and_their_subscriptions(server: LocalServer) -> None:
    async with opened(server.ws) as client, httpx.AsyncClient(timeout=PATIENCE) as http:
        await client.subscribe(STREAM, operation_id="mine")
        await client.submit("alpha")
        await client.next("mine")
        tree = (await http.get(f"{server.http}/debug/actors")).json()
        assert tree["connections"]["count"] == tree["connections"]["live"] == 1
        [connections] = [each for each in tree["root"]["children"] if each["name"] == "connections"]
        [connection] = connections["children"]
        assert connection["messages_handled"] == 4  # init, subscribe, ping, the mutation
        assert connection["stats"]["principal"] == "anonymous"
        [stream] = [each for each in connection["children"] if each["kind"] == "subscription"]
        assert stream["stats"] == {
            "id": "mine",
            "field": "newIncidents",
            "live": True,
            "position": 1,
            "lag_events": 0,
        }


async def test_connections_come_back_after_a_restart_of_their_supervisor(
    server: LocalServer,
) -> None:
    async with opened(server.ws) as client, httpx.AsyncClient(timeout=PATIENCE) as http:
        reply = await http.post(f"{server.http}/debug/actors/root.connections/restart")
        assert reply.status_code == 200
        assert (await client.closed()).code == 1012
    async with opened(server.ws) as client:
        stream = await client.subscribe(STREAM)
        await client.submit("alpha")
        await client.next(stream)
