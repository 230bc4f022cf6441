"""Clients that never read, with 30 MB due to each, beside many that do."""

import re
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from attrs import frozen

from system.certificates import make
from system.client import PATIENCE
from system.harness import ServerProcess, run
from system.readers import Reader, deaf_subscriber, subscription, trusting

MIB = 2**20
GRACE = 20.0  # seconds: server.graceful_timeout
OUTBOX = MIB  # limits.outbox_bytes, as it is by default
BATCH = 50
DESCRIPTION = "d" * 60_000
SIZE = len(DESCRIPTION)
EVENTS = 500
TITLES = [f"incident {number}" for number in range(EVENTS)]
LIGHT = "subscription{newIncidents{title}}"
WHOLE = "subscription{newIncidents{title description}}"
EVICTIONS = 'lim_stream_evictions_total{reason="stalled"}'


@frozen
class Crowd:
    """How many there are of each, and how they are connected."""

    deaf: int
    readers: int
    tls: bool = False
    http2: bool = False

    @property
    def bound(self) -> int:
        """The most bytes that it all may add to a server at rest."""
        record = 3 * SIZE  # the after-image, the alert, and the row that they are read from
        each = (
            OUTBOX  # what waits for a client
            + SIZE  # and a frame more: one always fits into an empty outbox
            + 256 * 1024  # and what TLS or HTTP/2 has in its hands, or a subscriber of its own
        )
        shared = (
            min(64 * MIB, EVENTS * record)  # the hub's ring of recent records
            + min(16 * MIB, EVENTS * SIZE)  # payloads, kept for all who read the same event
            + min(64 * MIB, EVENTS * SIZE)  # the registry's working set
            + 16 * MIB  # pages of SQLite: the writer's
            + 3 * 4 * MIB  # and those of three readers
            + 3 * 64 * record  # three reads that are on their way, of 64 records each
            + 2 * BATCH * record  # a request that is being decided: its JSON and its events
        )
        return (self.deaf * each + shared) * 5 // 4  # the allocator keeps a quarter between them


LARGE = Crowd(50, 200)
CROWDS = [
    pytest.param(LARGE, id="http/1.1", marks=pytest.mark.slow),
    pytest.param(Crowd(5, 20, tls=True), id="tls", marks=pytest.mark.slow),
    pytest.param(Crowd(5, 20, http2=True), id="h2c", marks=pytest.mark.slow),
    pytest.param(Crowd(5, 20, tls=True, http2=True), id="h2", marks=pytest.mark.slow),
]


