"""Tokens on a living connection: without, bad, expired, renewed."""

import time
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from attrs import frozen

from incident_manager.http.auth import Role, issue_token
from system.client import connected, opened
from system.harness import LocalServer, local

SECRET = "a secret of tests that is long enough"
STREAM = "subscription { newIncidents { title } }"


@frozen
class Guarded:
    server: LocalServer

    def token(self, *, ttl: float = 600, subject: str = "ann", role: Role = Role.RESPONDER) -> str:
        return f"Bearer {issue_token(self.server.gateway.settings, role, subject, ttl)}"


@pytest.fixture
async def guarded(tmp_path: Path) -> AsyncIterator[Guarded]:
    async with local(tmp_path, auth__jwt_secret=SECRET) as server:
        yield Guarded(server)


@pytest.mark.parametrize(
    "payload",
    [
        None,
        {},
        {"Authorization": "Bearer x"},
        {"Authorization": 7},
        {"token": "x"},
        {"Authorization": "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4IiwiZXhwIjo5OTk5OTk5OTk5fQ."},
    ],
)
async def test_who_brings_no_good_token_is_closed_4403(
    guarded: Guarded, payload: dict[str, object] | None
) -> None:
    async with connected(guarded.server.ws) as client:
        await client.send("connection_init", **({} if payload is None else {"payload": payload}))
        closed = await client.closed()
        assert closed.code == 4403
        assert not client.kept  # no ack came before it


@pytest.mark.parametrize("name", ["Authorization", "authorization", "AUTHORIZATION"])
async def test_the_token_says_who_it_is(guarded: Guarded, name: str) -> None:
    async with opened(guarded.server.ws, {name: guarded.token(subject="bob")}) as client:
        stream = await client.subscribe("subscription { incidentUpdates { actor } }")
        await client.submit("one")
        assert (await client.next(stream))["data"]["incidentUpdates"]["actor"] == "bob"


async def test_a_viewer_may_read_and_not_change(guarded: Guarded) -> None:
    viewer = {"Authorization": guarded.token(role=Role.VIEWER)}
    async with opened(guarded.server.ws, viewer) as client:
        assert (await client.data("{ incidents { pageInfo { totalCount } } }"))["incidents"]
        await client.subscribe(STREAM)
        name = await client.begin(
            """mutation { submitAlert(input: {
                source: "s", title: "t", description: "d", severity: P1}) { status } }"""
        )
        answer = await client.of(name)
        errors = answer["payload"] if answer["type"] == "error" else answer["payload"]["errors"]
        assert errors[0]["extensions"]["code"] == "FORBIDDEN"


async def test_a_token_that_expires_closes_its_connection(guarded: Guarded) -> None:
    async with opened(guarded.server.ws, {"Authorization": guarded.token(ttl=0.5)}) as client:
        await client.subscribe(STREAM)
        closed = await client.closed()
        assert (closed.code, closed.reason) == (4403, "The token has expired")


async def test_a_token_is_renewed_by_ping(guarded: Guarded) -> None:
    short = guarded.token(ttl=1)
    ends = time.time() + 2  # at the latest: its expiry is rounded up to a second
    async with opened(guarded.server.ws, {"Authorization": short}) as client:
        stream = await client.subscribe(
            "subscription { incidentUpdates(heartbeatSeconds: 1) { updateType } }"
        )
        fresh = guarded.token(ttl=3600)
        pong = await client.ping({"authorization": fresh})
        assert pong["payload"]["authorization"] == "accepted"
        assert pong["payload"]["expiresAt"].endswith("Z")
        assert fresh.removeprefix("Bearer ") not in str(pong)
        while time.time() < ends:
            await client.next(stream)
        await client.ping()
        assert (await client.submit("still there"))["status"] == "ACCEPTED"


@pytest.mark.parametrize("kind", ["other subject", "garbage"])
async def test_a_bad_renewal_changes_nothing(guarded: Guarded, kind: str) -> None:
    async with opened(guarded.server.ws, {"Authorization": guarded.token(ttl=600)}) as client:
        pong = await client.ping({"authorization": guarded.token(ttl=600)})
        before = pong["payload"]["expiresAt"]
        bad = guarded.token(subject="eve", ttl=6000) if kind == "other subject" else "Bearer x"
        pong = await client.ping({"authorization": bad})
        assert pong["payload"] == {"authorization": "rejected", "expiresAt": before}
        assert (await client.submit("still ann"))["status"] == "ACCEPTED"


async def test_http_asks_for_the_token_too(guarded: Guarded) -> None:
    async with httpx.AsyncClient(base_url=guarded.server.http) as http:
        assert (await http.get("/v1/incidents")).status_code == 401
        answer = await http.get("/v1/incidents", headers={"Authorization": guarded.token()})
        assert answer.status_code == 200
        assert (await http.get("/health/live")).status_code == 200
