"""What only a journal on a disk can show: owners, versions, damage, a full disk, a crash."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
import trio
import trio.testing
from attrs import evolve

from incident_manager.actors.journal.base import (
    Append,
    IncidentQuery,
    JournalError,
    JournalUnavailable,
    Needs,
)
from incident_manager.actors.journal.sqlite import SqliteJournal, open_sqlite
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS
from unit.actors.builders import START, make_history, make_incident, make_record, write

NEXT = (
    *MIGRATIONS,
    (
        "CREATE TABLE titles (id TEXT PRIMARY KEY, title TEXT)",
        "INSERT INTO titles SELECT id, json_extract(body, '$.title') FROM incidents",
    ),
)
"""A later version's schema, which fills a table of its own from what is there."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "incidents.db"


async def refused(path: str | Path, match: str) -> None:
    with pytest.raises(JournalError, match=match) as caught:
        async with open_sqlite(path):
            raise AssertionError
    assert "\n" not in str(caught.value)


class TestOwner:
    async def test_by_whatever_name_it_is_one_journal(
        self, path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        link = path.parent / "link.db"
        link.symlink_to(path)
        monkeypatch.chdir(path.parent)
        async with open_sqlite(path) as journal:
            assert journal.location == str(path)
            for name in (path, "incidents.db", link, path.parent / "x" / ".." / "incidents.db"):
                await refused(name, "is in use by this process already; one process owns a journal")
            await journal.probe()
        async with open_sqlite(link) as journal:
            assert journal.location == str(path)

    async def test_a_killed_owner_leaves_an_open_door_and_all_it_had_committed(
        self, path: Path
    ) -> None:
        code = """
import sys, trio
from incident_manager.actors.journal.sqlite import open_sqlite
from unit.actors.builders import make_history, write
async def main():
    async with open_sqlite(sys.argv[1]) as journal:
        await write(journal, *make_history(3))
        print("written", flush=True)
        await trio.sleep_forever()
trio.run(main)
"""
        with child(code, path) as owner:
            assert owner.stdout is not None
            assert owner.stdout.readline() == b"written\n"
            await refused(path, rf"in use by another process \(pid {owner.pid}\)")
            owner.send_signal(signal.SIGKILL)
            owner.wait()
        async with open_sqlite(path) as journal:
            assert (await journal.read_after(0, 9)).records == make_history(3)
            await write(journal, make_record(4))


def child(code: str, path: Path) -> "subprocess.Popen[bytes]":
    tests = str(Path(__file__).parents[3])
    environment = {**os.environ, "PYTHONPATH": tests}
    return subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdout=subprocess.PIPE, env=environment
    )


class TestFile:
    async def test_a_new_file_is_a_new_epoch(self, path: Path) -> None:
        async with open_sqlite(path) as journal:
            first = (await journal.bounds()).epoch
        path.unlink()
        async with open_sqlite(path) as journal:
            assert (await journal.bounds()).epoch != first

    async def test_an_empty_file_becomes_a_journal(self, path: Path) -> None:
        path.touch()
        async with open_sqlite(path) as journal:
            await write(journal, make_record(1))

    async def test_nothing_but_the_file_and_its_lock_stays(self, path: Path) -> None:
        async with open_sqlite(path) as journal:
            await write(journal, make_record(1))
        names = sorted(each.name for each in path.parent.iterdir())
        assert names == ["incidents.db", "incidents.db.lock"]

    async def test_a_missing_directory_is_named(self, path: Path) -> None:
        await refused(path / "journal.db", f"{path}/journal.db: No such file or directory")

    async def test_a_directory_is_no_journal(self, path: Path) -> None:
        path.mkdir()
        await refused(path, "is not a file")

    async def test_what_is_no_database_is_left_alone(self, path: Path) -> None:
        path.write_bytes(b"my thesis" * 10_000)
        await refused(path, "is not an SQLite database")
        assert path.read_bytes() == b"my thesis" * 10_000

    async def test_somebody_elses_database_is_left_alone(self, path: Path) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("CREATE TABLE precious (id INTEGER)")
        before = path.read_bytes()
        await refused(path, "is an SQLite database, but not an incident journal")
        assert path.read_bytes() == before

    async def test_a_file_cut_short_is_refused(self, path: Path) -> None:
        async with open_sqlite(path) as journal:
            await write(journal, *make_history(50))
        os.truncate(path, 5000)
        await refused(path, "malformed|disk image")

    async def test_a_damaged_page_is_said_by_who_reads_it(self, path: Path) -> None:
        async with open_sqlite(path) as journal:
            await write(journal, *make_history(50))
        with closing(sqlite3.connect(path)) as connection:
            (page,) = connection.execute(
                "SELECT rootpage FROM sqlite_master WHERE name = 'incidents'"
            ).fetchone()
        with path.open("r+b") as file:
            file.seek((page - 1) * 4096)
            file.write(b"\xff" * 4096)
        async with open_sqlite(path) as journal:
            with pytest.raises(JournalError, match="malformed"):
                await journal.incident(make_incident(1).id)
            with pytest.raises(JournalError, match="malformed"):
                await write(journal, make_record(51))
            assert (await journal.bounds()).head == 50


