"""How many WebSockets one address may have, and whose address it is behind a proxy."""

import struct
from contextlib import AsyncExitStack
from ipaddress import ip_address
from pathlib import Path

import pytest
import trio

from system.client import PATIENCE
from system.doors import WAYS, Door, Way, knocked, knocked_again
from system.h2_client import multiplexed
from system.harness import LocalServer, local
from system.wires import Carrier

PROXY = {"server__trusted_proxies": "127.0.0.1", "limits__connections_per_address": 2}
ONE = {"X-Forwarded-For": "192.0.2.1"}


def peers(server: LocalServer) -> set[object]:
    return {connection.statistics()["peer"] for connection in server.gateway.connections}


async def gone(server: LocalServer, left: int) -> None:
    """Wait until no more connections than that are left."""
    with trio.fail_after(PATIENCE):
        while len(server.gateway.connections) > left:
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("way", WAYS)
async def test_beyond_its_number_an_address_gets_429(tmp_path: Path, way: Way) -> None:
    async with (
        local(tmp_path, tls=way.certificates(tmp_path), **PROXY) as server,
        knocked(server.place, way.carrier, ONE) as first,
    ):
        refused = server.gateway.counters.refused
        async with AsyncExitStack() as held:

            async def knock(client: str) -> Door:
                headers = {"X-Forwarded-For": client}
                return await held.enter_async_context(knocked(server.place, way.carrier, headers))

            assert (await knock("203.0.113.9, ::ffff:192.0.2.1")).open
            third = await knock("192.0.2.1")
            assert (third.status, third.headers["retry-after"]) == (429, "5")
            assert dict(refused) == {"address": 1}
            await first.init()  # the others go on
            # Of IPv6 the first 64 bits count.
            six = [await knock(f"2001:db8::{number}:1") for number in range(3)]
            assert [door.open for door in six] == [True, True, False]
            assert (await knock("2001:db8:0:1::1")).open
            # The proxy's own connections, and who does not say whose they are, are not counted.
            for _ in range(3):
                assert (await knock("127.0.0.1")).open
                assert (await knock("unknown")).open
            assert server.gateway.figures()["addresses"] == 3
        await gone(server, 1)
        async with knocked(server.place, way.carrier, ONE) as again:
            assert again.open
        assert refused.total() == 2


async def test_each_websocket_of_one_http2_connection_counts(tmp_path: Path) -> None:
    async with (
        local(tmp_path, **PROXY) as server,
        multiplexed(server.place.port) as client,
    ):
        one, two, three = [await knocked_again(client, ONE) for _ in range(3)]
        assert [one.open, two.open, three.status] == [True, True, 429]
        assert (await knocked_again(client, {"X-Forwarded-For": "192.0.2.2"})).open
        await one.init()
        client.h2.reset_stream(1)
        await client.flush()
        await gone(server, 2)
        assert (await knocked_again(client, ONE)).open


async def test_without_trust_nobody_speaks_for_another(tmp_path: Path) -> None:
    async with (
        local(tmp_path, limits__connections_per_address=1) as server,
        knocked(server.place, Carrier.HTTP_1, ONE) as one,
        knocked(server.place, Carrier.HTTP_1, ONE) as two,
    ):
        assert one.open
        assert two.open
        assert all(str(peer).startswith("127.0.0.1:") for peer in peers(server))
    async with local(tmp_path, server__trusted_proxies="192.0.2.0/24") as server:
        async with knocked(
            server.place, Carrier.HTTP_1, preface=b"PROXY TCP4 192.0.2.1 127.0.0.1 1 2\r\n"
        ) as door:
            assert door.status == 400
        assert not server.gateway.connections


V2 = b"\r\n\r\n\0\r\nQUIT\n\x21\x21" + struct.pack(
    "!H16s16sHH", 36, ip_address("2001:db8::7").packed, ip_address("::1").packed, 7, 443
)


@pytest.mark.parametrize(
    ("preface", "headers", "peer"),
    [
        pytest.param(b"", ONE, "192.0.2.1", id="x-forwarded-for"),
        pytest.param(b"", {"Forwarded": 'for="[2001:db8::7]:7"'}, "[2001:db8::7]:7", id="rfc 7239"),
        pytest.param(b"PROXY TCP4 192.0.2.1 127.0.0.1 5 2\r\n", {}, "192.0.2.1:5", id="v1"),
        pytest.param(V2, {}, "[2001:db8::7]:7", id="v2"),
        # Behind the proxy's client, whom it names, nobody is believed.
        pytest.param(V2, ONE, "[2001:db8::7]:7", id="v2 and a lie"),
        pytest.param(b"PROXY TCP4 127.0.0.1 127.0.0.1 5 2\r\n", ONE, "192.0.2.1", id="two proxies"),
    ],
)
async def test_whom_the_actor_tree_shows(
    tmp_path: Path, preface: bytes, headers: dict[str, str], peer: str
) -> None:
    async with (
        local(tmp_path, **PROXY) as server,
        knocked(server.place, Carrier.HTTP_1, headers, preface) as door,
    ):
        assert door.open
        assert peers(server) == {peer}
        await door.init()


async def test_an_address_by_a_proxy_header_is_counted(tmp_path: Path) -> None:
    header = b"PROXY TCP6 2001:db8::%d ::1 5 2\r\n"
    async with local(tmp_path, **PROXY) as server, AsyncExitStack() as held:
        doors = [
            await held.enter_async_context(
                knocked(server.place, Carrier.HTTP_1, preface=header % number)
            )
            for number in range(3)
        ]
        assert [door.status for door in doors] == [101, 101, 429]


async def test_the_host_that_a_proxy_was_asked_for_is_the_pages_own(tmp_path: Path) -> None:
    origin = {"Origin": "https://im.example"}
    told = {**origin, "X-Forwarded-Host": "im.example", "X-Forwarded-Proto": "https"}
    secret = "a secret of tests, long enough for HS256"
    async with local(tmp_path, auth__jwt_secret=secret, **PROXY) as server:
        async with knocked(server.place, Carrier.HTTP_1, {**told, **ONE}) as door:
            assert door.open
        async with knocked(server.place, Carrier.HTTP_1, {**origin, **ONE}) as door:
            assert door.status == 403
    # Where a wrong Host is refused because anybody may do anything, no header mends it.
    async with (
        local(tmp_path, **PROXY) as server,
        knocked(server.place, Carrier.HTTP_1, {**told, **ONE}) as door,
    ):
        assert door.status == 403
