import errno
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from incident_manager.actors.journal.base import JournalError, JournalUnavailable
from incident_manager.actors.journal.sqlite_errors import (
    outcome,
    read_transaction,
    translated,
    write_transaction,
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    opened = sqlite3.connect(tmp_path / "db", isolation_level=None, timeout=0)
    with closing(opened):
        opened.execute("CREATE TABLE parent (id INTEGER PRIMARY KEY)")
        opened.execute(
            "CREATE TABLE child (id INTEGER REFERENCES parent DEFERRABLE INITIALLY DEFERRED)"
        )
        yield opened


FILL = "CREATE TABLE big AS SELECT zeroblob(100000) AS body"


def insert(connection: sqlite3.Connection, *statements: str) -> None:
    with write_transaction(connection, "here"):
        for statement in statements:
            connection.execute(statement)


@pytest.mark.parametrize(
    ("code", "committing", "expected"),
    [
        (sqlite3.SQLITE_FULL, False, False),
        (sqlite3.SQLITE_IOERR_FSYNC, False, False),
        (sqlite3.SQLITE_FULL, True, False),
        (sqlite3.SQLITE_BUSY, True, False),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, True, False),
        (sqlite3.SQLITE_READONLY_DBMOVED, True, False),
        (sqlite3.SQLITE_IOERR_WRITE, True, False),
        (sqlite3.SQLITE_IOERR_FSYNC, True, None),
        (sqlite3.SQLITE_IOERR, True, None),
        (sqlite3.SQLITE_NOMEM, True, None),
    ],
)
def test_what_is_certain_about_a_failed_write(
    code: int, committing: bool, expected: bool | None
) -> None:
    assert outcome(code, committing=committing) is expected


@pytest.mark.parametrize(
    ("number", "kind"),
    [
        (errno.ENOSPC, JournalUnavailable),
        (errno.EROFS, JournalUnavailable),
        (errno.EACCES, JournalError),
        (errno.ENOENT, JournalError),
    ],
)
def test_errors_of_the_system(number: int, kind: type[Exception]) -> None:
    with pytest.raises(kind, match="here: ") as caught, translated("here"):
        raise OSError(number, "the reason")
    assert str(caught.value) == "here: the reason"


def test_a_full_file_is_rolled_back_and_can_be_written_again(
    connection: sqlite3.Connection,
) -> None:
    pages = connection.execute("PRAGMA page_count").fetchone()[0]
    connection.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(JournalUnavailable, match="here: database or disk is full") as caught:
        insert(connection, "INSERT INTO parent VALUES (1)", FILL)
    assert caught.value.written is False
    assert not connection.in_transaction
    connection.execute("PRAGMA max_page_count = 1000000")
    insert(connection, "INSERT INTO parent VALUES (1)")


def test_a_commit_that_fails_is_rolled_back(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA foreign_keys = 1")
    with pytest.raises(JournalError, match="FOREIGN KEY"):
        insert(connection, "INSERT INTO child VALUES (1)")
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM child").fetchone() == (0,)


def test_a_lock_of_somebody_else_passes(connection: sqlite3.Connection, tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(JournalUnavailable, match="locked") as caught:
            insert(connection, "INSERT INTO parent VALUES (1)")
        assert caught.value.written is False
        other.execute("ROLLBACK")
    insert(connection, "INSERT INTO parent VALUES (1)")


def test_any_exception_rolls_back(connection: sqlite3.Connection) -> None:
    with pytest.raises(KeyError), write_transaction(connection, "here"):
        raise KeyError(connection.execute("INSERT INTO parent VALUES (1)"))
    with pytest.raises(KeyError), read_transaction(connection, "here"):
        raise KeyError
    assert not connection.in_transaction
    assert connection.execute("SELECT count(*) FROM parent").fetchone() == (0,)


def test_misuse_is_no_passing_matter(connection: sqlite3.Connection) -> None:
    with pytest.raises(JournalError, match="here: no such table"):
        insert(connection, "INSERT INTO nowhere VALUES (1)")
    connection.close()
    with pytest.raises(JournalError, match="closed"), translated("here"):
        connection.execute("SELECT 1")