def memory(server: ServerProcess, what: str) -> int:
    """Bytes resident: now (VmRSS), or the most that there ever were (VmHWM)."""
    status = Path(f"/proc/{server.running.pid}/status").read_text()
    found = re.search(rf"{what}:\s+(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


async def sample(http: httpx.AsyncClient, name: str) -> float:
    lines = (await http.get("/metrics")).text.splitlines()
    return next((float(line.rpartition(" ")[2]) for line in lines if line.startswith(name)), 0.0)


async def subscribers(http: httpx.AsyncClient) -> list[dict[str, Any]]:
    """The figures of every connection that has a subscription."""
    answer = await http.get("/debug/actors/root.connections", params={"limit": 1000})
    assert answer.status_code == 200, answer.text
    found = [child["stats"] for child in answer.json()["actor"]["children"]]
    return [stats for stats in found if stats["subscriptions"]]


@frozen
class Scene:
    """A server that has sent all to those who read, and nothing to the others."""

    server: ServerProcess
    http: httpx.AsyncClient
    readers: Sequence[Reader]
    cursor: str
    """Where they all began."""
    reading: Sequence[dict[str, Any]]
    """What the actor tree showed of those who do not read, when the others had it all."""
    grown: int
    """The most bytes that it has added to the server."""


@asynccontextmanager
async def crowded(directory: Path, crowd: Crowd, stall_timeout: str) -> AsyncIterator[Scene]:
    tls = make(directory / "tls") if crowd.tls else None
    async with (
        run(
            directory,
            tls=tls,
            server__graceful_timeout=GRACE,
            limits__stall_timeout=stall_timeout,
        ) as server,
        httpx.AsyncClient(
            base_url=server.place.http, verify=trusting(server.place), timeout=PATIENCE
        ) as http,
        AsyncExitStack() as stack,
    ):
        answer = await http.post("/graphql", json={"query": "{cursor}"})
        cursor: str = answer.json()["data"]["cursor"]
        nursery = await stack.enter_async_context(trio.open_nursery())
        readers = [
            Reader(LIGHT if number % 20 else WHOLE, cursor) for number in range(crowd.readers)
        ]
        for reader in readers:
            await nursery.start(reader.run, server.place)
        for _ in range(crowd.deaf):
            messages = subscription(WHOLE, cursor)
            deaf = deaf_subscriber(server.place, messages, http2=crowd.http2)
            await stack.enter_async_context(deaf)
        before = memory(server, "VmRSS")
        await send(http)
        with trio.fail_after(5 * PATIENCE):
            for reader in readers:
                await reader.at(EVENTS)
        found = await subscribers(http)
        reading = [stats for stats in found if stats["lag_events"]]
        grown = memory(server, "VmHWM") - before
        yield Scene(server, http, readers, cursor, reading, grown)
        nursery.cancel_scope.cancel()


async def send(http: httpx.AsyncClient) -> None:
    given = {"source": "s", "description": DESCRIPTION, "severity": "P1"}
    for start in range(0, EVENTS, BATCH):
        alerts = [{**given, "title": title} for title in TITLES[start : start + BATCH]]
        answer = await http.post("/v1/alerts", json={"alerts": alerts})
        assert answer.status_code == 202, answer.text
        assert {ack["status"] for ack in answer.json()["acks"]} == {"ACCEPTED"}


def check_readers(scene: Scene) -> None:
    """Every event once, and in order."""
    for number, reader in enumerate(scene.readers):
        assert reader.titles == TITLES
        assert reader.sizes == {0 if number % 20 else SIZE}


def test_the_bound_says_something() -> None:
    """A server that kept for each what is due to it would be far beyond."""
    assert LARGE.bound < LARGE.deaf * EVENTS * SIZE / 3


@pytest.mark.parametrize("crowd", CROWDS)
async def test_they_cost_a_bounded_amount_and_hold_up_no_end(tmp_path: Path, crowd: Crowd) -> None:
    async with crowded(tmp_path, crowd, "1h") as scene:
        check_readers(scene)
        assert len(scene.reading) == crowd.deaf
        for stats in scene.reading:
            assert (stats["live"], stats["reading"]) == (0, 1)
            assert stats["lag_events"] > EVENTS / 2
            assert stats["backlog_bytes"] <= OUTBOX + SIZE
        assert scene.grown < crowd.bound
        assert await sample(scene.http, EVICTIONS) == 0
        scene.server.signal(signal.SIGTERM)
        with trio.fail_after(GRACE):
            assert await scene.server.wait() == 0
        assert {reader.code for reader in scene.readers} == {1001}
        check_readers(scene)
        assert scene.server.complaints() == []


@pytest.mark.parametrize("crowd", CROWDS)
async def test_they_are_let_go_and_can_come_back(tmp_path: Path, crowd: Crowd) -> None:
    async with crowded(tmp_path, crowd, "3s") as scene:
        check_readers(scene)
        assert scene.grown < crowd.bound
        with trio.fail_after(PATIENCE):
            while await sample(scene.http, EVICTIONS) < crowd.deaf:
                pass
            while len(found := await subscribers(scene.http)) > crowd.readers:
                pass
        assert [stats for stats in found if stats["lag_events"]] == []
        assert await sample(scene.http, EVICTIONS) == crowd.deaf
        back = [Reader(WHOLE, scene.cursor) for _ in range(min(crowd.deaf, 5))]
        async with trio.open_nursery() as nursery:
            for reader in back:
                nursery.start_soon(reader.run, scene.server.place)
            with trio.fail_after(PATIENCE):
                for reader in back:
                    await reader.at(EVENTS)
            for reader in back:
                assert reader.titles == TITLES
                assert reader.sizes == {SIZE}
                assert reader.recovered == [True]
            nursery.cancel_scope.cancel()
        check_readers(scene)
        with trio.fail_after(GRACE):
            assert await scene.server.stop() == 0
        assert {reader.code for reader in scene.readers} == {1001}
        assert scene.server.complaints() == []
