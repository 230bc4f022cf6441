"""The way a server stops: announced, in order, and in time whatever its clients do."""

import json
import signal
import sqlite3
import ssl
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from pathlib import Path

import httpx
import pytest
import trio
from attrs import frozen
from hyperframe.frame import DataFrame, Frame
from trio_websocket import ConnectionClosed

from system.certificates import Certificates, make
from system.client import PATIENCE, Client, Closed, alert_input, opened
from system.harness import COMMAND, Place, ServerProcess, run
from system.nuisances import every, furious, head_of
from system.readers import dialled, shake, trusting
from system.rude import upgrade
from system.rude_h2 import RudeH2, rude_h2, websocket_headers
from system.test_hypercorn import APPLICATION, HYPERCORN

GRACE = 20.0  # seconds: server.graceful_timeout
STREAM = "subscription { newIncidents { title } }"


@frozen
class Way:
    """How the server is run."""

    tls: bool = False
    hypercorn: bool = False

    def command(self, tls: Certificates | None) -> Sequence[str]:
        if not self.hypercorn:
            return COMMAND
        files = () if tls is None else ("--certfile", str(tls.cert), "--keyfile", str(tls.key))
        return (*HYPERCORN, *files, APPLICATION)


WAYS = [
    pytest.param(Way(), id="serve"),
    pytest.param(Way(tls=True), id="serve-tls", marks=pytest.mark.slow),
    pytest.param(Way(hypercorn=True), id="hypercorn", marks=pytest.mark.slow),
    pytest.param(Way(tls=True, hypercorn=True), id="hypercorn-tls", marks=pytest.mark.slow),
]


@asynccontextmanager
async def running(
    directory: Path, way: Way, *, window: float = 0.2, outbox: int = 2**20
) -> AsyncIterator[tuple[ServerProcess, httpx.AsyncClient]]:
    """The server, and a client that keeps its connection alive. Nobody is cut off for stalling."""
    tls = make(directory / "tls") if way.tls else None
    async with (
        run(
            directory,
            command=way.command(tls),
            ready_line="Running on" if way.hypercorn else '"event": "ready"',
            tls=tls,
            server__graceful_timeout=GRACE,
            server__drain_window=window,
            limits__stall_timeout="1h",
            limits__outbox_bytes=outbox,
        ) as server,
        httpx.AsyncClient(
            base_url=server.place.http, verify=trusting(server.place), timeout=PATIENCE
        ) as http,
    ):
        yield server, http