class TestTidy:
    async def test_the_log_begins_anew_and_readers_are_not_disturbed(self, path: Path) -> None:
        log = Path(f"{path}-wal")
        async with open_sqlite(path) as journal:
            await write(journal, *make_history(10))
            grown = log.stat().st_size
            main = path.stat().st_size
            await journal.tidy()
            assert path.stat().st_size > main
            await write(journal, make_record(11, make_incident(11)))
            assert log.stat().st_size == grown
            assert (await journal.bounds()).head == 11
        async with open_sqlite(path) as journal:
            assert (await journal.bounds()).head == 11

    async def test_commits_make_none_of_their_own(self, path: Path) -> None:
        async with open_sqlite(path) as journal:
            main = path.stat().st_size
            await write(journal, *make_history(10))
            assert path.stat().st_size == main


class TestVersions:
    async def test_a_newer_file_is_refused_untouched(self, path: Path) -> None:
        async with open_sqlite(path, migrations=NEXT):
            pass
        before = path.read_bytes(), path.stat().st_mtime_ns
        await refused(
            path, f"has schema version {len(NEXT)}; this version knows {len(MIGRATIONS)} at most"
        )
        assert (path.read_bytes(), path.stat().st_mtime_ns) == before

    async def test_an_older_file_is_migrated_after_a_copy(self, path: Path) -> None:
        async with open_sqlite(path) as journal:
            await write(journal, *make_history(3))
            assert journal.backup is None
            bounds = await journal.bounds()
        async with open_sqlite(path, migrations=NEXT) as journal:
            assert journal.backup == Path(f"{path}.v{len(MIGRATIONS)}-backup")
            assert await journal.bounds() == bounds
            assert (await journal.read_after(0, 9)).records == make_history(3)
            await write(journal, make_record(4))
        with closing(sqlite3.connect(path)) as connection:
            found = connection.execute("SELECT title FROM titles ORDER BY id").fetchall()
        assert found == [(make_incident(n).title,) for n in (1, 2, 3)]
        async with open_sqlite(path, migrations=NEXT) as journal:
            assert journal.backup is None
        async with open_sqlite(f"{path}.v{len(MIGRATIONS)}-backup") as journal:
            assert (await journal.read_after(0, 9)).records == make_history(3)

    async def test_a_migration_that_fails_changes_nothing(self, path: Path) -> None:
        async with open_sqlite(path) as journal:
            await write(journal, *make_history(3))
        broken = (*NEXT[:-1], (*NEXT[-1], "INSERT INTO nowhere VALUES (1)"))
        with pytest.raises(JournalError, match="no such table: nowhere"):
            async with open_sqlite(path, migrations=broken):
                raise AssertionError
        async with open_sqlite(path) as journal:
            assert (await journal.read_after(0, 9)).records == make_history(3)
        names = sorted(each.name for each in path.parent.iterdir())
        assert names == ["incidents.db", "incidents.db.lock"]


def fill_up(connection: sqlite3.Connection) -> None:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")


