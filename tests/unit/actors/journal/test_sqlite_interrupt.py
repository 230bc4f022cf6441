"""Statements that nobody waits for any more."""

import sqlite3
from pathlib import Path

import pytest
import trio

from incident_manager.actors.journal.base import JournalUnavailable
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.journal.sqlite_interrupt import interruptible

ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"


async def test_an_endless_read_ends_with_its_caller(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "journal.db", readers=1) as journal:
        begun = trio.Event()
        token = trio.lowlevel.current_trio_token()

        def endless(connection: sqlite3.Connection) -> object:
            trio.from_thread.run_sync(begun.set, trio_token=token)
            return connection.execute(ENDLESS).fetchone()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(journal._read, endless)
            await begun.wait()
            nursery.cancel_scope.cancel()
        assert nursery.cancel_scope.cancelled_caught
        # The one reader is free again, and in no transaction.
        assert (await journal.bounds()).head == 0


async def test_what_is_late_comes_out_as_cancellation_alone(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "journal.db", readers=1) as journal:
        with pytest.raises(trio.TooSlowError), trio.fail_after(0):
            await journal._read(lambda connection: connection.execute(ENDLESS).fetchone())
        with pytest.raises(trio.TooSlowError), trio.fail_after(0.01):
            await journal._read(lambda connection: connection.execute(ENDLESS).fetchone())
        assert (await journal.bounds()).head == 0


async def test_other_failures_stay_what_they_are() -> None:
    def work() -> None:
        connection = sqlite3.connect(":memory:")
        with interruptible(connection):
            connection.execute("SELECT * FROM none")

    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        await trio.to_thread.run_sync(work)


async def test_a_statement_that_is_not_cancelled_runs_to_its_end() -> None:
    def work() -> int:
        connection = sqlite3.connect(":memory:")
        with interruptible(connection):
            [count] = connection.execute(ENDLESS.replace("n) ", "n LIMIT 200000) ")).fetchone()
        return int(count)

    assert await trio.to_thread.run_sync(work) == 200_000


async def test_an_interrupt_from_elsewhere_is_the_journals(tmp_path: Path) -> None:
    async with open_sqlite(tmp_path / "journal.db", readers=1) as journal:

        def hit(connection: sqlite3.Connection) -> object:
            connection.set_progress_handler(lambda: 1, 1_000)
            return connection.execute(ENDLESS).fetchone()

        with pytest.raises(JournalUnavailable):
            await journal._read(hit)
        assert (await journal.bounds()).head == 0
