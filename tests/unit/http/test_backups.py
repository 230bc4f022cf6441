"""``backup``, ``check`` and ``restore``, as they are typed."""

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from incident_manager.actors.journal.base import Append
from incident_manager.actors.journal.sqlite_file import connect, create
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS
from incident_manager.actors.journal.sqlite_write import rows_of, write
from incident_manager.http.cli import main
from incident_manager.http.settings import SETTINGS
from unit.actors.builders import make_history

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run the command in a folder that holds a journal of 3 events; its code, output and errors."""
    monkeypatch.chdir(tmp_path)
    for name in ("LIM_CONFIG", *(setting.variable for setting in SETTINGS)):
        monkeypatch.delenv(name, raising=False)
    create(Path("incidents.db"), MIGRATIONS)
    with closing(connect(Path("incidents.db"))) as connection:
        write(connection, 0, rows_of(Append(0, make_history(3))))

    def run(*args: str) -> tuple[int, str, str]:
        with pytest.raises(SystemExit) as caught:
            main(args)
        captured = capsys.readouterr()
        assert isinstance(caught.value.code, int)
        return caught.value.code, captured.out, captured.err

    return run


def damage(name: str) -> None:
    with closing(connect(Path(name))) as connection:
        connection.execute("DELETE FROM timeline WHERE offset = 2")


def test_a_backup_is_whole_and_says_what_it_holds(run: Run) -> None:
    code, out, err = run("backup", "copy")
    assert (code, err) == (0, "")
    assert out.startswith("copy: events 1 to 3 of epoch ")
    code, out, err = run("check", "copy")
    assert (code, err) == (0, "")
    lines = [line.split(maxsplit=1) for line in out.splitlines()]
    assert lines[0] == ["copy:", "whole"]
    assert ["events", "1 to 3"] in lines
    assert ["audit", "3"] in lines


def test_a_file_that_is_there_stays_unless_it_is_forced(run: Run) -> None:
    Path("copy").write_text("mine")
    assert run("backup", "copy") == (1, "", "incident-manager: copy is there already\n")
    assert Path("copy").read_text() == "mine"
    assert run("backup", "copy", "--force")[0] == 0


def test_the_journal_is_where_the_server_has_it(run: Run) -> None:
    Path("incidents.db").rename("other.db")
    code, _, err = run("backup", "copy")
    assert code == 1
    assert err.endswith("incidents.db is not there, or empty\n")
    assert run("backup", "copy", "--state-url", "sqlite:///other.db")[0] == 0


def test_memory_has_no_backup(run: Run) -> None:
    code, _, err = run("backup", "copy", "--state-url", "memory:")
    assert (code, err) == (
        2,
        "incident-manager: state.url is memory:, and that has no file\n",
    )


def test_what_is_wrong_is_said_line_by_line(run: Run) -> None:
    damage("incidents.db")
    code, out, err = run("check", "incidents.db")
    assert (code, err) == (1, "")
    assert out.startswith("incidents.db: NOT whole\n")
    assert "  wrong    timeline: the lines of event 2 are not what it says\n" in out


def test_what_is_no_journal_is_said_in_one_line(run: Run) -> None:
    Path("copy").write_bytes(b"no database" * 100)
    assert run("check", "copy") == (1, "", "incident-manager: copy is not an SQLite database\n")


def test_a_damaged_file_has_neither_places_nor_numbers(run: Run) -> None:
    with closing(connect(Path("incidents.db"))) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        [page] = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'timeline'"
        ).fetchone()
    with Path("incidents.db").open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 512)
    code, out, _ = run("check", "incidents.db")
    assert code == 1
    assert "epoch" not in out
    assert "  wrong    " in out


def test_a_restored_journal_has_a_new_epoch_and_the_old_one_lies_aside(run: Run) -> None:
    _, before, _ = run("backup", "copy")
    code, out, err = run("restore", "copy")
    assert (code, out) == (1, "")
    assert err.endswith("incidents.db is there already\n")
    code, out, _ = run("restore", "copy", "--force")
    aside, restored = out.splitlines()
    assert code == 0
    assert aside.endswith("incidents.db.before-restore: the journal that was there")
    assert restored.startswith("incidents.db: events 1 to 3 of epoch ")
    assert restored.split()[-1] != before.split()[-1]
    assert run("check", "incidents.db")[0] == 0
    Path("incidents.db").unlink()
    code, out, _ = run("restore", "copy")
    assert (code, len(out.splitlines())) == (0, 1)


def test_what_is_not_whole_is_restored_only_unchecked(run: Run) -> None:
    run("backup", "copy")
    damage("copy")
    code, out, err = run("restore", "copy", "--force")
    assert (code, out) == (1, "")
    assert "copy is not whole; --unchecked takes it as it is" in err
    assert run("restore", "copy", "--force", "--unchecked")[0] == 0


def test_on_a_terminal_it_says_how_far_it_is(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    _, _, err = run("backup", "copy")
    assert err == "\rbackup: 100 %\n"
