"""All connections at a glance, and those that are looked for."""

import pytest
import trio

from incident_manager.http.debug.census import Census, take_census
from unit.http.debug.connections import connect
from unit.http.served import Served, serving


async def census(served: Served, peer: str | None = None, principal: str | None = None) -> Census:
    assert served.gateway.system is not None
    return await take_census(served.gateway.system.connections.node, peer=peer, principal=principal)


async def test_the_sums_and_the_one_that_is_most_behind() -> None:
    async with serving() as served:
        await connect(served, {}, {"lag_events": 9, "live": 0, "reading": 2}, {"lag_events": 0})
        assert (await census(served)).view() == {
            "count": 3,
            "subscriptions": 6,
            "live": 2,
            "reading": 4,
            "max_lag_events": 9,
            "backlog_bytes": 9,
            "bytes_out": 30,
        }


async def test_nobody_is_there() -> None:
    assert await take_census(None) == Census()


@pytest.mark.parametrize(
    ("peer", "principal", "found"),
    [
        (None, None, ""),
        ("10.0.0.7", None, "01"),
        ("10.0.0.7:5", None, "0"),
        ("10.0.0", None, ""),
        ("::1", None, "2"),
        ("[::1]", None, "2"),
        ("[::1]:9", None, "2"),
        (None, "ann", "02"),
        ("10.0.0.7", "ann", "0"),
        ("10.0.0.7", "eve", ""),
    ],
)
async def test_connections_are_found_by_peer_and_principal(
    peer: str | None, principal: str | None, found: str
) -> None:
    async with serving() as served:
        await connect(
            served,
            {"peer": "10.0.0.7:5"},
            {"peer": "10.0.0.7:6", "principal": None},
            {"peer": "[::1]:9"},
        )
        wanted = tuple(f"root.connections.c{number}" for number in found)
        assert (await census(served, peer, principal)).found == wanted


async def test_others_run_while_thousands_are_looked_at() -> None:
    async with serving() as served:
        await connect(served, *({} for _ in range(1_000)))
        turns = 0

        async def run() -> None:
            nonlocal turns
            while True:
                turns += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            assert (await census(served)).count == 1_000
            nursery.cancel_scope.cancel()
        assert turns >= 2
