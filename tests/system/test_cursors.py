"""Resuming by cursor: after a break, after retention, and with cursors of nowhere."""

from pathlib import Path

import pytest

from system.client import Client, opened
from system.harness import LocalServer, local, run

STREAM = "subscription { newIncidents { title } }"


async def titles(client: Client, stream: str, count: int) -> list[str]:
    return [(await client.next(stream))["data"]["newIncidents"]["title"] for _ in range(count)]


async def head(client: Client) -> str:
    cursor: str = (await client.data("{ cursor }"))["cursor"]
    return cursor


async def test_resume_recovers_what_came_meanwhile_and_goes_on_live(server: LocalServer) -> None:
    async with opened(server.ws) as sender:
        async with opened(server.ws) as client:
            stream = await client.subscribe(STREAM)
            await sender.submit("one")
            first = await client.next(stream)
            assert set(first["extensions"]) == {"cursor"}
        for title in ("two", "three"):
            await sender.submit(title)
        async with opened(server.ws) as client:
            stream = await client.subscribe(STREAM, cursor=first["extensions"]["cursor"])
            second = await client.next(stream)
            assert second["data"]["newIncidents"]["title"] == "two"
            assert second["extensions"]["recovered"] is True
            assert "gap" not in second["extensions"]
            third = await client.next(stream)
            assert third["data"]["newIncidents"]["title"] == "three"
            assert set(third["extensions"]) == {"cursor"}
            await sender.submit("four")
            assert await titles(client, stream, 1) == ["four"]


