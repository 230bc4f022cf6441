import sqlite3
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path

import pytest
from attrs import evolve

from incident_manager.actors.journal.base import Append
from incident_manager.actors.journal.codec import encode
from incident_manager.actors.journal.facets import Facet
from incident_manager.actors.journal.query import SEVERITY_WEIGHT, STATE_ORDER
from incident_manager.actors.journal.sqlite_audit import ADD_AUDIT
from incident_manager.actors.journal.sqlite_file import clean, connect, create, migrate
from incident_manager.actors.journal.sqlite_schema import APPLICATION_ID, MIGRATIONS
from incident_manager.actors.journal.sqlite_write import ADD_MARK, Rows, rows_of, write
from incident_manager.actors.model import Alert, Incident, Record
from incident_manager.actors.timeline import timeline_entries
from incident_manager.actors.vocabulary import AlertStatus, IncidentState, Kind, Severity
from unit.actors.builders import (
    change,
    make_alert,
    make_comment,
    make_incident,
    make_record,
)


def test_the_mark_reads_as_letters() -> None:
    assert APPLICATION_ID.to_bytes(4, "big") == b"LIMJ"


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("SELECT min(offset) FROM events", "INTEGER PRIMARY KEY|events"),
        ("SELECT body FROM events WHERE offset > 1 ORDER BY offset LIMIT 9", "PRIMARY KEY"),
        ("SELECT body FROM incidents WHERE id = ''", "autoindex_incidents"),
        (
            "SELECT id FROM incidents WHERE active = 1 AND scope = '' AND fingerprint = ''"
            " AND created_at >= 1 ORDER BY created_at DESC, id DESC",
            "COVERING INDEX incidents_fingerprint",
        ),
        (
            "SELECT count(*) FROM source_keys WHERE incident_id = '' AND firing = 1",
            "COVERING INDEX keys_firing",
        ),
    ],
)
def test_what_an_append_asks_has_an_index_and_is_not_sorted(
    tmp_path: Path, statement: str, index: str
) -> None:
    create(tmp_path / "db", MIGRATIONS)
    with closing(connect(tmp_path / "db")) as connection:
        plan = " ".join(
            row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}").fetchall()
        )
    assert any(name in plan for name in index.split("|")), plan
    assert "TEMP B-TREE" not in plan


def test_the_numbers_of_the_facets_are_in_the_files() -> None:
    assert {each.name: each.value for each in Facet} == {
        "INCIDENT": 0,
        "LABEL": 1,
        "SOURCE": 2,
        "TYPE": 3,
        "ASSIGNEE": 4,
        "ALERT": 5,
        "ALERT_LABEL": 6,
        "ALERT_SOURCE": 7,
        "ALERT_INCIDENT": 8,
    }


ONE = make_incident(
    1,
    title="Überlauf im Büro",
    severity=Severity.P0,
    labels={"tenant": "acme", "": '"quoted" ünïcode'},
    assignees=("rae", "kim"),
)
TWO = make_incident(2, state=IncidentState.RESOLVED, source="grafana")
ALERT = make_alert(1, ONE, severity=Severity.P1, labels={"tenant": "acme", "": "x"})
HISTORY = (
    make_record(1, ONE, alert=ALERT),
    make_record(2, TWO),
    evolve(change(3, ONE, Kind.COMMENT), comment=make_comment(1)),
    evolve(change(4, ONE, Kind.LINK), related_id=TWO.id),
    evolve(make_record(5), incident=None, alert=make_alert(2, status=AlertStatus.IGNORED)),
)


def write_version_1(connection: sqlite3.Connection, records: Sequence[Record]) -> None:
    """Write as the version before did: each incident and alert once, and what lies beside."""
    incidents: dict[str, Incident] = {}
    for record in records:
        incident, alert = record.incident, record.alert
        put(connection, "events", record.offset, record.time, encode(record))
        if alert is not None:
            put(connection, "alerts", *alert_values(alert))
        if incident is None:
            continue
        incidents[incident.id] = incident
        for seq, entry in enumerate(timeline_entries(record)):
            put(connection, "timeline", incident.id, record.offset, seq, encode(entry))
        if record.comment is not None:
            at = record.comment.created_at
            put(connection, "comments", record.comment.id, incident.id, at, encode(record.comment))
        if record.related_id is not None:
            put(connection, "links", incident.id, record.related_id, record.offset)
            put(connection, "links", record.related_id, incident.id, record.offset)
    for incident in incidents.values():
        put(connection, "incidents", *incident_values(incident))
        for key, value in incident.labels.items():
            put(connection, "incident_labels", incident.id, key, value)
        for name in incident.assignees:
            put(connection, "incident_assignees", incident.id, name)


