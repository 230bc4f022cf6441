import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_manager.actors import answers
from incident_manager.actors.journal import sqlite_check
from incident_manager.actors.journal.base import Answer, Append, JournalError
from incident_manager.actors.journal.sqlite_check import check
from incident_manager.actors.journal.sqlite_file import connect, create
from incident_manager.actors.journal.sqlite_read import read_bounds
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS
from incident_manager.actors.journal.sqlite_write import rows_of, trim, write
from incident_manager.actors.model import Record
from incident_manager.actors.vocabulary import AlertStatus, IncidentState, Kind
from unit.actors.builders import change, make_alert, make_comment, make_incident, make_record
from unit.actors.journal.histories import history_of, images

ONE = make_incident(
    1, title="Überlauf im Büro", labels={"tenant": "acme"}, assignees=("rae", "kim")
)
TWO = make_incident(2, state=IncidentState.RESOLVED, source="grafana")
ALERT = make_alert(1, ONE, labels={"tenant": "acme"}, source_key="k")
COMMENTED = evolve(change(3, ONE, Kind.COMMENT), comment=make_comment(1))
ESCALATED = change(7, TWO, Kind.UPDATE, title="Quiet again")
HISTORY = (
    make_record(1, ONE, alert=ALERT),
    make_record(2, TWO),
    COMMENTED,
    evolve(change(4, COMMENTED.incident or ONE, Kind.LINK), related_id=TWO.id),
    evolve(change(5, TWO, Kind.LINK), related_id=ONE.id),
    evolve(make_record(6), incident=None, alert=make_alert(2, status=AlertStatus.IGNORED)),
    ESCALATED,
)
ANSWER = Answer("key", "digest", answers.encode((ONE,)), 1 << 60)


def filled(path: Path, *records: Record) -> Path:
    create(path, MIGRATIONS)
    with closing(connect(path)) as connection:
        write(connection, 0, rows_of(Append(0, records, (ANSWER,))))
    return path


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return filled(tmp_path / "db", *HISTORY)


def test_a_whole_journal_is_told_by_its_numbers(path: Path) -> None:
    report = check(path)
    assert report.problems == ()
    assert report.whole
    assert report.version == len(MIGRATIONS)
    assert report.bounds is not None
    assert (report.bounds.oldest, report.bounds.head) == (1, 7)
    assert report.counts == {
        "events": 7,
        "incidents": 2,
        "alerts": 2,
        "comments": 1,
        "timeline": 7,
        "answers": 1,
        "audit": 7,
    }
    assert sorted(each.name for each in path.parent.iterdir()) == ["db"]


def test_a_trimmed_journal_is_whole(path: Path) -> None:
    with closing(connect(path)) as connection:
        bounds = read_bounds(connection)
        trim(connection, bounds, keep=2, before=0, limit=99, expired=0)
    assert check(path).problems == ()


def test_one_that_is_empty_is_whole(tmp_path: Path) -> None:
    create(tmp_path / "db", MIGRATIONS)
    assert check(tmp_path / "db").problems == ()


