"""One connection between ASGI's two channels: how fast it is read, and what does not wait."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import frozen
from trio.testing import MockClock

from incident_manager.http.connection import Connection
from incident_manager.http.gateway import Gateway
from incident_manager.http.sections import LimitSettings
from incident_manager.http.settings import Settings
from incident_manager.http.upgrade import websocket
from unit.http.served import serving

SLOW = Settings(limits=LimitSettings(messages_per_second=2))


@frozen
class Spoken:
    """A WebSocket of the application's, and the two ends that Hypercorn would have."""

    gateway: Gateway
    to: trio.MemorySendChannel[dict[str, Any]]
    answers: trio.MemoryReceiveChannel[dict[str, Any]]

    @property
    def connection(self) -> Connection:
        [connection] = self.gateway.connections
        return connection

    async def send(self, **message: object) -> None:
        await self.to.send({"type": "websocket.receive", "text": json.dumps(message)})

    async def read(self) -> Any:
        """The next message of the protocol, or the close."""
        event = await self.answers.receive()
        return json.loads(event["text"]) if "text" in event else event


@asynccontextmanager
async def spoken(settings: Settings, **scope: object) -> AsyncGenerator[Spoken, None]:
    """A connection that is open; nothing more is said at the end than that the client is gone."""
    to, receiving = trio.open_memory_channel[dict[str, Any]](1000)
    sending, answers = trio.open_memory_channel[dict[str, Any]](1000)
    given = {
        "type": "websocket",
        "path": "/graphql/ws",
        "headers": [(b"host", b"localhost")],
        "subprotocols": ["graphql-transport-ws"],
        "client": ("127.0.0.1", 5),
        **scope,
    }
    async with serving(settings) as served, trio.open_nursery() as nursery:
        await to.send({"type": "websocket.connect"})
        nursery.start_soon(websocket, served.gateway, given, receiving.receive, sending.send)
        assert (await answers.receive())["type"] == "websocket.accept"
        yield Spoken(served.gateway, to, answers)
        await to.send({"type": "websocket.disconnect", "code": 1006})


async def test_beyond_the_limit_it_is_read_at_the_pace_of_the_limit(
    autojump_clock: MockClock,
) -> None:
    async with spoken(SLOW) as socket:
        times = []
        for number in range(6):
            await socket.send(type="ping", payload={"n": number})
        for number in range(6):
            assert await socket.read() == {"type": "pong", "payload": {"n": number}}
            times.append(trio.current_time())
        assert [moment - times[0] for moment in times] == [0.0, 0.0, 0.5, 1.0, 1.5, 2.0]
        assert socket.connection.statistics()["pauses"] == 4 + 1  # and what it has now


async def test_without_a_limit_it_never_rests(autojump_clock: MockClock) -> None:
    async with spoken(Settings(limits=LimitSettings(messages_per_second=0))) as socket:
        began = trio.current_time()
        for _ in range(500):
            await socket.send(type="ping")
        for _ in range(500):
            assert await socket.read() == {"type": "pong"}
        assert trio.current_time() == began
        assert socket.connection.statistics()["pauses"] == 0


async def test_a_close_does_not_wait_for_the_pace(autojump_clock: MockClock) -> None:
    settings = Settings(limits=LimitSettings(messages_per_second=1))
    async with spoken(settings) as socket:
        await socket.send(type="connection_init")
        assert (await socket.read())["type"] == "connection_ack"
        began = trio.current_time()
        await trio.testing.wait_all_tasks_blocked()
        for _ in range(50):
            await socket.send(type="ping")
        socket.connection.go_away()
        close = await socket.read()
        assert close["type"] == "websocket.close"
        assert trio.current_time() == began
    # What was still to be read was read at once, so that the client's end was seen in time.
    assert trio.current_time() == began


async def test_who_takes_no_answers_has_no_more_time_than_others(
    autojump_clock: MockClock,
) -> None:
    limits = LimitSettings(messages_per_second=0, init_timeout=60.0, outbox_bytes=4096)
    with trio.fail_after(100):
        async with spoken(Settings(limits=limits)) as socket:
            for _ in range(1200):  # more answers than there is room for
                await socket.send(type="ping")
            await trio.testing.wait_all_tasks_blocked()
            assert socket.to.statistics().current_buffer_used > 0  # it is not read from


async def test_a_client_behind_a_proxy_that_does_not_say_its_port() -> None:
    async with spoken(Settings(), client=("2001:db8::1", 0)) as socket:
        assert socket.connection.statistics()["peer"] == "2001:db8::1"
        assert socket.gateway.figures()["addresses"] == 1
    assert socket.gateway.figures()["addresses"] == 0
