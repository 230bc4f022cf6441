"""Clients that are asked whether they are there: those that answer stay, others are cut off."""

from pathlib import Path

import trio
from h2.events import StreamReset
from wsproto.connection import Connection, ConnectionType
from wsproto.events import Ping, TextMessage

from system.client import PATIENCE, Client, opened
from system.h2_client import multiplexed
from system.harness import local
from system.readers import SocketStream, dialled
from system.rude import masked, shaken
from system.wires import Http2Wire

AGREED = b"Sec-WebSocket-Protocol: graphql-transport-ws\r\n"


async def until_reset(stream: trio.SocketStream) -> bytes:
    """What comes before the server cuts the connection off."""
    got = b""
    with trio.fail_after(PATIENCE):
        try:
            while True:
                some = await stream.receive_some()
                assert some, "it ended in peace"
                got += some
        except trio.BrokenResourceError:
            return got


async def test_who_answers_stays_and_who_does_not_is_cut_off(tmp_path: Path) -> None:
    async with (
        local(tmp_path, server__ping_interval="20ms", server__pong_timeout="200ms") as server,
        opened(server.ws) as client,
        shaken(server.place, AGREED) as (mute, head),
    ):
        pulse = server.gateway.guard.pulse
        frames = Connection(ConnectionType.CLIENT)
        frames.receive_data(head.partition(b"\r\n\r\n")[2] + await until_reset(mute))
        events = list(frames.events())
        assert len(events) == 1
        assert isinstance(events[0], Ping)
        assert pulse.silent == 1
        assert pulse.pings > 2  # one of them for the mute, the others were answered
        assert len(pulse) == 1
        await client.submit("it was not cut off")
    assert len(pulse) == 0


async def test_who_agreed_to_nothing_is_not_asked(tmp_path: Path) -> None:
    async with (
        local(tmp_path, server__ping_interval="10ms", server__pong_timeout="100ms") as server,
        shaken(server.place) as (simple, _),
        shaken(server.place, AGREED) as (mute, _),
    ):
        await until_reset(mute)
        await simple.send_all(masked('{"type":"connection_init"}'))
        assert b"connection_ack" in await simple.receive_some()
        assert server.gateway.guard.pulse.pings == 1


async def test_a_stream_of_http2_that_answers_nothing_is_reset(tmp_path: Path) -> None:
    async with (
        local(tmp_path, server__ping_interval="20ms", server__pong_timeout="200ms") as server,
        multiplexed(server.place.port) as http2,
    ):
        mute = await http2.websocket()
        with trio.fail_after(PATIENCE):
            while not isinstance(await mute.events.receive(), StreamReset):
                pass
        assert server.gateway.guard.pulse.silent == 1
        status, _ = await http2.get("/health/live")
        assert status == 200


class Unhurried:
    """A connection that is read 2,000 bytes at a time, with a rest after each."""

    def __init__(self, stream: SocketStream, client: Client) -> None:
        self._stream = stream
        self._client = client
        self.send_all = stream.send_all

    async def receive_some(self) -> bytes | bytearray:
        data = await self._stream.receive_some(2000)
        rested = trio.current_time() + 0.02
        while trio.current_time() < rested:
            await self._client.ping()
        return data


async def test_who_is_slow_on_http2_is_not_taken_for_gone(tmp_path: Path) -> None:
    """What waits below its window, before the ping, takes longer than it has for the answer."""
    query = "subscription{newIncidents{description}}"
    watch = f'{{"type":"subscribe","id":"x","payload":{{"query":"{query}"}}}}'
    settings = {"server__ping_interval": "50ms", "server__pong_timeout": "250ms"}
    async with (
        local(tmp_path, **settings) as server,
        opened(server.ws) as client,
        dialled(server.place, window=4096) as stream,
    ):
        wire = Http2Wire(Unhurried(stream, client))  # type: ignore[arg-type]
        await wire.begin()
        await wire.send_all(masked('{"type":"connection_init"}') + masked(watch))
        while server.gateway.running().hub.seats < 1:
            await client.ping()
        await client.submit("large", description="d" * 60_000)
        frames = Connection(ConnectionType.CLIENT)
        size, answered = 0, 0
        with trio.fail_after(PATIENCE):
            while size < 60_000 or not answered:
                data = await wire.receive_some()
                assert data, "it is cut off"
                frames.receive_data(data)
                for event in frames.events():
                    if isinstance(event, Ping):
                        await wire.send_all(frames.send(event.response()))
                        answered += size >= 60_000
                    elif isinstance(event, TextMessage):
                        size += len(event.data)
        assert server.gateway.guard.pulse.silent == 0
