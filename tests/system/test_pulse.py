"""Clients that are asked whether they are there: those that answer stay, others are cut off."""

from pathlib import Path

import trio
from h2.events import StreamReset
from wsproto.connection import Connection, ConnectionType
from wsproto.events import Ping

from system.client import PATIENCE, opened
from system.h2_client import multiplexed
from system.harness import local
from system.rude import masked, shaken

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
