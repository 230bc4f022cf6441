"""Two tenants at one server, each by its own token: over real sockets each sees its own."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import jwt

from system.client import Client, opened
from system.harness import LocalServer, local

SECRET = "a secret of tests, long enough for HS256"
UPDATES = """subscription { incidentUpdates(heartbeatSeconds: 1) {
    updateType incident { id title labels } } }"""
NEW = "subscription { newIncidents { title labels } }"
CURSOR = "{ cursor }"


@asynccontextmanager
async def tenant(server: LocalServer, name: str) -> AsyncIterator[Client]:
    claims = {"sub": "svc", "roles": ["RESPONDER"], "exp": time.time() + 600}
    given = {**claims, "selectors": {"tenant": name}}
    token = jwt.encode(given, SECRET, "HS256")
    async with opened(server.ws, {"authorization": f"Bearer {token}"}) as client:
        yield client


async def test_each_tenant_streams_its_own_and_resumes_where_it_was(tmp_path: Path) -> None:
    async with (
        local(tmp_path, auth__jwt_secret=SECRET) as server,
        tenant(server, "corp") as corp,
    ):
        async with tenant(server, "acme") as acme:
            stream = await acme.subscribe(NEW)
            theirs = await corp.subscribe(NEW)
            await corp.submit("the same")
            await acme.submit("the same", labels={"tenant": "corp", "a": "1"})
            first = await acme.next(stream)
            assert first["data"]["newIncidents"]["labels"] == {"tenant": "acme", "a": "1"}
            place = first["extensions"]["cursor"]
            found = await corp.next(theirs)
            assert found["data"]["newIncidents"]["labels"] == {"tenant": "corp"}
        for number in range(3):
            await corp.submit(f"of corp {number}")
        async with tenant(server, "acme") as acme:
            await acme.submit("the second")
            # What others have done meanwhile is nothing that was missed.
            again = await acme.next(await acme.subscribe(NEW, cursor=place))
            assert again["data"]["newIncidents"]["title"] == "the second"
            assert again["extensions"]["recovered"] is True
            # The cursor of a tenant is none of another's: it gets all its own, and is told so.
            lost = await corp.next(await corp.subscribe(NEW, cursor=place))
            assert lost["data"]["newIncidents"]["title"] == "the same"
            assert lost["extensions"]["recovered"] is False
            assert server.gateway.running().hub.epoch not in str(lost)


async def test_no_cursor_says_whether_others_do_something(tmp_path: Path) -> None:
    async with (
        local(tmp_path, auth__jwt_secret=SECRET) as server,
        tenant(server, "acme") as acme,
        tenant(server, "corp") as corp,
    ):
        quiet = [(await acme.data(CURSOR))["cursor"] for _ in range(3)]
        await corp.submit("one")
        busy = [(await acme.data(CURSOR))["cursor"] for _ in range(3)]
        assert len({*quiet, *busy}) == 6
        stream = await acme.subscribe(UPDATES)
        beat = await acme.next(stream)
        assert beat["data"]["incidentUpdates"]["updateType"] == "HEARTBEAT"
        assert beat["extensions"]["cursor"] not in (*quiet, *busy)
        # Each of them is good to go on from.
        await acme.submit("mine")
        for cursor in (*quiet, *busy, beat["extensions"]["cursor"]):
            resumed = await acme.next(await acme.subscribe(NEW, cursor=cursor))
            assert resumed["data"]["newIncidents"]["title"] == "mine"
            assert resumed["extensions"]["recovered"] is True
