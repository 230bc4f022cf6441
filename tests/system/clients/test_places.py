"""The example clients keep their place: across their own restarts, on a quiet stream, and where the
network dies without a word."""

import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import pytest

from incident_manager.http.client import open_client
from system.clients.follower import Follower, following
from system.clients.proxy import Proxy, proxied
from system.clients.test_programs import (
    AT_ONCE,
    END,
    STREAMS,
    Feeder,
    all_say,
    build_all,
    built,
    command,
    replay,
    title,
)
from system.harness import LocalServer, run

__all__ = ["built", "command"]

pytestmark = pytest.mark.slow


async def test_it_goes_on_where_it_was(
    command: Sequence[str], server: LocalServer, tmp_path: Path
) -> None:
    """What happens while it does not run comes when it runs again; nothing comes twice."""
    place = tmp_path / "place.json"
    start = partial(following, command, server.ws, CURSOR_FILE=place)
    async with open_client(server.ws, backoff=AT_ONCE) as client:
        feeder = Feeder(client)
        async with start() as first:
            begin = (await first.says("following", resumed=False))["cursor"]
            assert json.loads(place.read_bytes()) == dict.fromkeys(STREAMS, begin)
            await feeder.feed(5)
            await first.has("newIncidents", 5)
            assert await first.stop() == 0
        await feeder.feed(5)
        async with start() as second:
            await second.says("following", resumed=True)
            await feeder.feed(5)
            await feeder.one(END, "P0", acknowledge=True)
            expected = {stream: await replay(client, stream, begin) for stream in STREAMS}
            for stream, events in expected.items():
                await second.has(stream, len(events) - len(first.of(stream)))
            assert await second.stop() == 0
    for stream, events in expected.items():
        seen = [event.cursor for event in (*first.of(stream), *second.of(stream))]
        assert seen == [event.cursor for event in events], stream
    assert json.loads(place.read_bytes()) == {
        stream: events[-1].cursor for stream, events in expected.items()
    }
    assert sorted(each.name for each in tmp_path.glob("place*")) == ["place.json"]


@pytest.mark.parametrize("name", ["broken.json", "nowhere/place.json"])
async def test_it_gives_up_where_its_place_cannot_be_kept(
    command: Sequence[str], server: LocalServer, tmp_path: Path, name: str
) -> None:
    (tmp_path / "broken.json").write_text('{"newInc')
    async with following(command, server.ws, CURSOR_FILE=tmp_path / name) as follower:
        assert await follower.ended() == 1
        assert "CURSOR_FILE" in (await follower.says("gave up"))["reason"]


async def test_a_quiet_stream_moves_on_and_a_dead_one_is_noticed(
    tmp_path: Path, built: dict[str, Sequence[str]]
) -> None:
    """The updates of P0 and P1 are quiet: heartbeats say how far the server has looked."""
    build_all(built)
    async with (
        run(tmp_path) as server,
        open_client(server.place.ws, backoff=AT_ONCE) as client,
        AsyncExitStack() as stack,
    ):
        proxies: dict[str, Proxy] = {}
        followers: dict[str, Follower] = {}
        for name, program in built.items():
            proxies[name] = await stack.enter_async_context(proxied(server.place.port))
            followers[name] = await stack.enter_async_context(
                following(program, proxies[name].ws, CURSOR_FILE=tmp_path / name)
            )
        await all_say(followers, "following")
        feeder = Feeder(client)
        await feeder.one("mild", "P4", acknowledge=False)
        for name, follower in followers.items():
            await proxies[name].shows(b'"HEARTBEAT"')
            proxies[name].cut()
            assert not follower.of("incidentUpdates")
        await feeder.one("meanwhile", "P0", acknowledge=False)
        await all_say(followers, "disconnected")  # which no close and no reset has told
        for name, follower in followers.items():
            place = json.loads((tmp_path / name).read_bytes())
            assert place["incidentUpdates"] == place["newIncidents"], name
            proxies[name].mend()
            await follower.has("incidentUpdates", 1)
            await follower.has("newIncidents", 2)
            assert [title(each) for each in follower.of("newIncidents")] == ["mild", "meanwhile"]
            assert await follower.stop() == 0, name
