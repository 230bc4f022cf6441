"""The limits of one client, on real sockets, whatever carries its WebSocket."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import httpx
import pytest
import trio

from system.client import PATIENCE, alert_input
from system.doors import WAYS, Way, knocked, knocked_again
from system.h2_client import multiplexed
from system.harness import LocalServer, local
from system.wires import Carrier, frame

STREAM = "subscription { newIncidents { title } }"
MOST = 1000  # bytes of a message


def ping(size: int, letter: str = "x") -> bytes:
    """A ping of so many bytes, or the few more that a letter may be too long by."""
    head, tail = b'{"type":"ping","payload":{"x":"', b'"}}'
    letters = (size - len(head) - len(tail)) // len(letter.encode())
    return head + letter.encode() * letters + tail


def fragments(data: bytes, size: int, opcode: int = 1) -> bytes:
    """A message in frames of so many bytes."""
    parts = [data[start : start + size] for start in range(0, len(data), size)]
    return b"".join(
        frame(0 if number else opcode, part, first=0x80 if number == len(parts) - 1 else 0)
        for number, part in enumerate(parts)
    )


TOO_BIG: Mapping[str, tuple[bytes, int]] = {
    "whole": (frame(1, ping(MOST + 1)), 1009),
    "in two parts": (fragments(ping(MOST + 200), 600), 1009),
    "byte by byte": (fragments(ping(MOST + 1), 1), 1009),
    "never ending": (fragments(ping(MOST + 50), 1)[: -20 * len(frame(0, b"x"))], 1009),
    "of bytes, not characters": (frame(1, ping(MOST + 4, "€")), 1009),
    "binary": (frame(2, bytes(MOST + 1)), 1009),
    "only said to be": (frame(1, ping(MOST + 1), size=2**40), 1009),
    "compressed": (frame(1, bytes(10), first=0xC0), 1002),
    "compressed in parts": (frame(1, bytes(10), first=0x40), 1002),
}


@pytest.mark.parametrize("way", WAYS)
async def test_the_size_of_a_message(tmp_path: Path, way: Way) -> None:
    settings = {"limits__message_bytes": MOST}
    async with (
        local(tmp_path, tls=way.certificates(tmp_path), **settings) as server,
        knocked(server.place, way.carrier) as bystander,
    ):
        await bystander.init()
        await bystander.talk.send(fragments(ping(MOST), 1))
        assert (await bystander.read())["type"] == "pong"
        for what, (sent, code) in TOO_BIG.items():
            async with knocked(server.place, way.carrier) as door:
                for parts in (MOST, 333):
                    await door.talk.send(fragments(ping(MOST), parts))
                    assert (await door.read())["type"] == "pong"
                await door.talk.send(sent)
                assert await door.talk.end() == code, what
            await bystander.send("ping")
            assert await bystander.read() == {"type": "pong"}


@pytest.mark.parametrize("way", WAYS)
async def test_the_number_of_connections(tmp_path: Path, way: Way) -> None:
    async with (
        local(tmp_path, tls=way.certificates(tmp_path), server__max_connections=2) as server,
        knocked(server.place, way.carrier) as one,
    ):
        async with (
            knocked(server.place, way.carrier) as two,
            knocked(server.place, way.carrier) as three,
        ):
            assert one.open
            assert two.open
            assert (three.status, three.headers["retry-after"]) == (503, "5")
            await one.init()
        with trio.fail_after(PATIENCE):
            while len(server.gateway.connections) > 1:
                await trio.lowlevel.checkpoint()
        async with knocked(server.place, way.carrier) as again:
            assert again.open
        assert dict(server.gateway.counters.refused) == {"connections": 1}


@pytest.mark.parametrize("way", WAYS)
async def test_the_time_for_connection_init(tmp_path: Path, way: Way) -> None:
    async with (
        local(tmp_path, tls=way.certificates(tmp_path), limits__init_timeout="100ms") as server,
        knocked(server.place, way.carrier) as door,
    ):
        await door.send("ping")
        assert await door.read() == {"type": "pong"}
        assert await door.talk.end() == 4408


def nested(depth: int) -> str:
    """A selection of so many levels."""
    return "{ incident { comments " * (depth // 2) + "{ id }" + "}}" * (depth // 2)


DOCUMENTS: Sequence[tuple[str, str]] = [
    ("a long document", "#" + "x" * 65536 + "\n" + STREAM),
    ("tokens", f"query({' '.join(f'$v{number}: Int' for number in range(501))}) {{ cursor }}"),
    ("aliases", "{ " + " ".join(f"a{number}: cursor" for number in range(51)) + " }"),
    ("fields of a stream", "subscription { newIncidents { " + "id " * 100 + "} }"),
    ("fields of a query", "{ " + "cursor " * 1001 + "}"),
    ("depth of a stream", f"subscription {{ newIncidents {nested(10)} }}"),
    ("depth of a query", f'{{ incident(id: "x") {nested(16)} }}'),
]


@pytest.mark.parametrize("way", WAYS)
async def test_what_one_connection_may_ask(tmp_path: Path, way: Way) -> None:
    settings = {"limits__subscriptions_per_connection": 1}
    async with (
        local(tmp_path, tls=way.certificates(tmp_path), **settings) as server,
        knocked(server.place, way.carrier) as door,
    ):
        await door.init()

        async def code(name: str, document: str) -> str:
            await door.send("subscribe", id=name, payload={"query": document})
            answer = await door.read()
            assert (answer["type"], answer["id"]) == ("error", name)
            return str(answer["payload"][0]["extensions"]["code"])

        async def stream(name: str) -> None:
            await door.send("subscribe", id=name, payload={"query": STREAM})
            await door.send("ping")
            assert await door.read() == {"type": "pong"}

        await stream("one")
        assert await code("two", STREAM) == "SUBSCRIPTION_LIMIT_EXCEEDED"
        for what, document in DOCUMENTS:
            assert await code(what, document) == "COMPLEXITY_LIMITED", what
        await door.send("complete", id="one")
        await stream("three")
        assert await submit(server) == 202
        message = await door.read()
        assert (message["type"], message["id"]) == ("next", "three")


async def submit(server: LocalServer) -> int:
    """Send an alert in; the status of the answer."""
    tls = server.place.tls
    async with httpx.AsyncClient(verify=True if tls is None else tls.trust()) as http:
        alert = alert_input("one", severity="P1")
        return (await http.post(f"{server.http}/v1/alerts", json=alert)).status_code


@pytest.mark.parametrize("way", WAYS)
async def test_beyond_the_pace_all_is_read_in_time(tmp_path: Path, way: Way) -> None:
    async with (
        local(tmp_path, tls=way.certificates(tmp_path), limits__messages_per_second=50) as server,
        knocked(server.place, way.carrier) as door,
    ):
        for number in range(65):
            await door.send("ping", payload={"n": number})
        for number in range(65):
            assert await door.read() == {"type": "pong", "payload": {"n": number}}
        [connection] = server.gateway.connections
        assert connection.statistics()["pauses"]


@pytest.mark.parametrize("way", WAYS)
async def test_neither_streams_nor_the_end_wait_for_the_pace(tmp_path: Path, way: Way) -> None:
    """What it sends would take longer to read than the test may take."""
    async with (
        local(tmp_path, tls=way.certificates(tmp_path), limits__messages_per_second=1) as server,
        knocked(server.place, way.carrier) as door,
    ):
        await door.send("connection_init")
        await door.send("subscribe", id="s", payload={"query": STREAM})
        for _ in range(round(2 * PATIENCE)):
            await door.send("ping")
        assert (await door.read())["type"] == "connection_ack"
        with trio.fail_after(PATIENCE):
            while not server.gateway.running().hub.seats:
                await trio.lowlevel.checkpoint()
        assert await submit(server) == 202
        kinds = []
        while "next" not in kinds:
            kinds.append((await door.read())["type"])
        assert kinds.count("pong") < PATIENCE
        server.gateway.drain()
        assert await door.talk.end() == 1001


async def test_a_paced_websocket_holds_up_no_other_of_its_connection(tmp_path: Path) -> None:
    async with (
        local(tmp_path, limits__messages_per_second=1) as server,
        multiplexed(server.place.port) as client,
    ):
        paced, other = [await knocked_again(client) for _ in range(2)]
        for _ in range(round(2 * PATIENCE)):
            await paced.send("ping")
        await other.init()
        status, _ = await client.get("/health/live")
        assert status == 200


async def test_a_paced_client_that_leaves_is_gone(tmp_path: Path) -> None:
    async with local(tmp_path, limits__messages_per_second=20) as server:
        async with knocked(server.place, Carrier.HTTP_1) as door:
            await door.init()
            for _ in range(25):
                await door.send("ping")
        with trio.fail_after(PATIENCE):
            while server.gateway.connections:
                await trio.lowlevel.checkpoint()


SMALL_FRAMES = [
    pytest.param(frame(9, b"x"), b"", id="pings"),
    pytest.param(frame(10), b"", id="pongs"),
    pytest.param(frame(0, first=0), frame(1, first=0), id="empty parts"),
]


@pytest.mark.parametrize("carrier", Carrier)
@pytest.mark.parametrize(("small", "before"), SMALL_FRAMES)
async def test_frames_that_say_little_are_read_at_a_pace(
    server: LocalServer, carrier: Carrier, small: bytes, before: bytes
) -> None:
    """Each costs the server work, and ten thousand of them fit into one read."""
    message = b'{"type":"ping"}'
    last = frame(0, message) if before else frame(1, message)
    async with (
        knocked(server.place, carrier) as busy,
        knocked(server.place, Carrier.HTTP_1) as good,
        trio.open_nursery() as nursery,
    ):
        await busy.init()
        answered = trio.Event()

        async def answer() -> None:
            assert await busy.read() == {"type": "pong"}
            answered.set()

        await busy.talk.send(before + small * 2500 + last)
        nursery.start_soon(answer)
        await good.init()
        for _ in range(20):
            await good.send("ping")
            assert await good.read() == {"type": "pong"}
        assert not answered.is_set()