def test_one_that_was_analyzed_is_whole(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("ANALYZE").close()
    assert check(path).whole


def test_one_that_is_in_use_is_looked_at_as_of_now(path: Path) -> None:
    with closing(connect(path)) as connection:
        write(connection, 7, rows_of(Append(7, (make_record(8),))))
        report = check(path)
        assert report.bounds is not None
        assert report.bounds.head == 8
        assert report.whole


@settings(
    max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(drawn=st.lists(images, max_size=12), number=st.uuids())
def test_whatever_is_written_is_whole(tmp_path: Path, drawn: list[Any], number: object) -> None:
    path = filled(tmp_path / f"{number}.db", *history_of(drawn))
    problems = check(path).problems
    # These histories link to what is not there, which no command does.
    assert [each for each in problems if not each.startswith("links: there is no")] == []


GUARDS = "audit_stays", "audit_grows", "audit_is_kept"
MOVED = f"UPDATE incidents SET body = json_set(body, '$.title', 'X') WHERE id = '{ONE.id}'"


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("DELETE FROM events WHERE offset = 3", "events: offset 4 follows 2"),
        ("UPDATE events SET body = '{' WHERE offset = 2", "event 2 cannot be read"),
        ("UPDATE events SET time = 1 WHERE offset = 2", "events: the body at 2 is of offset 2"),
        (
            "UPDATE events SET body = json_set(body, '$.offset', 9) WHERE offset = 2",
            "events: the body at 2 is of offset 9",
        ),
        ("UPDATE meta SET value = '' WHERE key = 'epoch'", "meta: there is no epoch"),
        (MOVED, f"incidents: {ONE.id} is not what its last event, 4, says"),
        (
            f"DELETE FROM incidents WHERE id = '{ONE.id}'",
            f"timeline: there is no incident {ONE.id}",
        ),
        (f"DELETE FROM incidents WHERE id = '{ONE.id}'", "incidents: "),
        ("UPDATE incidents SET severity = 0", f"incidents: the columns of {ONE.id}"),
        ("UPDATE incidents SET lines = 7", "lines in the timeline, not 7"),
        ("UPDATE alerts SET severity = 0", f"alerts: the columns of {ALERT.id}"),
        (
            "UPDATE alerts SET body = json_set(body, '$.title', 'X')",
            f"alerts: {ALERT.id} is not what its last event, 1, says",
        ),
        ("UPDATE source_keys SET firing = 0", "keys: k is not what its last event, 1, says"),
        ("DELETE FROM source_keys", "keys: k is not what its last event, 1, says"),
        ("DELETE FROM comments", f"comments: {make_comment(1).id} is not what event 3 says"),
        ("UPDATE comments SET body = '[]'", "cannot be read"),
        ("DELETE FROM timeline WHERE offset = 3", "timeline: the lines of event 3"),
        ("UPDATE timeline SET body = '[]'", "a timeline entry of event 1 cannot be read"),
        ("DELETE FROM links", f"links: event 4 links {ONE.id} to {TWO.id}; no row does"),
        ("DELETE FROM facets WHERE facet = 1", "facets: its"),
        ("UPDATE facets SET severity = 0 WHERE facet = 2", "facets: its"),
        ("UPDATE counts SET n = 5 WHERE facet = 0", "has another size than 5"),
        ("UPDATE search SET title = 'x'", f"search: the words of incident {ONE.id}"),
        ("UPDATE answers SET body = '{'", "answers: that of key cannot be read"),
        ("DELETE FROM audit WHERE id = 3", "audit: entry 4 follows 2"),
        ("DELETE FROM audit WHERE id = 7", "audit: event 7 has no entry"),
        ("UPDATE audit SET action = 'X'", "entry 1 of the audit cannot be read"),
        ("UPDATE audit SET detail = '['", "entry 1 of the audit cannot be read"),
        ("UPDATE audit SET principal = 'x' WHERE id = 3", "audit: entry 3 is not what event 3"),
        ("DELETE FROM event_marks WHERE offset = 1", "event_marks: a mark of event 1 is missing"),
        ("INSERT INTO event_marks VALUES ('m', 2)", "a mark of event 2 is of no label"),
        ("DELETE FROM meta WHERE key = 'secret'", "meta: there is no secret of 32 bytes"),
        ("UPDATE meta SET value = x'00' WHERE key = 'secret'", "there is no secret of 32"),
        ("DELETE FROM meta WHERE key = 'audit_floor'", "meta: there is no audit_floor"),
        ("DROP TABLE answers", "there is no table answers"),
        ("DROP TABLE event_marks", "there is no table event_marks"),
        ("DROP INDEX links_order", "there is no index links_order"),
        ("CREATE VIEW more AS SELECT 1", "there is a view more"),
        ("SELECT 1", "there is no trigger audit_stays"),
        (
            "CREATE TRIGGER audit_stays BEFORE UPDATE ON audit BEGIN SELECT 1; END",
            "the trigger audit_stays is not what it should be",
        ),
    ],
)
def test_what_does_not_fit_is_said(path: Path, damage: str, said: str) -> None:
    with closing(connect(path)) as connection:
        for name in GUARDS:
            connection.execute(f"DROP TRIGGER {name}")
        connection.execute(damage).close()
    report = check(path)
    assert not report.whole
    assert any(said in problem for problem in report.problems), report.problems


def test_words_that_are_missing_in_the_index_alone(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("UPDATE search_content SET c0 = 'quiet' WHERE id = 2")
        connection.execute("DELETE FROM search WHERE rowid = 2")
        connection.execute(
            "INSERT INTO search_content VALUES (2, 'quiet again', 'p99 above 2 s grafana', '')"
        )
    assert any("search: its index of" in each for each in check(path).problems)


def test_a_damaged_page_is_found_and_nothing_more_is_read(path: Path) -> None:
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        page = connection.execute(
            "SELECT rootpage FROM sqlite_master WHERE name = 'events'"
        ).fetchone()[0]
    with path.open("r+b") as file:
        file.seek((page - 1) * 4096)
        file.write(b"\xff" * 512)
    report = check(path)
    assert (report.bounds, report.counts) == (None, {})
    assert any("pages:" in problem or "malformed" in problem for problem in report.problems)


def test_no_more_than_a_hundred_lines(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_check, "_MOST", 2)
    with closing(connect(path)) as connection:
        connection.execute("DELETE FROM timeline")
    assert len(check(path).problems) == 2


def test_of_an_older_version_the_pages_and_offsets_are_looked_at(tmp_path: Path) -> None:
    path = tmp_path / "db"
    create(path, MIGRATIONS[:1])
    with closing(connect(path)) as connection:
        connection.execute("INSERT INTO events VALUES (1, 1, '{}'), (3, 1, '{}')")
    report = check(path)
    assert (report.version, report.counts) == (1, {})
    assert report.problems == ("events: offset 3 follows 1",)


Make = Callable[[Path], object]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda path: None, "is not there"),
        (lambda path: path.touch(), "is not there, or empty"),
        (lambda path: path.write_bytes(b"no database" * 100), "is not an SQLite database"),
        (
            lambda path: create(path, (*MIGRATIONS, ())),
            f"has schema version {len(MIGRATIONS) + 1}; this version knows",
        ),
    ],
)
def test_what_is_no_journal_is_refused(tmp_path: Path, make: Make, said: str) -> None:
    make(tmp_path / "db")
    with pytest.raises(JournalError, match=said):
        check(tmp_path / "db")


def test_the_pages_error_of_sqlite_itself_is_a_finding(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_: sqlite3.Connection) -> Any:
        raise sqlite3.DatabaseError("database disk image is malformed")
        yield

    monkeypatch.setattr(sqlite_check, "_offsets", broken)
    assert check(path).problems[0] == "database disk image is malformed"
