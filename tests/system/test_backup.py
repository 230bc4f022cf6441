"""Backups: taken from a running server under load, put back, and what clients are told then."""

import sqlite3
import sys
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pytest
import trio

from incident_manager.actors.journal.sqlite_check import Report, check
from system.client import PATIENCE, opened
from system.harness import Place, ServerProcess, environment, run
from system.traffic import RestSender, SocketSender, Up, Work

STREAM = "subscription { newIncidents { title } }"


async def command(place: Place, *args: str, code: int = 0) -> str:
    """Run ``incident-manager`` beside the server, on its journal; its output."""
    with trio.fail_after(5 * PATIENCE):
        done = await trio.run_process(
            [sys.executable, "-m", "incident_manager", *args],
            capture_stdout=True,
            capture_stderr=True,
            check=False,
            env=environment({"state.url": f"sqlite:///{place.journal}"}),
            cwd=place.directory,
        )
    output = done.stdout.decode() + done.stderr.decode()
    assert done.returncode == code, output
    return output


def whole(path: Path) -> Report:
    report = check(path)
    assert report.problems == ()
    return report


def rows(path: Path, upto: int) -> Sequence[tuple[object, ...]]:
    """The events up to an offset, as they stand in the file."""
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(
            "SELECT * FROM events WHERE offset <= ? ORDER BY offset", (upto,)
        ).fetchall()


def alerts(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {alert_id for (alert_id,) in connection.execute("SELECT id FROM alerts")}


@pytest.mark.parametrize(
    "number", [1_500, pytest.param(20_000, marks=pytest.mark.slow)], ids=["some", "many"]
)
async def test_one_taken_under_load_is_of_one_moment(tmp_path: Path, number: int) -> None:
    """Senders go as fast as they can the whole time, on most machines beyond 500 alerts/s."""
    work, up = Work(number), Up()
    backup, before = tmp_path / "backup", number // 3
    async with run(tmp_path) as server:
        up.now()
        senders = (
            *(RestSender(work, up, server.place.http, batch=batch) for batch in (20, 100)),
            *(SocketSender(work, up, server.place.ws) for _ in range(2)),
        )
        async with trio.open_nursery() as sending:
            for sender in senders:
                sending.start_soon(sender.run)
            await work.reached(before)
            known, began = set(work.acknowledged.values()), trio.current_time()
            said = await command(server.place, "backup", "backup")
            during = len(work.acknowledged) - len(known)
            print(f"{during / (trio.current_time() - began):.0f} alerts/s while it was taken")
            work.stop()
        assert await server.stop() == 0
        assert server.complaints() == []
    taken, now = whole(backup), whole(server.place.journal)
    assert taken.bounds is not None
    assert now.bounds is not None
    assert during > 0
    assert f"events 1 to {taken.bounds.head} of epoch {now.bounds.epoch}" in said
    assert before <= taken.bounds.head <= now.bounds.head
    # All that was acknowledged before it began is in it; and it is a beginning of the journal.
    assert known <= alerts(backup)
    assert rows(backup, now.bounds.head) == rows(server.place.journal, taken.bounds.head)


async def test_after_a_restore_clients_are_told_of_the_gap_and_go_on(tmp_path: Path) -> None:
    async with run(tmp_path) as server:
        async with opened(server.place.ws) as client:
            for title in ("one", "two"):
                await client.submit(title)
            await command(server.place, "backup", "backup")
            await client.submit("after the backup")
            cursor = (await client.data("{ cursor }"))["cursor"]
        refused = await command(server.place, "restore", "backup", "--force", code=1)
        assert "is in use by another process" in refused
        await lost_disk(server)
        said = await command(server.place, "restore", "backup")
        assert "events 1 to 2 of epoch" in said
        await server.start()
        async with opened(server.place.ws) as client:
            stream = await client.subscribe(STREAM, cursor=cursor)
            first = await client.next(stream)
            assert first["data"]["newIncidents"]["title"] == "one"
            assert first["extensions"]["recovered"] is False
            gap, now = first["extensions"]["gap"], first["extensions"]["cursor"]
            assert gap["from"] == cursor
            assert gap["to"].split(":")[0] == now.split(":")[0] != cursor.split(":")[0]
            assert (await client.next(stream))["data"]["newIncidents"]["title"] == "two"
            await client.submit("three")
            assert (await client.next(stream))["data"]["newIncidents"]["title"] == "three"
        assert await server.stop() == 0
    assert whole(server.place.journal).bounds is not None


async def lost_disk(server: ServerProcess) -> None:
    """Kill the server, and lose all that it has written."""
    await server.kill()
    for path in server.place.directory.glob("incidents.db*"):
        path.unlink()


async def test_check_tells_whole_from_damaged_by_its_exit_code(tmp_path: Path) -> None:
    async with run(tmp_path) as server:
        async with opened(server.place.ws) as client:
            await client.submit("one")
        assert "incidents.db: whole" in await command(server.place, "check", "incidents.db")
        await command(server.place, "backup", "backup")
        assert await server.stop() == 0
    with closing(sqlite3.connect(tmp_path / "backup")) as connection, connection:
        connection.execute("UPDATE incidents SET state = 5")
    said = await command(server.place, "check", "backup", code=1)
    assert "NOT whole" in said
    assert "wrong    incidents: the columns of" in said
