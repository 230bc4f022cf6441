"""The example clients through restarts, a cut network and tokens that run out: every event is had
exactly once, and in order."""

import json
import os
import shutil
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import trio

from incident_manager.http.client import (
    Backoff,
    Client,
    OperationFailed,
    OutcomeUnknown,
    open_client,
)
from system import certificates
from system.client import PATIENCE, SUBMIT, alert_input, opened
from system.clients.follower import SECRET, Event, Follower, Token, following, said
from system.clients.programs import PROGRAMS, Program
from system.clients.proxy import Proxy, proxied
from system.harness import ServerProcess, local, run

pytestmark = pytest.mark.slow

AT_ONCE = Backoff(first=0.01, most=0.05)
CUT_SECONDS = 5
END = "end"
ACKNOWLEDGE = "mutation ($id: UUID!) { acknowledgeIncident(id: $id) { version } }"
INCIDENT = "id title severity state version"
STREAMS = {
    "criticalIncidents": f"criticalIncidents {{ {INCIDENT} }}",
    "incidentUpdates": (
        "incidentUpdates(severities: [P0, P1], activeOnly: true)"
        f" {{ updateType incidentId incident {{ {INCIDENT} }} }}"
    ),
    "newIncidents": f"newIncidents {{ {INCIDENT} }}",
    "incidentStateChanges": (
        f"incidentStateChanges {{ incidentId oldState newState incident {{ {INCIDENT} }} }}"
    ),
    "alerts": "alerts { id title severity status incidentId }",
}
"""What every client follows; here with the fields by which it is compared."""


Followers = Mapping[str, Follower]


async def all_say(followers: Followers, text: str, **fields: object) -> None:
    for follower in followers.values():
        await follower.says(text, **fields)


async def all_have(followers: Followers, stream: str, count: int) -> None:
    for follower in followers.values():
        await follower.has(stream, count)


def each() -> list[object]:
    return [
        pytest.param(
            program,
            id=program.name,
            marks=[] if program.needs is None else pytest.mark.component(program.needs),
        )
        for program in PROGRAMS
    ]


@pytest.fixture(scope="module")
def built() -> dict[str, Sequence[str]]:
    return {}


@pytest.fixture(params=each())
def command(request: pytest.FixtureRequest, built: dict[str, Sequence[str]]) -> Sequence[str]:
    """How the client is started, when it is built."""
    program: Program = request.param
    if program.name not in built:
        built[program.name] = program.build()
    return built[program.name]


