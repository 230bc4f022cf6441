"""A disk that takes no more: changes are refused, readiness is red, and nothing is lost."""

import resource
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest

from incident_manager.actors.journal.sqlite import SqliteJournal
from system.client import PATIENCE, SUBMIT, Client, alert_input, opened
from system.evidence import check_offsets, events
from system.harness import LocalServer, local, run

STREAM = "subscription { newIncidents { title } }"
LARGE = {"description": "d" * 20_000}
"""More than a file of whole pages has room for."""


@asynccontextmanager
async def browser(base_url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=base_url, timeout=PATIENCE) as http:
        yield http


async def submit(http: httpx.AsyncClient, title: str) -> httpx.Response:
    alert = alert_input(title, **LARGE)
    key = title.replace(" ", "-")
    return await http.post("/v1/alerts", json=alert, headers={"Idempotency-Key": key})


async def check_refused(http: httpx.AsyncClient, client: Client, message: str) -> None:
    """Changes are refused by both doors, and everything else goes on."""
    refused = await submit(http, "refused at first")
    assert refused.status_code == 503
    assert refused.json()["code"] == "SERVICE_UNAVAILABLE"
    assert refused.headers["content-type"].startswith("application/problem+json")
    result = await client.execute(SUBMIT, {"input": alert_input("for good", **LARGE)})
    assert result["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"

    ready = await http.get("/health/ready")
    assert ready.status_code == 503
    parts = {part["name"]: part for part in ready.json()["components"]}
    assert parts["journal"]["status"] == "UNHEALTHY"
    assert message in parts["journal"]["message"]
    assert (await http.get("/health/live")).status_code == 200
    assert (await http.get("/v1/incidents")).status_code == 200
    health = (await client.data("{ health { status } }"))["health"]
    assert health == {"status": "UNHEALTHY"}


async def check_recovered(http: httpx.AsyncClient, client: Client, stream: str) -> None:
    """The first change that is taken turns everything green, without a restart."""
    taken = await submit(http, "refused at first")
    assert taken.status_code == 202, taken.text
    assert (await http.get("/health/ready")).status_code == 200
    await client.submit("afterwards")
    titles = [(await client.next(stream))["data"]["newIncidents"]["title"] for _ in range(3)]
    assert titles == ["before", "refused at first", "afterwards"]


def check_kept(journal: Path) -> None:
    bodies = events(journal)
    check_offsets(bodies)
    titles = [body["alert"]["title"] for body in bodies.values()]
    assert titles == ["before", "refused at first", "afterwards"]


async def test_a_disk_that_takes_no_more(tmp_path: Path) -> None:
    """The kernel refuses the server's writes: no file may grow (RLIMIT_FSIZE)."""
    async with run(tmp_path) as server, browser(server.place.http) as http:
        async with opened(server.place.ws) as client:
            stream = await client.subscribe(STREAM)
            assert (await submit(http, "before")).status_code == 202

            pid = server.running.pid
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
            await check_refused(http, client, "incidents.db")
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (hard, hard))
            await check_recovered(http, client, stream)
        assert await server.stop() == 0
        check_kept(server.place.journal)
        said = [entry["event"] for entry in server.complaints()]
        assert len(said) == 1
        assert said[0].startswith("the journal cannot be written: ")


async def test_what_was_acknowledged_outlives_a_kill_on_a_full_disk(tmp_path: Path) -> None:
    async with run(tmp_path) as server, browser(server.place.http) as http:
        assert (await submit(http, "before")).status_code == 202
        pid = server.running.pid
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
        assert (await submit(http, "refused at first")).status_code == 503
        await server.kill()
        await server.start()
        assert (await submit(http, "refused at first")).status_code == 202
        assert (await submit(http, "afterwards")).status_code == 202
        assert await server.stop() == 0
        check_kept(server.place.journal)


async def pragma(server: LocalServer, text: str) -> int | None:
    """Set something on the writer's connection, in the writer's turn; what SQLite answers."""
    journal = server.gateway.running().journal._journal
    assert isinstance(journal, SqliteJournal)
    row = await journal._write(lambda connection: connection.execute(f"PRAGMA {text}").fetchone())
    return None if row is None else int(row[0])


@pytest.mark.parametrize(
    ("fail", "mend", "message"),
    [
        # SQLite raises the bound to the pages that there are: not one more.
        ("max_page_count = 1", "max_page_count = 1000000", "full"),
        ("query_only = 1", "query_only = 0", "readonly"),
    ],
    ids=["full", "read-only"],
)
async def test_what_sqlite_says_of_it(tmp_path: Path, fail: str, mend: str, message: str) -> None:
    async with (
        local(tmp_path) as server,
        browser(server.http) as http,
        opened(server.ws) as client,
    ):
        stream = await client.subscribe(STREAM)
        assert (await submit(http, "before")).status_code == 202
        await pragma(server, fail)
        await check_refused(http, client, message)
        await pragma(server, mend)
        await check_recovered(http, client, stream)
    check_kept(tmp_path / "incidents.db")
