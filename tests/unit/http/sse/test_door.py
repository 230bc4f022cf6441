"""The door: a request that asks for a stream, without a socket."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
import trio.testing
from attrs import field, frozen

from incident_manager.actors.subscription import Subscription
from incident_manager.http.gateway import Phase
from incident_manager.http.sse.door import event_stream
from incident_manager.supervision import DynamicSupervisor, SupervisorStopped
from system.event_source import Event, EventParser
from unit.http.served import ALERT, Served, serving

STREAM = "subscription { newIncidents { title } }"
GONE = {"type": "http.disconnect"}


@frozen
class Asked:
    """A request on its way, and what its client has got."""

    messages: trio.MemorySendChannel[dict[str, Any]]
    heads: list[dict[str, Any]] = field(factory=list)
    events: list[Event] = field(factory=list)
    parser: EventParser = field(factory=EventParser)
    over: trio.Event = field(factory=trio.Event)
    left: trio.Event = field(factory=trio.Event)

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self.heads.append(message)
            return
        self.events.extend(self.parser.feed(message["body"]))
        if not message["more_body"]:
            self.over.set()

    @property
    def status(self) -> int:
        [head] = self.heads
        status: int = head["status"]
        return status


def scope(body: bytes) -> dict[str, Any]:
    headers: Mapping[str, str] = {
        "host": "localhost",
        "accept": "text/event-stream",
        "content-type": "application/json",
        "content-length": str(len(body)),
    }
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": "/graphql/stream",
        "raw_path": b"/graphql/stream",
        "query_string": b"",
        "root_path": "",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("127.0.0.1", 4711),
        "server": ("127.0.0.1", 8080),
        "extensions": {},
    }


@asynccontextmanager
async def asking(
    served: Served, query: str = STREAM, *, whole: bool = True
) -> AsyncIterator[Asked]:
    """A request; its client leaves at the end."""
    messages, received = trio.open_memory_channel[dict[str, Any]](10)
    asked = Asked(messages)
    body = json.dumps({"query": query}).encode()
    messages.send_nowait({"type": "http.request", "body": body, "more_body": not whole})

    application: Any = served.app

    async def serve() -> None:
        await event_stream(served.gateway, application, scope(body), received.receive, asked.send)
        asked.left.set()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve)
        await trio.testing.wait_all_tasks_blocked()
        yield asked
        messages.send_nowait(GONE)
        await asked.left.wait()


async def test_a_stream_lives_until_its_client_leaves() -> None:
    async with serving() as served:
        async with asking(served) as asked:
            assert asked.status == 200
            [held] = served.gateway.connections
            assert held.subscriptions == 1
            await served.alert()
            await trio.testing.wait_all_tasks_blocked()
            [event] = asked.events
            assert event.json["data"] == {"newIncidents": {"title": ALERT["title"]}}
            assert held.waiting == 0
        assert not asked.over.is_set()
        assert not served.gateway.connections
        assert served.gateway.counters.lives.count == 1
        assert not served.gateway.running().connections.statistics().alive


async def test_who_leaves_before_it_begins_gets_nothing() -> None:
    async with serving() as served:
        async with asking(served, whole=False) as asked:
            pass
        assert asked.heads == []
        assert not served.gateway.connections


async def test_whoever_is_sent_away_has_what_waited_and_no_complete() -> None:
    async with serving() as served, asking(served) as asked:
        [held] = served.gateway.connections
        await served.alert()
        held.go_away()
        held.go_away()
        await asked.over.wait()
        assert [event.type for event in asked.events] == ["next"]
        await asked.left.wait()
        assert not served.gateway.connections


async def test_an_event_that_cannot_be_shown_ends_the_stream_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def broken(self: Subscription) -> None:
        del self
        raise RuntimeError("what nobody must see")

    async with serving() as served, asking(served) as other:
        monkeypatch.setattr(Subscription, "run", broken)
        async with asking(served) as asked:
            await asked.over.wait()
            first, last = asked.events
            [error] = first.json["errors"]
            assert error["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
            assert "nobody" not in first.data
            assert last.type == "complete"
        assert not other.over.is_set()


async def test_a_server_that_stops_takes_no_new_ones() -> None:
    async with serving() as served:
        served.gateway.drain()
        assert served.gateway.phase is Phase.DRAINING
        async with asking(served) as asked:
            await asked.over.wait()
            assert asked.status == 503
        assert served.gateway.counters.refused.total() == 1


async def test_nor_does_one_that_has_begun_to_stop_meanwhile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(*given: object) -> None:
        raise SupervisorStopped("it takes no child")

    async with serving() as served:
        monkeypatch.setattr(DynamicSupervisor, "admit", stopped)
        async with asking(served) as asked:
            await asked.over.wait()
            assert asked.status == 503
        assert not served.gateway.connections