def make_space(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA max_page_count = 1000000")


def set_read_only(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = 1")


def set_writable(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = 0")


Switch = Callable[[sqlite3.Connection], None]


class TestDisk:
    @pytest.mark.parametrize(
        ("fail", "mend", "match"),
        [
            (fill_up, make_space, "disk is full"),
            (set_read_only, set_writable, "readonly database"),
        ],
    )
    async def test_what_is_refused_leaves_no_trace_and_passes(
        self, path: Path, fail: Switch, mend: Switch, match: str
    ) -> None:
        big = [
            make_record(n, make_incident(n, description="x" * 4000, labels={"n": str(n)}))
            for n in range(4, 30)
        ]
        async with open_sqlite(path) as journal:
            await write(journal, *make_history(3))
            fail(journal._writer.connection)
            with pytest.raises(JournalUnavailable, match=match) as caught:
                await write(journal, *big)
            assert caught.value.written is False
            assert (await journal.bounds()).head == 3
            assert (await journal.read_after(0, 9)).records == make_history(3)
            assert (await journal.incidents(IncidentQuery(labels={"n": "4"}))).total == 0
            mend(journal._writer.connection)
            await write(journal, *big)
            assert (await journal.bounds()).head == 29
            assert (await journal.incidents(IncidentQuery(labels={"n": "4"}))).total == 1

    async def test_a_probe_finds_it(self, path: Path) -> None:
        async with open_sqlite(path) as journal:
            await journal.probe()
            set_read_only(journal._writer.connection)
            with pytest.raises(JournalUnavailable, match="readonly"):
                await journal.probe()
            with pytest.raises(JournalUnavailable, match="readonly"):
                await journal.trim(keep=1, before=0, limit=1)
            set_writable(journal._writer.connection)
            await journal.probe()

    async def test_writes_that_the_kernel_refuses(self, path: Path) -> None:
        """A limit on the size of files, in a process of its own: real errors of write()."""
        code = """
import resource, sys, trio
from incident_manager.actors.journal.base import JournalUnavailable
from incident_manager.actors.journal.sqlite import open_sqlite
from unit.actors.builders import make_history, make_record, write
async def main():
    async with open_sqlite(sys.argv[1]) as journal:
        head, hard = 0, resource.getrlimit(resource.RLIMIT_FSIZE)[1]
        resource.setrlimit(resource.RLIMIT_FSIZE, (400_000, hard))
        try:
            while True:
                await write(journal, *make_history(1, head + 1))
                head += 1
        except JournalUnavailable as error:
            print(error.written, "error" in str(error))
        print((await journal.bounds()).head == head, head > 0)
        try:
            await journal.probe()
        except JournalUnavailable as error:
            print("probe")
        print(len((await journal.read_after(0, 1000)).records) == head)
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
        await journal.probe()
        await write(journal, *make_history(50, head + 1))
        print((await journal.bounds()).head == head + 50)
trio.run(main)
"""
        with child(code, path) as process:
            output, _ = process.communicate()
        assert process.returncode == 0
        lines = output.decode().splitlines()
        assert lines == ["False True", "True True", "probe", "True", "True"]
        async with open_sqlite(path) as journal:
            bounds = await journal.bounds()
            chunk = await journal.read_after(0, 10_000)
            assert [each.offset for each in chunk.records] == list(range(1, bounds.head + 1))


class TestForeignLock:
    async def test_it_is_waited_for_and_then_refused(self, path: Path) -> None:
        async with open_sqlite(path, busy_timeout=0.01) as journal:
            with closing(sqlite3.connect(path, isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")
                with pytest.raises(JournalUnavailable, match="locked") as caught:
                    await write(journal, make_record(1))
                assert caught.value.written is False
                assert (await journal.bounds()).head == 0
                other.execute("ROLLBACK")
            await write(journal, make_record(1))

    async def test_an_append_that_has_begun_ends_although_it_is_cancelled(self, path: Path) -> None:
        async with open_sqlite(path, busy_timeout=60) as journal:
            other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            with closing(other):
                other.execute("BEGIN IMMEDIATE")
                async with trio.open_nursery() as nursery:
                    nursery.start_soon(write, journal, make_record(1))
                    await trio.testing.wait_all_tasks_blocked()
                    nursery.cancel_scope.cancel()
                    other.execute("ROLLBACK")
            assert (await journal.bounds()).head == 1


async def test_more_reads_than_connections(path: Path) -> None:
    async with open_sqlite(path, readers=2) as journal:
        await write(journal, *make_history(20))
        calls: list[Callable[[], Awaitable[object]]] = [
            lambda: journal.read_after(0, 20),
            lambda: journal.incidents(IncidentQuery()),
            lambda: journal.load(Needs(frozenset({make_incident(3).id})), START, 0),
            journal.bounds,
        ]
        found: list[object] = []

        async def run(call: Callable[[], Awaitable[object]]) -> None:
            found.append(await call())

        async with trio.open_nursery() as nursery:
            for call in calls * 5:
                nursery.start_soon(run, call)
        assert len(found) == 20


async def test_a_read_is_of_one_moment(path: Path) -> None:
    """Bounds and records of a chunk agree, whatever is appended and trimmed meanwhile."""
    async with open_sqlite(path) as journal, trio.open_nursery() as nursery:
        await write(journal, *make_history(5))

        async def grow(journal: SqliteJournal) -> None:
            for offset in range(6, 60):
                await write(journal, make_record(offset))
                await journal.trim(keep=5, before=0, limit=2)
            nursery.cancel_scope.cancel()

        nursery.start_soon(grow, journal)
        while True:
            chunk = await journal.read_after(0, 100)
            offsets = [record.offset for record in chunk.records]
            assert offsets == list(range(chunk.bounds.oldest, chunk.bounds.head + 1))
            assert chunk.examined == chunk.bounds.head


async def test_a_batch_that_cannot_be_encoded_harms_no_other(path: Path) -> None:
    async with open_sqlite(path) as journal:
        bad = evolve(make_incident(1), title="\ud800")
        with pytest.raises(ValueError, match="surrogates"):
            await write(journal, make_record(1, bad))
        with pytest.raises(OverflowError):
            await journal.append(Append(0, (make_record(1, time=2**64),)))
        await write(journal, make_record(1))