@contextmanager
def held(place: Place) -> Iterator[sqlite3.Connection]:
    """Another program holds the journal: whoever changes something waits until its rollback."""
    with closing(sqlite3.connect(place.journal)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        yield connection


def trust(place: Place) -> ssl.SSLContext | None:
    return None if place.tls is None else place.tls.trust()


def quiet(server: ServerProcess) -> bool:
    """Nothing that its clients did was worth a word. Hypercorn has a format of its own, too."""
    loud = [line for line in server.lines if '"level": "info"' not in line]
    return not [line for line in loud if "[INFO]" not in line]


def check(closed: Closed) -> None:
    assert (closed.code, closed.reason) == (1001, "Going away")


@pytest.mark.parametrize("way", WAYS)
async def test_it_ends_in_time_whatever_its_clients_do(tmp_path: Path, way: Way) -> None:
    """And those who behave get their close beside them."""
    async with (
        running(tmp_path, way, outbox=65536) as (server, http),
        trio.open_nursery() as nursery,
        AsyncExitStack() as stack,
    ):
        polite = [
            await stack.enter_async_context(opened(server.place.ws, tls=trust(server.place)))
            for _ in range(5)
        ]
        streams = [await client.subscribe(STREAM) for client in polite]
        await stack.enter_async_context(every(server.place, 3))
        for _ in range(5):
            nursery.start_soon(furious, server.place)
        for number in range(20):
            given = alert_input(f"large {number}", description="d" * 60_000)
            assert (await http.post("/v1/alerts", json=given)).status_code == 202
        for client, stream in zip(polite, streams, strict=True):
            for number in range(20):
                payload = await client.next(stream)
                assert payload["data"]["newIncidents"]["title"] == f"large {number}"
        server.signal(signal.SIGTERM)
        for client in polite:
            check(await client.closed())
        with trio.fail_after(GRACE):
            assert await server.wait() == 0
        assert quiet(server), server.lines
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("way", WAYS)
async def test_requests_that_are_being_served_get_their_answers(tmp_path: Path, way: Way) -> None:
    """Over HTTP/1.1 and HTTP/2, by REST and by GraphQL."""
    answers: list[int] = []

    async def post(http: httpx.AsyncClient, path: str, body: object) -> None:
        answers.append((await http.post(path, json=body)).status_code)

    async with (
        running(tmp_path, way) as (server, http),
        opened(server.place.ws, tls=trust(server.place)) as witness,
        rude_h2(server.place) as newer,
    ):
        with held(server.place) as lock:
            async with trio.open_nursery() as nursery:
                for number, (path, body) in enumerate(requests("one")):
                    await upload(newer, 2 * number + 1, path, body)
                for path, body in requests("two"):
                    nursery.start_soon(post, http, path, body)
                await arrived(http, 4)
                server.signal(signal.SIGTERM)
                assert (await witness.closed()).code == 1001
                lock.rollback()
                ended: set[int] = set()
                while len(ended) < 2:
                    frame = await newer.next(Frame)
                    if "END_STREAM" in frame.flags:
                        ended.add(frame.stream_id)
        assert [newer.fields[number][":status"] for number in (1, 3)] == ["200", "202"]
        assert sorted(answers) == [200, 202]
        assert await server.wait() == 0
        assert quiet(server), server.lines


def requests(what: str) -> list[tuple[str, dict[str, object]]]:
    """Two changes that nobody has asked for yet."""
    query = "mutation($i: SubmitAlertInput!){submitAlert(input:$i){status}}"
    given = {"query": query, "variables": {"i": alert_input(f"graphql {what}")}}
    return [("/graphql", given), ("/v1/alerts", alert_input(f"rest {what}"))]


async def upload(client: RudeH2, stream_id: int, path: str, body: object) -> None:
    fields = [(":method", "POST"), (":scheme", "http"), (":path", path)]
    more = [(":authority", "127.0.0.1"), ("content-type", "application/json")]
    await client.send(
        client.headers(stream_id, [*fields, *more], end=False),
        DataFrame(stream_id, json.dumps(body).encode(), flags=["END_STREAM"]),
    )


async def arrived(http: httpx.AsyncClient, count: int) -> None:
    """Wait until the registry has so many requests, being written or waiting."""
    with trio.fail_after(PATIENCE):
        while True:
            stats = (await http.get("/debug/actors/root.registry")).json()["actor"]["stats"]
            if stats["messages_handled"] + stats["mailbox_depth"] >= count:
                return


@pytest.mark.slow
@pytest.mark.parametrize("tls", [False, True])
async def test_it_says_that_it_goes_before_it_goes(tmp_path: Path, *, tls: bool) -> None:
    """Who is there and who comes is told the same, by HTTP/1.1 and by HTTP/2."""
    way = Way(tls=tls)
    async with (
        running(tmp_path, way, window=6) as (server, http),
        AsyncExitStack() as stack,
    ):
        place = server.place

        async def client(*, newer: bool) -> httpx.AsyncClient:
            made = httpx.AsyncClient(
                base_url=place.http,
                verify=trusting(place),
                timeout=PATIENCE,
                http1=not newer,
                http2=newer,
            )
            return await stack.enter_async_context(made)

        both = [http, await client(newer=True)]
        for each in both:
            assert (await each.get("/health/ready")).status_code == 200
        known = await stack.enter_async_context(rude_h2(place))
        await known.send(known.headers(1))
        assert await known.status(1) == "200"
        for _ in range(120):  # so that the closes take their time
            await shake(await stack.enter_async_context(dialled(place)))

        server.signal(signal.SIGTERM)
        with trio.fail_after(PATIENCE):
            while (await http.get("/health/ready")).status_code != 503:
                pass
        both += [await client(newer=False), await client(newer=True)]
        for each in both:
            assert (await each.get("/health/ready")).status_code == 503
            assert (await each.get("/health/live")).status_code == 200
        fresh = await stack.enter_async_context(rude_h2(place))
        for stream_id, each in ((3, known), (1, fresh)):
            await each.send(each.headers(stream_id, websocket_headers(), end=False))
            assert await each.status(stream_id) == "503"
        late = await stack.enter_async_context(dialled(place))
        await late.send_all(upgrade())
        assert (await head_of(late)).startswith(b"HTTP/1.1 503")
        with trio.fail_after(GRACE):
            assert await server.wait() == 0
        assert quiet(server), server.lines


async def test_the_closes_are_spread(tmp_path: Path) -> None:
    """When the first has its close, there are others that go on as if nothing were."""
    async with (
        running(tmp_path, Way(), window=2) as (server, _),
        AsyncExitStack() as stack,
    ):
        clients = [await stack.enter_async_context(opened(server.place.ws)) for _ in range(40)]
        first = trio.Event()
        served = 0

        async def follow(client: Client) -> None:
            nonlocal served
            check(await client.closed())
            first.set()
            pongs = [message for message in client.kept if message["type"] == "pong"]
            served += len(pongs)

        async with trio.open_nursery() as nursery:
            for client in clients:
                nursery.start_soon(follow, client)
            server.signal(signal.SIGTERM)
            await first.wait()
            for client in clients:
                try:
                    await client.send("ping")
                except ConnectionClosed:
                    continue
        assert served >= 5
        assert await server.wait() == 0


@pytest.mark.slow
async def test_a_window_as_long_as_the_grace_leaves_time_for_the_end(tmp_path: Path) -> None:
    """Nobody answers the close, so that all of the time that they have is used."""
    grace = 12.0
    async with (
        run(tmp_path, server__graceful_timeout=grace, server__drain_window=grace) as server,
        AsyncExitStack() as stack,
    ):
        for _ in range(250):
            await shake(await stack.enter_async_context(dialled(server.place)))
        server.signal(signal.SIGTERM)
        with trio.fail_after(grace):
            assert await server.wait() == 0
        assert quiet(server), server.lines
