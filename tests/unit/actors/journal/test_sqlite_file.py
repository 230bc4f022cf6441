import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from incident_manager.actors.journal.base import JournalError, JournalUnavailable
from incident_manager.actors.journal.sqlite_file import connect, create, migrate, version
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS

NEXT = (*MIGRATIONS, ("ALTER TABLE meta ADD COLUMN note TEXT", "CREATE TABLE later (id INTEGER)"))
BROKEN = (*MIGRATIONS, ("CREATE TABLE later (id INTEGER)", "CREATE TABLE later (id INTEGER)"))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a #1? 100% journal.db"


def schema(path: Path) -> set[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return set(connection.execute("SELECT name, sql FROM sqlite_master").fetchall())


def names(path: Path) -> set[str]:
    return {each.name.removeprefix(path.name) for each in path.parent.iterdir()}


class TestConnect:
    def test_commits_are_synced_to_a_log(self, path: Path) -> None:
        create(path, MIGRATIONS)
        with closing(connect(path, busy_timeout=0.5)) as connection:

            def pragma(name: str) -> object:
                return connection.execute(f"PRAGMA {name}").fetchone()[0]

            assert pragma("journal_mode") == "wal"
            assert pragma("synchronous") == 2  # FULL
            assert pragma("busy_timeout") == 500
            assert pragma("wal_autocheckpoint") > 0
            assert pragma("query_only") == 0

    def test_a_reader_cannot_write(self, path: Path) -> None:
        create(path, MIGRATIONS)
        with closing(connect(path, query_only=True)) as connection:  # noqa: SIM117
            with pytest.raises(sqlite3.OperationalError, match="readonly"):
                connection.execute("DELETE FROM meta")

    def test_nothing_is_made_by_connecting(self, path: Path) -> None:
        with pytest.raises(sqlite3.OperationalError, match="unable to open"):
            connect(path)
        assert names(path) == set()

    def test_a_connection_to_no_database_is_closed_again(self, path: Path) -> None:
        path.write_bytes(b"no database" * 1000)
        with pytest.raises(sqlite3.DatabaseError, match="not a database"):
            connect(path)


class TestVersion:
    def test_of_nothing(self, path: Path) -> None:
        assert version(path) == 0
        path.touch()
        assert version(path) == 0

    def test_of_a_journal(self, path: Path) -> None:
        create(path, NEXT)
        assert version(path) == len(NEXT)
        assert names(path) == {""}

    def test_of_a_change_that_is_in_the_log_only(self, path: Path) -> None:
        create(path, MIGRATIONS)
        with closing(connect(path)) as connection:
            connection.execute("PRAGMA user_version = 77")
            assert version(path) == 77

    def test_of_a_directory(self, path: Path) -> None:
        path.mkdir()
        with pytest.raises(JournalError, match="is not a file"):
            version(path)

    @pytest.mark.parametrize("content", [b"x", b"SQLite format 2\0" * 500])
    def test_of_no_database(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        with pytest.raises(JournalError, match="is not an SQLite database"):
            version(path)

    def test_of_a_damaged_header(self, path: Path) -> None:
        path.write_bytes(b"SQLite format 3\0" + b"\xff" * 5000)
        with pytest.raises(JournalError, match="not a database"):
            version(path)

    @pytest.mark.parametrize("mode", ["delete", "wal"])
    def test_of_somebody_elses_database(self, path: Path, mode: str) -> None:
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(f"PRAGMA journal_mode = {mode}")
            connection.execute("CREATE TABLE precious (id INTEGER)")
        before = path.read_bytes()
        with pytest.raises(JournalError, match="but not an incident journal"):
            version(path)
        assert path.read_bytes() == before
        assert names(path) == {""}


class TestCreate:
    def test_each_has_an_epoch_of_its_own(self, path: Path, tmp_path: Path) -> None:
        create(path, MIGRATIONS)
        create(tmp_path / "other", MIGRATIONS)
        epochs = []
        for each in (path, tmp_path / "other"):
            with closing(sqlite3.connect(each)) as connection:
                epochs += connection.execute("SELECT value FROM meta WHERE key = 'epoch'")
        assert len(set(epochs)) == 2

    def test_what_an_interrupted_one_left_is_replaced(self, path: Path) -> None:
        for rest in (".incomplete", ".incomplete-journal"):
            Path(f"{path}{rest}").write_text("half")
        create(path, MIGRATIONS)
        assert version(path) == len(MIGRATIONS)
        assert names(path) == {""}

    def test_a_failure_leaves_nothing(self, path: Path) -> None:
        with pytest.raises(JournalError, match="already exists"):
            create(path, BROKEN)
        assert names(path) == set()


KNOWN = len(MIGRATIONS)


class TestMigrate:
    def test_the_copy_is_for_nobody_who_may_not_read_the_journal(self, path: Path) -> None:
        create(path, MIGRATIONS)
        path.chmod(0o640)
        copy = migrate(path, NEXT, len(MIGRATIONS))
        assert copy.stat().st_mode & 0o777 == 0o640

    def test_it_leads_to_what_a_new_file_has(self, path: Path, tmp_path: Path) -> None:
        create(path, MIGRATIONS)
        old = schema(path)
        copy = migrate(path, NEXT, KNOWN)
        assert copy.name == f"{path.name}.v{KNOWN}-backup"
        assert version(path) == len(NEXT)
        create(tmp_path / "new", NEXT)
        assert schema(path) == schema(tmp_path / "new")
        assert version(copy) == KNOWN
        assert schema(copy) == old

    def test_an_earlier_copy_stays(self, path: Path) -> None:
        create(path, MIGRATIONS)
        Path(f"{path}.v{KNOWN}-backup").write_text("earlier")
        assert migrate(path, NEXT, KNOWN).name == f"{path.name}.v{KNOWN}-backup-2"
        assert Path(f"{path}.v{KNOWN}-backup").read_text() == "earlier"

    def test_a_failure_changes_nothing(self, path: Path) -> None:
        create(path, MIGRATIONS)
        old = schema(path)
        with pytest.raises(JournalError, match="already exists"):
            migrate(path, BROKEN, KNOWN)
        assert version(path) == KNOWN
        assert schema(path) == old
        assert names(path) == {""}

    def test_somebody_writing_meanwhile_passes(self, path: Path) -> None:
        create(path, MIGRATIONS)
        with closing(connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(JournalUnavailable, match="locked"):
                migrate(path, NEXT, KNOWN, busy_timeout=0.01)
            other.execute("ROLLBACK")
        assert version(path) == KNOWN
