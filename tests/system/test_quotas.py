"""How much one client may ask, and how long a query may take, over real sockets."""

import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio

from incident_manager.actors.journal import sqlite_read
from incident_manager.http.auth import Role, issue_token
from incident_manager.http.quotas import FAILURES
from system.client import opened
from system.doors import knocked
from system.harness import local
from system.wires import Carrier

SECRET = "a secret of tests that is long enough"
ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"
LIST = "{ incidents { incidents { title } } }"


async def test_operations_of_a_socket_and_requests_are_of_one_bucket(tmp_path: Path) -> None:
    async with local(tmp_path, auth__jwt_secret=SECRET, limits__requests_per_minute=2) as server:
        token = issue_token(server.gateway.settings, Role.RESPONDER, "ann", 600)
        good = {"Authorization": f"Bearer {token}"}
        async with (
            opened(server.ws, good) as client,
            httpx.AsyncClient(base_url=server.http, headers=good) as http,
        ):
            stream = await client.subscribe("subscription { newIncidents { title } }")
            assert (await http.post("/v1/alerts", json=alert("one"))).status_code == 202
            assert (await client.next(stream))["data"]["newIncidents"]["title"] == "one"
            # What is allowed trickles in again: the time that this takes is not the test's.
            codes: list[str] = []
            while not codes:
                another = await client.begin("{ cursor }")
                answer = await client.of(another)
                if answer["type"] == "error":
                    [error] = answer["payload"]
                    codes.append(error["extensions"]["code"])
                    assert 1 <= error["extensions"]["retryAfter"] <= 30
            assert codes == ["RATE_LIMIT_EXCEEDED"]
            refused = await http.get("/v1/incidents")
            while refused.status_code != 429:
                refused = await http.get("/v1/incidents")
            assert 1 <= int(refused.headers["Retry-After"]) <= 30
            # The stream that has begun goes on, and so do others.
            other = issue_token(server.gateway.settings, Role.RESPONDER, "bob", 600)
            headers = {"Authorization": f"Bearer {other}"}
            answer = await http.post("/v1/alerts", json=alert("two"), headers=headers)
            assert answer.status_code == 202
            assert (await client.next(stream))["data"]["newIncidents"]["title"] == "two"


def alert(title: str) -> dict[str, Any]:
    return {"source": "s", "title": title, "description": "d", "severity": "P1"}


async def test_guessing_is_stopped_at_every_door(tmp_path: Path) -> None:
    async with local(
        tmp_path, auth__jwt_secret=SECRET, server__trusted_proxies="127.0.0.1"
    ) as server:
        far = {"X-Forwarded-For": "203.0.113.9"}
        bad = {**far, "Authorization": "Bearer x.y.z"}
        async with httpx.AsyncClient(base_url=server.http) as http:
            seen: set[int] = set()
            for _ in range(100 * FAILURES):
                answer = await http.get("/v1/incidents", headers=bad)
                seen.add(answer.status_code)
                if answer.status_code == 429:
                    break
            assert seen == {403, 429}
            assert int(answer.headers["Retry-After"]) >= 1
            # Others are not concerned.
            good = issue_token(server.gateway.settings, Role.VIEWER, "ann", 600)
            headers = {"X-Forwarded-For": "203.0.113.8", "Authorization": f"Bearer {good}"}
            assert (await http.get("/v1/incidents", headers=headers)).status_code == 200

            async def guess() -> int:
                return (await http.get("/v1/incidents", headers=bad)).status_code

            while True:
                while await guess() != 429:
                    pass
                # In this very moment one more may have been allowed: then once again.
                async with knocked(server.place, Carrier.HTTP_1, far) as door:
                    if not door.open:
                        break
            assert door.status == 429


async def test_a_query_that_takes_too_long_ends_everywhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def endless(connection: sqlite3.Connection, query: object) -> object:
        return connection.execute(ENDLESS).fetchone()

    async with (
        local(tmp_path, limits__query_timeout="2s") as server,
        opened(server.ws) as client,
        httpx.AsyncClient(base_url=server.http) as http,
    ):
        with monkeypatch.context() as patch:
            patch.setattr(sqlite_read, "read_page", endless)
            told: list[tuple[int, str]] = []

            async def rest() -> None:
                answer = await http.get("/v1/incidents")
                told.append((answer.status_code, answer.json()["code"]))

            async def graphql() -> None:
                answer = await http.post("/graphql", json={"query": LIST})
                [error] = answer.json()["errors"]
                told.append((answer.status_code, error["extensions"]["code"]))

            async def socket() -> None:
                [error] = await client.error(await client.begin(LIST))
                told.append((504, error["extensions"]["code"]))

            # More at once than there are threads that read.
            async with trio.open_nursery() as nursery:
                for ask in (rest, graphql, rest, graphql, socket):
                    nursery.start_soon(ask)
            assert told == [(504, "TIMEOUT")] * 5
        # Every thread is free again.
        assert (await client.submit("after"))["status"] == "ACCEPTED"
        assert (await client.data(LIST))["incidents"]["incidents"] == [{"title": "after"}]
