"""Pull the plug: kill -9 in the middle of a storm loses nothing that was acknowledged."""

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest
import trio

from system.client import opened
from system.evidence import Body, check_offsets, check_work, events
from system.harness import ServerProcess, run
from system.traffic import Follower, RestSender, SocketSender, Up, Work

ROUNDS = int(os.environ.get("LIM_TEST_KILL_ROUNDS", "3"))
ALERTS = 10_000
END = "the end"

FILTERS: dict[str, tuple[str, Callable[[Body], bool]]] = {
    "alerts": (
        "subscription { alerts(severities: [P0, P1]) { id title severity } }",
        lambda body: body["alert"]["severity"] in ("P0", "P1"),
    ),
    "updates": (
        """subscription { incidentUpdates(filter: {sources: ["s0"]}) {
            updateType incident { id title alertCount source } } }""",
        lambda body: body["incident"]["source"] == "s0",
    ),
    "created": (
        """subscription { newIncidents(severities: [P0], filter: {sources: ["s0", "s1"]}) {
            id title severity source } }""",
        lambda body: (
            body["before"] is None
            and body["incident"]["severity"] == "P0"
            and body["incident"]["source"] in ("s0", "s1")
        ),
    ),
}
"""Three subscriptions, and which events of the file each must have got."""


@pytest.mark.parametrize(
    "number",
    [pytest.param(n, marks=[pytest.mark.slow] if n else []) for n in range(ROUNDS)],
)
async def test_kill_9_in_the_middle_of_a_storm(tmp_path: Path, number: int) -> None:
    at = random.randint(ALERTS // 5, ALERTS * 4 // 5)
    print(f"round {number}: killed after {at} acknowledgements")
    work, up = Work(ALERTS), Up()
    async with run(tmp_path) as server:
        up.now()
        place = server.place
        async with opened(place.ws) as client:
            cursor = (await client.data("{ cursor }"))["cursor"]
        followers = {
            name: Follower(up, place.ws, query, cursor) for name, (query, _) in FILTERS.items()
        }
        rest = [RestSender(work, up, place.http, batch=batch) for batch in (1, 1, 5, 5)]
        sockets = [SocketSender(work, up, place.ws) for _ in range(4)]
        async with trio.open_nursery() as following:
            for follower in followers.values():
                following.start_soon(follower.run, END)
            async with trio.open_nursery() as sending:
                for sender in (*rest, *sockets):
                    sending.start_soon(sender.run)
                await work.reached(at)
                await pull_the_plug(server, up)
            async with opened(place.ws) as client:
                await client.submit(END, source="s0", severity="P0")
        assert await server.stop() == 0
        assert server.complaints() == []

    assert all(follower.losses == 1 for follower in followers.values())
    assert all(sender.retries > 0 for sender in rest)
    assert all(sender.losses == 1 for sender in sockets)
    assert len(work.unknown) <= len(sockets)
    check(place.journal, work, followers)


async def pull_the_plug(server: ServerProcess, up: Up) -> None:
    up.no_more()
    await server.kill()
    await server.start()
    up.now()


def check(journal: Path, work: Work, followers: dict[str, Follower]) -> None:
    """Hold the file against what was acknowledged, and the followers against the file."""
    bodies = events(journal)
    check_offsets(bodies)
    check_work(bodies, work)
    assert work.acknowledged.keys() | work.unknown == set(range(ALERTS))

    for name, (_, wanted) in FILTERS.items():
        expected = [offset for offset, body in bodies.items() if wanted(body)]
        got = followers[name].events
        assert len(expected) > 100, "the filter lets next to nothing through"
        assert [offset for offset, _ in got] == expected, name
        for offset, root in got:
            subject = bodies[offset]["alert" if name == "alerts" else "incident"]
            assert (root.get("incident") or root)["id"] == subject["id"]