async def test_resume_at_the_head_says_so_with_the_next_event(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        await client.submit("one")
        stream = await client.subscribe(STREAM, cursor=await head(client))
        await client.submit("two")
        payload = await client.next(stream)
        assert payload["data"]["newIncidents"]["title"] == "two"
        assert payload["extensions"]["recovered"] is True


async def test_a_page_and_its_cursor_are_one_moment(server: LocalServer) -> None:
    """Snapshot, then stream: nothing is missed in between, nothing twice."""
    async with opened(server.ws) as client:
        await client.submit("one")
        page = (await client.data("{ incidents { incidents { title } cursor } }"))["incidents"]
        await client.submit("two")
        stream = await client.subscribe(STREAM, cursor=page["cursor"])
        assert [incident["title"] for incident in page["incidents"]] == ["one"]
        assert await titles(client, stream, 1) == ["two"]


async def test_a_cursor_outlives_the_server(tmp_path: Path) -> None:
    async with run(tmp_path) as server:
        async with opened(server.place.ws) as client:
            stream = await client.subscribe(STREAM)
            for title in ("one", "two", "three"):
                await client.submit(title)
            cursor = (await client.next(stream))["extensions"]["cursor"]
        assert await server.stop() == 0
        await server.start()
        async with opened(server.place.ws) as client:
            stream = await client.subscribe(STREAM, cursor=cursor)
            payload = await client.next(stream)
            assert payload["extensions"]["recovered"] is True
            assert payload["data"]["newIncidents"]["title"] == "two"
            assert await titles(client, stream, 1) == ["three"]
        assert server.complaints() == []


async def assert_gap(
    client: Client, cursor: str, until: str, expected: list[str], sender: Client | None = None
) -> None:
    """Resume from a cursor that cannot be: the gap is said at once, and on the first ``next``."""
    stream = await client.begin(STREAM, cursor=cursor)
    gap = {"from": cursor, "to": until}
    told = await client.take(lambda message: message["type"] == "ping")
    assert told["payload"] == {
        "subscription": stream, "recovered": False, "gap": gap, "cursor": until,
    }  # fmt: skip
    if sender is not None:
        await sender.submit(expected[0])
    payload = await client.next(stream)
    assert payload["data"]["newIncidents"]["title"] == expected[0]
    assert payload["extensions"]["recovered"] is False
    assert payload["extensions"]["gap"] == gap
    if expected[1:]:
        second = await client.next(stream)
        assert second["data"]["newIncidents"]["title"] == expected[1]
        assert set(second["extensions"]) == {"cursor"}
        assert await titles(client, stream, len(expected) - 2) == expected[2:]


async def test_a_cursor_older_than_retention(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        epoch = (await head(client)).partition(":")[0]
        for number in range(1, 8):
            await client.submit(f"n{number}")
        journal = server.gateway.running().journal
        while await journal.trim(keep=3, before=0, limit=100):
            pass
        await assert_gap(client, f"{epoch}:2", f"{epoch}:4", ["n5", "n6", "n7"])
        # The oldest that can still be continued without loss:
        stream = await client.subscribe(STREAM, cursor=f"{epoch}:4")
        assert (await client.next(stream))["extensions"]["recovered"] is True


async def test_retention_of_the_settings_is_applied_at_the_start(tmp_path: Path) -> None:
    async with local(tmp_path) as server, opened(server.ws) as client:
        epoch = (await head(client)).partition(":")[0]
        for number in range(1, 8):
            await client.submit(f"n{number}")
    async with (
        local(tmp_path, state__retention_events=2) as server,
        opened(server.ws) as client,
    ):
        while (await server.gateway.running().journal.bounds()).oldest < 6:
            await client.ping()  # the journal is served while its house is kept
        await assert_gap(client, f"{epoch}:1", f"{epoch}:5", ["n6", "n7"])
        # What is trimmed are events, not incidents.
        page = await client.data("{ incidents { pageInfo { totalCount } } }")
        assert page["incidents"]["pageInfo"]["totalCount"] == 7


async def test_a_cursor_of_another_epoch(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        epoch = (await head(client)).partition(":")[0]
        await client.submit("one")
        await client.submit("two")
        await assert_gap(client, "other-epoch:1", f"{epoch}:0", ["one", "two"])


async def test_a_cursor_ahead_of_the_head(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        epoch = (await head(client)).partition(":")[0]
        await client.submit("one")
        await client.submit("two")
        await assert_gap(client, f"{epoch}:1000", f"{epoch}:0", ["one", "two"])


async def test_a_gap_on_a_quiet_stream_is_told_at_once(server: LocalServer) -> None:
    async with opened(server.ws) as client, opened(server.ws) as sender:
        epoch = (await head(client)).partition(":")[0]
        await assert_gap(client, "other-epoch:1", f"{epoch}:0", ["one"], sender)


@pytest.mark.parametrize("cursor", ["", "x", "e:-1", "e:1.5", ":5", "e:1:2", 7, {}, "e:01"])
async def test_a_cursor_that_does_not_parse(server: LocalServer, cursor: object) -> None:
    async with opened(server.ws) as client:
        payload = {"query": STREAM, "extensions": {"cursor": cursor}}
        await client.send("subscribe", id="x", payload=payload)
        [error] = await client.error("x")
        assert error["extensions"]["code"] == "BAD_USER_INPUT"
        assert "cursor" in error["message"]
        await client.subscribe(STREAM, operation_id="x")  # the id is free again
        await client.submit("one")
        assert await titles(client, "x", 1) == ["one"]


async def test_a_heartbeat_carries_the_last_offset_examined(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        stream = await client.subscribe(
            """subscription { incidentUpdates(severities: [P0], heartbeatSeconds: 1) {
                updateType incidentId incident { id } changedFields } }"""
        )
        await client.submit("not of this stream", severity="P4")
        cursor = await head(client)
        while True:
            payload = await client.next(stream)
            assert payload["data"]["incidentUpdates"] == {
                "updateType": "HEARTBEAT", "incidentId": None, "incident": None,
                "changedFields": [],
            }  # fmt: skip
            if payload["extensions"]["cursor"] == cursor:
                break
        await client.submit("of this stream", severity="P0")
        again = await client.subscribe(STREAM, cursor=cursor)
        assert await titles(client, again, 1) == ["of this stream"]
