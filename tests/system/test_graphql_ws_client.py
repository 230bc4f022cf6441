"""The real ``graphql-ws`` client on Node: connect, filter, receive, error, complete, reconnect."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from system.client import PATIENCE, SUBMIT, alert_input, opened
from system.harness import LocalServer, local, run

pytestmark = pytest.mark.component("node")

HERE = Path(__file__).parent / "clients_js"
STREAM = "subscription ($s: [Severity!]) { newIncidents(severities: $s) { title } }"


@pytest.fixture(scope="session")
def clients(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where npm has installed what the lock file names."""
    place = tmp_path_factory.mktemp("clients_js")
    for name in ("package.json", "package-lock.json", "client.mjs"):
        shutil.copy(HERE / name, place)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=place, check=True, timeout=300)
    return place


class Stock:
    """The stock client in a process of its own."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._read = b""
        self.kept: list[dict[str, Any]] = []

    async def tell(self, command: str, **fields: object) -> None:
        assert self._process.stdin is not None
        line = json.dumps({"command": command, **fields})
        await self._process.stdin.send_all(line.encode() + b"\n")

    async def subscribe(self, name: str, query: str, **payload: object) -> None:
        await self.tell("subscribe", id=name, payload={"query": query, **payload})

    async def event(self, kind: str, name: str | None = None) -> dict[str, Any]:
        """The next event of a kind (and of an operation); the others are kept."""
        while True:
            for event in self.kept:
                if event["event"] == kind and name in (None, event.get("id")):
                    self.kept.remove(event)
                    return event
            self.kept.append(await self._line())

    async def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while b"\n" not in self._read:
            with trio.fail_after(PATIENCE):
                chunk = await self._process.stdout.receive_some()
            assert chunk, f"the client has ended: {self.kept}"
            self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event

    async def title(self, name: str) -> str:
        result = (await self.event("next", name))["result"]
        title: str = result["data"]["newIncidents"]["title"]
        return title

    async def submit(self, title: str, **fields: object) -> dict[str, Any]:
        """Send an alert in; a mutation completes after its one result."""
        name = f"mutation {title}"
        await self.subscribe(name, SUBMIT, variables={"input": alert_input(title, **fields)})
        result = (await self.event("next", name))["result"]
        await self.event("complete", name)
        ack: dict[str, Any] = result["data"]["submitAlert"]
        return ack


@asynccontextmanager
async def stock(clients: Path, url: str, *, ready: str = "connected") -> AsyncIterator[Stock]:
    process = await trio.lowlevel.open_process(
        ["node", "client.mjs", url], cwd=clients, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with process.stdin, process.stdout:
        try:
            client = Stock(process)
            await client.event(ready)
            yield client
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


async def started(server: LocalServer, count: int) -> None:
    """Wait until so many subscriptions have their seat."""
    async with opened(server.ws) as client:
        while server.gateway.running().hub.seats < count:
            await client.ping()


async def test_connect_filter_receive_complete(server: LocalServer, clients: Path) -> None:
    async with stock(clients, server.ws) as client:
        await client.subscribe("all", STREAM)
        await client.subscribe("critical", STREAM, variables={"s": ["P0"]})
        await started(server, 2)
        assert (await client.submit("mild", severity="P4"))["status"] == "ACCEPTED"
        assert (await client.submit("mild", severity="P4"))["status"] == "DUPLICATE"
        await client.submit("bad", severity="P0")
        assert [await client.title("all"), await client.title("all")] == ["mild", "bad"]
        assert await client.title("critical") == "bad"

        await client.tell("complete", id="all")
        await client.event("complete", "all")
        await client.submit("worse", severity="P0")
        assert await client.title("critical") == "worse"
        assert not [event for event in client.kept if event.get("id") == "all"]
        await client.tell("dispose")
        assert (await client.event("closed"))["code"] == 1000


async def test_errors_reach_their_operation(server: LocalServer, clients: Path) -> None:
    async with stock(clients, server.ws) as client:
        await client.subscribe("good", STREAM)
        await client.subscribe("bad", "subscription { nothing }")
        await client.subscribe("worse", STREAM, extensions={"cursor": "what"})
        for name, code in (("bad", "GRAPHQL_VALIDATION_FAILED"), ("worse", "BAD_USER_INPUT")):
            [error] = (await client.event("error", name))["errors"]
            assert error["extensions"]["code"] == code
        await client.submit("one")
        assert await client.title("good") == "one"
        assert not [event for event in client.kept if event["event"] in ("closed", "fatal")]


@pytest.mark.parametrize("how", ["stop", "kill"])
async def test_it_comes_back_and_has_missed_nothing(
    tmp_path: Path, clients: Path, how: str
) -> None:
    async with run(tmp_path) as server, stock(clients, server.place.ws) as client:
        await client.subscribe("all", STREAM)
        await client.submit("one")
        assert await client.title("all") == "one"
        if how == "stop":
            assert await server.stop() == 0
            assert (await client.event("closed"))["code"] == 1001
        else:
            await server.kill()
            assert (await client.event("closed"))["code"] == 1006
        await server.start()
        # Whichever of the two is there first, it is the first that the stream brings.
        async with opened(server.place.ws) as sender:
            await sender.submit("two")
            await sender.submit("three")
        assert (await client.event("connected"))["retrying"] is True
        event = await client.event("next", "all")
        assert event["result"]["data"]["newIncidents"]["title"] == "two"
        assert event["result"]["extensions"]["recovered"] is True
        assert await client.title("all") == "three"
        assert not [event for event in client.kept if event["event"] in ("next", "fatal")]


async def test_it_tries_again_where_its_token_is_refused(tmp_path: Path, clients: Path) -> None:
    """4403 is one that the stock client does not give up at."""
    async with (
        local(tmp_path, auth__jwt_secret="a secret of tests that is long enough") as server,
        stock(clients, server.ws, ready="closed") as client,
    ):
        for _ in range(3):
            assert (await client.event("closed"))["code"] == 4403
