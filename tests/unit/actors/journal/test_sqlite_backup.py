import os
import sqlite3
import stat
from contextlib import closing
from pathlib import Path

import pytest

from incident_manager.actors.audit import AuditAction
from incident_manager.actors.journal import sqlite_backup
from incident_manager.actors.journal.base import Append, JournalError, JournalUnavailable
from incident_manager.actors.journal.reads import AuditQuery
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.journal.sqlite_backup import back_up, restore
from incident_manager.actors.journal.sqlite_check import check
from incident_manager.actors.journal.sqlite_file import connect, create
from incident_manager.actors.journal.sqlite_owner import OwnerLock
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS
from incident_manager.actors.journal.sqlite_write import rows_of, write
from unit.actors.builders import make_history


def fill(path: Path, count: int, first: int = 1) -> None:
    with closing(connect(path)) as connection:
        write(connection, first - 1, rows_of(Append(first - 1, make_history(count, first))))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    create(tmp_path / "db", MIGRATIONS)
    fill(tmp_path / "db", 20)
    return tmp_path / "db"


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    (tmp_path / "kept").mkdir()
    return tmp_path / "kept" / "backup"


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.parent.iterdir())


class TestBackUp:
    def test_it_holds_what_the_journal_holds_and_nothing_lies_beside_it(
        self, path: Path, kept: Path
    ) -> None:
        bounds = back_up(path, kept)
        report = check(kept)
        assert (report.problems, report.bounds) == ((), bounds)
        assert bounds.head == 20
        assert names(kept) == ["backup"]

    def test_only_its_owner_may_read_it(self, path: Path, kept: Path) -> None:
        previous = os.umask(0)
        try:
            back_up(path, kept)
        finally:
            os.umask(previous)
        assert stat.S_IMODE(kept.stat().st_mode) == 0o600

    def test_it_is_of_one_moment_while_others_write(
        self, path: Path, kept: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(sqlite_backup, "_STEP", 3)
        steps: list[tuple[int, int]] = []

        def progress(left: int, all_: int) -> None:
            steps.append((left, all_))
            fill(path, 5, 21 + 5 * (len(steps) - 1))

        bounds = back_up(path, kept, progress=progress)
        assert len(steps) > 5
        assert steps[-1][0] == 0
        report = check(kept)
        assert (report.problems, report.bounds, bounds.head) == ((), bounds, 20)
        now = check(path)
        assert now.bounds is not None
        assert now.bounds.head == 20 + 5 * len(steps)

    def test_what_is_in_the_log_of_a_killed_server_is_in_it(self, path: Path, kept: Path) -> None:
        with closing(connect(path)) as connection:
            write(connection, 20, rows_of(Append(20, make_history(5, 21))))
            assert Path(f"{path}-wal").stat().st_size > 0
            assert back_up(path, kept).head == 25

    def test_one_that_is_there_stays_unless_it_is_forced(self, path: Path, kept: Path) -> None:
        kept.write_text("mine")
        with pytest.raises(JournalError, match="is there already"):
            back_up(path, kept)
        assert kept.read_text() == "mine"
        assert back_up(path, kept, force=True).head == 20
        assert check(kept).whole
        assert names(kept) == ["backup"]

    def test_a_folder_is_never_replaced(self, path: Path, kept: Path) -> None:
        kept.mkdir()
        with pytest.raises(JournalError, match="is there already"):
            back_up(path, kept, force=True)

    def test_the_journal_itself_is_never_replaced(self, path: Path, tmp_path: Path) -> None:
        (tmp_path / "link").symlink_to(path)
        for target in (path, tmp_path / "link"):
            with pytest.raises(JournalError, match="is the journal itself"):
                back_up(path, target, force=True)

    def test_without_a_journal(self, tmp_path: Path, kept: Path) -> None:
        with pytest.raises(JournalError, match="is not there"):
            back_up(tmp_path / "db", kept)
        assert names(kept) == []

    def test_into_a_folder_that_is_not_there(self, path: Path, tmp_path: Path) -> None:
        with pytest.raises(JournalError, match="No such file"):
            back_up(path, tmp_path / "no" / "backup")

    def test_one_that_is_broken_off_leaves_nothing(self, path: Path, kept: Path) -> None:
        def progress(left: int, all_: int) -> None:
            raise sqlite3.OperationalError("broken off")

        with pytest.raises((JournalError, JournalUnavailable), match="broken off"):
            back_up(path, kept, progress=progress)
        assert names(kept) == []


class TestRestore:
    async def test_it_is_the_same_under_a_new_epoch_and_says_so(
        self, path: Path, kept: Path
    ) -> None:
        old = back_up(path, kept)
        fill(path, 5, 21)
        found = restore(kept, path, force=True)
        assert found.bounds.head == 20
        assert found.bounds.epoch != old.epoch
        assert found.aside == Path(f"{path}.before-restore")
        now, before = check(path), check(found.aside)
        assert now.whole
        assert before.whole
        assert before.bounds is not None
        assert (before.bounds.epoch, before.bounds.head) == (old.epoch, 25)
        assert names(kept) == ["backup"]
        async with open_sqlite(path) as journal:
            assert await journal.bounds() == found.bounds
            assert (await journal.read_after(0, 99)).records == make_history(20)
            wanted = AuditQuery(actions=frozenset({AuditAction.RESTORED}))
            [entry] = (await journal.audit(wanted)).entries
            assert entry.detail == {"epoch": old.epoch, "head": "20"}

    def test_into_an_empty_place(self, path: Path, kept: Path, tmp_path: Path) -> None:
        back_up(path, kept)
        found = restore(kept, tmp_path / "new")
        assert found.aside is None
        assert check(tmp_path / "new").bounds == found.bounds

    def test_one_that_is_there_stays_unless_it_is_forced(self, path: Path, kept: Path) -> None:
        back_up(path, kept)
        fill(path, 5, 21)
        with pytest.raises(JournalError, match="is there already"):
            restore(kept, path)
        report = check(path)
        assert report.bounds is not None
        assert report.bounds.head == 25

    def test_one_that_is_in_use_stays(self, path: Path, kept: Path) -> None:
        back_up(path, kept)
        lock = OwnerLock(path)
        try:
            with pytest.raises(JournalError, match="is in use by this process"):
                restore(kept, path, force=True)
        finally:
            lock.release()
        assert restore(kept, path, force=True).bounds.head == 20

    def test_every_one_before_it_is_kept_with_its_log(self, path: Path, kept: Path) -> None:
        back_up(path, kept)
        with closing(connect(path)) as connection:
            write(connection, 20, rows_of(Append(20, make_history(5, 21))))
            log = Path(f"{path}-wal").read_bytes()
            assert log
            first = restore(kept, path, force=True)
            assert Path(f"{first.aside}-wal").read_bytes() == log
        assert not Path(f"{path}-wal").exists()
        assert check(path).whole
        second = restore(kept, path, force=True)
        assert second.aside == Path(f"{path}.before-restore-2")

    def test_a_log_without_its_journal_does_not_meet_the_new_one(
        self, path: Path, kept: Path
    ) -> None:
        back_up(path, kept)
        Path(f"{path}-wal").write_bytes(b"whose?")
        path.unlink()
        assert restore(kept, path).aside is None
        assert check(path).whole
        assert Path(f"{path}.before-restore-wal").read_bytes() == b"whose?"

    def test_itself(self, path: Path) -> None:
        with pytest.raises(JournalError, match="is the journal itself"):
            restore(path, path, force=True)

    async def test_one_of_an_older_version_is_migrated_when_it_is_opened(
        self, tmp_path: Path, kept: Path
    ) -> None:
        create(kept, MIGRATIONS[:2])
        restore(kept, tmp_path / "db")
        async with open_sqlite(tmp_path / "db") as journal:
            assert journal.backup is not None
            assert (await journal.bounds()).head == 0

    def test_what_is_no_journal_is_refused(self, tmp_path: Path, kept: Path) -> None:
        kept.write_bytes(b"no database" * 100)
        with pytest.raises(JournalError, match="is not an SQLite database"):
            restore(kept, tmp_path / "db")
        assert not (tmp_path / "db").exists()