class Feeder:
    """Makes incidents, one after the other, whatever becomes of the server."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self.made = 0

    async def feed(self, count: int) -> None:
        for _ in range(count):
            await self.one(f"a{self.made}", f"P{self.made % 5}", acknowledge=self.made % 7 == 0)
            self.made += 1

    async def one(self, title: str, severity: str, *, acknowledge: bool) -> None:
        with trio.fail_after(PATIENCE):
            incident = await self._submit(alert_input(title, externalId=title, severity=severity))
            if acknowledge:
                await self._acknowledge(incident)

    async def _submit(self, given: dict[str, object]) -> str:
        while True:
            try:
                data = await self._client.execute(SUBMIT, {"input": given}, repeatable=True)
            except OperationFailed as failed:
                if failed.code != "SERVICE_UNAVAILABLE":
                    raise
            else:
                found: str = data["submitAlert"]["incidentId"]
                return found

    async def _acknowledge(self, incident: str) -> None:
        try:
            await self._client.execute(ACKNOWLEDGE, {"id": incident})
        except OutcomeUnknown:
            pass  # it has happened or not: the journal knows
        except OperationFailed as failed:
            if failed.code != "SERVICE_UNAVAILABLE":
                raise


async def run_out(followers: Followers, token: Token, feeder: Feeder) -> None:
    """Twice the token is renewed on the living connection; then there is none in time."""
    for _ in range(2):
        await feeder.feed(25)
        await all_say(followers, "token renewed")
    token.take_away()
    await feeder.feed(25)
    await all_say(followers, "disconnected", code=4403)
    await feeder.feed(25)
    await all_say(followers, "no token")
    for follower in followers.values():
        follower.forget("connected")  # at the beginning: nobody can connect now
    token.give(3600)
    await all_say(followers, "connected")


async def restart(server: ServerProcess, *, kill: bool) -> None:
    if kill:
        await server.kill()
    else:
        assert await server.stop() == 0
    await server.start()


async def cut(proxy: Proxy, followers: Followers) -> None:
    """Five seconds in which nothing comes through, and nobody is told."""
    proxy.cut()
    with trio.move_on_after(CUT_SECONDS):
        async with trio.open_nursery() as nursery:
            for follower in followers.values():
                nursery.start_soon(follower.ended)
    assert all(follower.running for follower in followers.values())
    assert proxy.swallowed
    proxy.mend()


async def replay(client: Client, stream: str, start: str) -> list[Event]:
    """What the journal has of a stream, from a cursor to the incident that ends the test."""
    found: list[Event] = []
    with trio.fail_after(PATIENCE):
        async for message in client.subscribe(
            f"subscription {{ {STREAMS[stream]} }}", cursor=start
        ):
            assert message.cursor is not None
            assert message.data is not None
            assert message.gap is None
            found.append(Event(stream, message.cursor, message.data[stream]))
            if is_last(found[-1]):
                break
    return found


def title(event: Event) -> str:
    data = event.data
    found = data.get("title") or data["incident"]["title"]
    assert isinstance(found, str)
    return found


def is_last(event: Event) -> bool:
    """The last incident makes two updates: it is created, and then acknowledged."""
    version: int = event.data.get("incident", {"version": 2})["version"]
    return title(event) == END and version == 2


def bare(given: object, shown: object) -> object:
    """Of what is given those fields that are shown."""
    if isinstance(given, dict) and isinstance(shown, dict):
        return {name: bare(given.get(name), value) for name, value in shown.items()}
    return given


async def drama(
    server: ServerProcess, proxy: Proxy, client: Client, followers: Followers, token: Token
) -> dict[str, dict[str, list[Event]]]:
    """All that can happen to clients; what each must have had by then."""
    feeder = Feeder(client)
    starts = {
        name: (await follower.says("following"))["cursor"] for name, follower in followers.items()
    }
    await run_out(followers, token, feeder)
    for trouble in ("stop", "kill", "cut", "stop"):
        async with trio.open_nursery() as nursery:
            before = feeder.made
            nursery.start_soon(feeder.feed, 100)
            if trouble == "cut":
                nursery.start_soon(cut, proxy, followers)
            else:
                await next(iter(followers.values())).has("newIncidents", before + 10)
                await restart(server, kill=trouble == "kill")
        await all_say(followers, "disconnected")
        await all_have(followers, "newIncidents", feeder.made)
    await feeder.one(END, "P0", acknowledge=True)
    expected = {
        start: {stream: await replay(client, stream, start) for stream in STREAMS}
        for start in set(starts.values())
    }
    for name, follower in followers.items():
        for stream, events in expected[starts[name]].items():
            await follower.has(stream, len(events))
    return {name: expected[start] for name, start in starts.items()}


def there() -> list[Program]:
    """The programs whose toolchains are on this machine; in CI that must be all."""
    missing = {each.needs for each in PROGRAMS if each.needs and not shutil.which(each.needs)}
    if missing:
        print("not on this machine, and so left out:", *sorted(missing))
        assert os.environ.get("CI") != "true", "in CI nothing is left out"
    return [each for each in PROGRAMS if each.needs not in missing]


def build_all(built: dict[str, Sequence[str]]) -> None:
    for program in there():
        if program.name not in built:
            built[program.name] = program.build()


@asynccontextmanager
async def all_following(
    built: dict[str, Sequence[str]], url: str, **variables: object
) -> AsyncIterator[Followers]:
    """Every program that can run here, at the same time."""
    build_all(built)
    async with AsyncExitStack() as stack:
        yield {
            name: await stack.enter_async_context(following(command, url, **variables))
            for name, command in built.items()
        }


async def test_every_event_once_and_in_order(
    tmp_path: Path, built: dict[str, Sequence[str]]
) -> None:
    """All of them at the same time, each with a connection of its own."""
    async with (
        run(tmp_path, auth__jwt_secret=SECRET) as server,
        proxied(server.place.port) as proxy,
        trio.open_nursery() as nursery,
    ):
        token = Token(tmp_path / "token")
        build_all(built)  # before the token's time begins
        nursery.start_soon(token.keep_fresh, 8)
        async with (
            open_client(server.place.ws, lambda: token.issue(3600), backoff=AT_ONCE) as client,
            all_following(built, proxy.ws, AUTH_TOKEN_FILE=token.path) as followers,
        ):
            expected = await drama(server, proxy, client, followers, token)
            for name, follower in followers.items():
                assert await follower.stop() == 0, name
    for name, follower in followers.items():
        check(name, follower, expected[name])


def check(name: str, follower: Follower, expected: Mapping[str, Sequence[Event]]) -> None:
    assert [title(event) for event in follower.of("newIncidents")] == [
        *(f"a{number}" for number in range(500)),
        END,
    ], name
    for stream, events in expected.items():
        seen = follower.of(stream)
        assert [event.cursor for event in seen] == [event.cursor for event in events], (
            f"{name}: {stream}"
        )
        for one, other in zip(seen, events, strict=True):
            assert bare(one.data, other.data) == other.data, f"{name}: {stream}"
    assert "gap" not in {said(entry) for entry in follower.log}, name


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=["SIGINT", "SIGTERM"])
async def test_it_ends_well_on_a_signal(
    command: Sequence[str], tmp_path: Path, number: signal.Signals
) -> None:
    """In the open mode, with no token at all."""
    async with local(tmp_path) as server, following(command, server.ws) as follower:
        await follower.says("following")
        assert await follower.stop(number) == 0
        await follower.says("stopped")
        # One connection was enough, from the first question to the end.
        assert "disconnected" not in {said(entry) for entry in follower.log}


async def test_it_ends_well_where_there_is_no_server(command: Sequence[str]) -> None:
    async with (
        proxied(1) as proxy,  # nobody serves on port 1
        following(command, proxy.ws, AUTH_TOKEN="of no use") as follower,
    ):
        await follower.says("disconnected")
        await follower.says("disconnected")
        assert await follower.stop() == 0


async def test_it_gives_up_where_its_token_is_refused_again(
    command: Sequence[str], tmp_path: Path
) -> None:
    async with (
        local(tmp_path, auth__jwt_secret=SECRET) as server,
        following(command, server.ws, AUTH_TOKEN="nonsense") as follower,
    ):
        assert await follower.ended() == 1
        assert (await follower.says("gave up"))["code"] == 4403


async def test_it_gives_up_where_the_path_is_wrong(command: Sequence[str], tmp_path: Path) -> None:
    async with (
        local(tmp_path) as server,
        following(command, server.ws.replace("/ws", "/nothing")) as follower,
    ):
        assert await follower.ended() == 1
        await follower.says("gave up")


async def test_it_follows_over_tls(command: Sequence[str], tmp_path: Path) -> None:
    tls = certificates.make(tmp_path / "tls")
    trust = {"SSL_CERT_FILE": tls.ca, "NODE_EXTRA_CA_CERTS": tls.ca}
    async with (
        local(tmp_path, tls=tls) as server,
        following(command, server.ws, **trust) as follower,
        opened(server.ws, tls=tls.trust()) as client,
    ):
        await follower.says("following")
        await client.submit("one", severity="P0")
        for stream in ("alerts", "criticalIncidents", "incidentUpdates", "newIncidents"):
            await follower.has(stream, 1)
        assert await follower.stop() == 0


async def test_a_certificate_that_is_not_trusted_is_said(
    command: Sequence[str], tmp_path: Path
) -> None:
    tls = certificates.make(tmp_path / "tls")
    async with local(tmp_path, tls=tls) as server, following(command, server.ws) as follower:
        entry = await follower.says("disconnected")
        assert "cert" in str(entry["reason"]).lower()
        assert await follower.stop() == 0


async def test_a_gap_is_said_and_the_stream_goes_on(
    tmp_path: Path, built: dict[str, Sequence[str]]
) -> None:
    """The journal begins anew with the server, so what was missed cannot be had."""
    async with (
        run(tmp_path, state__url="memory:") as server,
        open_client(server.place.ws, backoff=AT_ONCE) as client,
        all_following(built, server.place.ws) as followers,
    ):
        feeder = Feeder(client)
        starts = [(await each.says("following"))["cursor"] for each in followers.values()]
        await feeder.feed(3)
        await all_have(followers, "newIncidents", 3)
        await restart(server, kill=True)
        for follower in followers.values():
            gap = await follower.says("gap")
            assert starts[0].partition(":")[0] in json.dumps(gap)
        await feeder.feed(3)
        await all_have(followers, "newIncidents", 6)
        for name, follower in followers.items():
            seen = [title(event) for event in follower.of("newIncidents")]
            assert seen == [f"a{number}" for number in range(6)], name
            assert await follower.stop() == 0, name