def put(connection: sqlite3.Connection, table: str, *values: object) -> None:
    connection.execute(f"INSERT INTO {table} VALUES ({', '.join('?' * len(values))})", values)


def alert_values(alert: Alert) -> tuple[object, ...]:
    return alert.id, alert.incident_id, alert.received_at, encode(alert)


def incident_values(incident: Incident) -> tuple[object, ...]:
    return (
        incident.id,
        incident.scope,
        incident.fingerprint,
        incident.is_active,
        STATE_ORDER[incident.state],
        SEVERITY_WEIGHT[incident.severity],
        incident.incident_type.value,
        incident.source,
        incident.created_at,
        incident.updated_at,
        encode(incident),
    )


def contents(path: Path) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, but for the epoch, and for how search keeps its own."""
    with closing(connect(path)) as connection:
        names = connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'search_%'"
            " AND name <> 'meta'"
        ).fetchall()
        found = {
            name: sorted(connection.execute(f"SELECT * FROM {name}").fetchall())
            for (name,) in names
        }
        for word in ("uberlauf", "grafana", "quoted", "slow"):
            match = "SELECT rowid FROM search WHERE search MATCH ? ORDER BY rowid"
            found[word] = connection.execute(match, (word,)).fetchall()
        return found


def sorted_words(rows: list[tuple[object, ...]]) -> list[tuple[list[str], ...]]:
    return [tuple(sorted(str(text).split()) for text in row) for row in rows]


def test_version_1_becomes_what_would_have_been_written_now(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    create(old, MIGRATIONS[:1])
    with closing(connect(old)) as connection:
        write_version_1(connection, HISTORY)
    migrate(old, MIGRATIONS, 1)
    create(new, MIGRATIONS)
    with closing(connect(new)) as connection:
        write(connection, 0, rows_of(Append(0, HISTORY)))
    migrated, written = contents(old), contents(new)
    assert sorted_words(migrated.pop("search")) == sorted_words(written.pop("search"))
    assert migrated == written
    assert migrated["uberlauf"] == [(1,)]
    assert migrated["grafana"] == [(2,)]
    assert len(migrated["facets"]) == 7 + 3 + 4 + 2


def test_version_2_gets_an_audit_of_the_events_that_are_kept(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    create(old, MIGRATIONS[:2])
    rows = rows_of(Append(0, HISTORY))
    before = evolve(rows, plain=_of_version_2(rows))
    with closing(connect(old)) as connection:
        write(connection, 0, before)
        connection.execute("DELETE FROM events WHERE offset = 1")
    migrate(old, MIGRATIONS, 2)
    create(new, MIGRATIONS)
    with closing(connect(new)) as connection:
        write(connection, 0, rows)
    migrated, written = contents(old), contents(new)
    assert [row[1:] for row in migrated["audit"]] == [row[1:] for row in written["audit"][1:]]
    assert migrated["incidents"] == written["incidents"]
    # Which events bear which labels, too.
    assert migrated["event_marks"] == [row for row in written["event_marks"] if row[1] > 1]


def _of_version_2(rows: Rows) -> Mapping[str, Sequence[Sequence[object]]]:
    """The rows but for those of later tables."""
    later = {ADD_AUDIT, ADD_MARK}
    return {each: values for each, values in rows.plain.items() if each not in later}


def test_what_was_deleted_before_version_3_leaves_the_file(tmp_path: Path) -> None:
    path = tmp_path / "db"
    create(path, MIGRATIONS[:2])
    with closing(connect(path)) as connection:
        connection.execute("PRAGMA secure_delete = OFF").close()
        rows = rows_of(Append(0, HISTORY))
        write(connection, 0, evolve(rows, plain=_of_version_2(rows)))
        connection.execute("DELETE FROM events WHERE offset < 5")
        connection.execute("UPDATE incidents SET body = '{}', fingerprint = ''")
    assert "Überlauf".encode() in path.read_bytes()
    migrate(path, MIGRATIONS, 2)
    with closing(connect(path)) as connection:
        connection.execute("DELETE FROM timeline")
    clean(path)
    assert "Überlauf".encode() not in path.read_bytes()
    before = path.stat().st_mtime_ns
    clean(path)  # once
    assert path.stat().st_mtime_ns == before
