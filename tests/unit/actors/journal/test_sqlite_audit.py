import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from incident_manager.actors.journal.base import Append
from incident_manager.actors.journal.sqlite_audit import trim_audit
from incident_manager.actors.journal.sqlite_file import connect, create
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS
from incident_manager.actors.journal.sqlite_write import rows_of, write
from unit.actors.builders import SECOND, START, make_history


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit SET principal = 'nobody' WHERE id = 1",
        "UPDATE audit SET time = 0",
        "DELETE FROM audit WHERE id = 3",
        "DELETE FROM audit",
        "INSERT OR REPLACE INTO audit SELECT * FROM audit WHERE id = 1",
    ],
)
def test_entries_are_neither_changed_nor_deleted(tmp_path: Path, statement: str) -> None:
    create(tmp_path / "db", MIGRATIONS)
    with closing(connect(tmp_path / "db")) as connection:
        write(connection, 0, rows_of(Append(0, make_history(3))))
        before = connection.execute("SELECT * FROM audit").fetchall()
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute(statement)
        assert connection.execute("SELECT * FROM audit").fetchall() == before


def test_retention_deletes_what_is_behind_its_floor_and_no_more(tmp_path: Path) -> None:
    create(tmp_path / "db", MIGRATIONS)
    with closing(connect(tmp_path / "db")) as connection:
        write(connection, 0, rows_of(Append(0, make_history(5))))
        assert trim_audit(connection, before=START + 4 * SECOND, limit=100) == 3
        with pytest.raises(sqlite3.IntegrityError, match="append-only"):
            connection.execute("DELETE FROM audit WHERE id = 4")
        assert connection.execute("SELECT id FROM audit").fetchall() == [(4,), (5,)]
