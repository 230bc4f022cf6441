"""What later queries read, beside what the port already shows."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import msgspec
import pytest
from attrs import evolve

from incident_manager.actors.journal.base import Append
from incident_manager.actors.journal.facets import Facet
from incident_manager.actors.journal.sqlite_file import connect, create
from incident_manager.actors.journal.sqlite_read import read_bounds
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS
from incident_manager.actors.journal.sqlite_write import rows_of, trim, write
from incident_manager.actors.model import Alert, Comment, Record
from incident_manager.actors.timeline import TimelineEntry, timeline_entries
from incident_manager.actors.vocabulary import AlertStatus, Kind
from unit.actors.builders import (
    change,
    make_alert,
    make_comment,
    make_incident,
    make_record,
)


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    create(tmp_path / "db", MIGRATIONS)
    with closing(connect(tmp_path / "db")) as opened:
        yield opened


def put(connection: sqlite3.Connection, *records: Record) -> None:
    head = records[0].offset - 1
    write(connection, head, rows_of(Append(head, records)))


def rows(connection: sqlite3.Connection, statement: str) -> list[tuple[object, ...]]:
    return connection.execute(statement).fetchall()


def test_alerts_in_the_order_they_came(connection: sqlite3.Connection) -> None:
    incident = make_incident(1)
    alerts = [make_alert(n, incident) for n in (1, 2)] + [make_alert(3, status=AlertStatus.IGNORED)]
    put(
        connection,
        make_record(1, incident, alert=alerts[0]),
        change(2, incident, Kind.ALERT),
        evolve(change(3, incident, Kind.ALERT), alert=alerts[1]),
        evolve(make_record(4), incident=None, alert=alerts[2]),
    )
    found = rows(connection, "SELECT incident_id, received_at, body FROM alerts ORDER BY id")
    assert [row[:2] for row in found] == [
        (incident.id, alerts[0].received_at),
        (incident.id, alerts[1].received_at),
        (None, alerts[2].received_at),
    ]
    assert [msgspec.json.decode(str(row[2]), type=Alert) for row in found] == alerts


def test_the_same_alert_again_is_brought_up_to_date(connection: sqlite3.Connection) -> None:
    alert = make_alert(1)
    put(connection, evolve(make_record(1), incident=None, alert=alert))
    again = evolve(alert, status=AlertStatus.MERGED, incident_id="i", received_at=7)
    put(connection, evolve(make_record(2), incident=None, alert=again))
    ((identity, received, body),) = rows(
        connection, "SELECT incident_id, received_at, body FROM alerts"
    )
    assert (identity, received) == ("i", 7)
    assert msgspec.json.decode(str(body), type=Alert) == again


def test_comments(connection: sqlite3.Connection) -> None:
    incident, comment = make_incident(1), make_comment(1)
    record = evolve(change(2, incident, Kind.COMMENT), comment=comment)
    put(connection, make_record(1, incident), record)
    ((identity, at, body),) = rows(connection, "SELECT incident_id, created_at, body FROM comments")
    assert (identity, at) == (incident.id, comment.created_at)
    assert msgspec.json.decode(str(body), type=Comment) == comment


def test_the_timeline_is_that_of_the_events(connection: sqlite3.Connection) -> None:
    incident = make_incident(1)
    records = (
        make_record(1, incident, alert=make_alert(1, incident)),
        change(2, incident, Kind.ASSIGN, assignees=("rae",)),
    )
    put(connection, *records)
    found = rows(connection, "SELECT incident_id, offset, seq, body FROM timeline ORDER BY 1, 2, 3")
    assert [row[:3] for row in found] == [
        (incident.id, 1, 0),
        (incident.id, 1, 1),
        (incident.id, 2, 0),
    ]
    assert [msgspec.json.decode(str(row[3]), type=TimelineEntry) for row in found] == [
        entry for record in records for entry in timeline_entries(record)
    ]


def test_links_go_both_ways_once(connection: sqlite3.Connection) -> None:
    one, two = make_incident(1), make_incident(2)
    put(
        connection,
        make_record(1, one),
        make_record(2, two),
        evolve(change(3, one, Kind.LINK), related_id=two.id),
        evolve(change(4, two, Kind.LINK), related_id=one.id),
    )
    assert rows(connection, "SELECT * FROM links ORDER BY incident_id") == [
        (one.id, two.id, 3),
        (two.id, one.id, 3),
    ]


def test_labels_and_assignees_follow_the_incident(connection: sqlite3.Connection) -> None:
    incident = make_incident(1, labels={"a": "1", "b": "2"}, assignees=("kim", "rae", "kim"))
    put(connection, make_record(1, incident))
    labels = f"SELECT key, value FROM facets WHERE facet = {Facet.LABEL:d} ORDER BY 1"
    names = f"SELECT value FROM facets WHERE facet = {Facet.ASSIGNEE:d} ORDER BY 1"
    assert rows(connection, labels) == [("a", "1"), ("b", "2")]
    assert rows(connection, names) == [("kim",), ("rae",)]
    put(connection, change(2, incident, labels={"b": "3", "c": "4"}, assignees=("lee", "rae")))
    assert rows(connection, labels) == [("b", "3"), ("c", "4")]
    assert rows(connection, names) == [("lee",), ("rae",)]


def test_trimming_takes_events_only(connection: sqlite3.Connection) -> None:
    incident = make_incident(1, labels={"a": "1"}, assignees=("rae",))
    put(
        connection,
        make_record(1, incident, alert=make_alert(1, incident, source_key="k")),
        evolve(change(2, incident, Kind.COMMENT), comment=make_comment(1)),
        evolve(change(3, incident, Kind.LINK), related_id="other"),
        make_record(4),
    )
    names = [
        row[0] for row in rows(connection, "SELECT name FROM sqlite_master WHERE type='table'")
    ]
    before = {name: rows(connection, f"SELECT * FROM {name}") for name in names}
    assert trim(connection, read_bounds(connection), keep=1, before=0, limit=9, expired=0) == 3
    after = {name: rows(connection, f"SELECT * FROM {name}") for name in names}
    assert after.pop("events") == before.pop("events")[3:]
    assert [offset for _, offset in before.pop("event_marks")] == [1, 2, 3]
    assert after.pop("event_marks") == []
    assert after == before
    assert set(after) > {"alerts", "comments", "timeline", "links", "source_keys"}


def test_text_that_cannot_be_encoded_stops_before_anything_is_written() -> None:
    record = make_record(1, make_incident(1, title="\ud800"))
    with pytest.raises(ValueError, match="surrogates"):
        rows_of(Append(0, (record,)))
