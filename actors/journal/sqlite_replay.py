"""Do the tables say what the events say: each event's rows, and the last state of everything."""

import sqlite3
from collections.abc import Iterator

from incident_manager.actors.journal.codec import (
    decode_alert,
    decode_comment,
    decode_incident,
    decode_record,
    decode_timeline,
)
from incident_manager.actors.journal.sqlite_write import alert_row, incident_row
from incident_manager.actors.model import Record, key_state
from incident_manager.actors.timeline import timeline_entries

__all__ = ["replay", "rows_alone"]

_LATEST = """CREATE TEMP TABLE latest (
    what TEXT NOT NULL, scope TEXT NOT NULL, id TEXT NOT NULL, offset INTEGER NOT NULL,
    PRIMARY KEY (what, scope, id)) WITHOUT ROWID"""
_NOTE = "INSERT OR REPLACE INTO temp.latest VALUES (?, ?, ?, ?)"
_EVENT = "SELECT body FROM events WHERE offset = ?"


def replay(connection: sqlite3.Connection) -> Iterator[str]:
    """What the tables hold otherwise than the events that are kept make it."""
    connection.execute(_LATEST).close()
    for offset, time, body in connection.execute(
        "SELECT offset, time, body FROM events ORDER BY offset"
    ):
        record = decode_record(offset, body)
        if (record.offset, record.time) != (offset, time):
            yield f"events: the body at {offset} is of offset {record.offset}"
        connection.executemany(_NOTE, _subjects(record))
        yield from _own_rows(connection, record)
    yield from _last_states(connection)


def _subjects(record: Record) -> Iterator[tuple[str, str, str, int]]:
    """What an event changes the state of."""
    if record.incident is not None:
        yield "incident", "", record.incident.id, record.offset
    if record.alert is not None:
        yield "alert", "", record.alert.id, record.offset
    state = key_state(record)
    if state is not None:
        yield "key", state.scope, state.key, record.offset


def _own_rows(connection: sqlite3.Connection, record: Record) -> Iterator[str]:
    """The rows that one event adds, and nothing changes later but a redaction, here and there."""
    incident, comment = record.incident, record.comment
    if incident is None:
        return
    rows = connection.execute(
        "SELECT body FROM timeline WHERE incident_id = ? AND offset = ? ORDER BY seq",
        (incident.id, record.offset),
    )
    entries = tuple(decode_timeline(record.offset, body) for (body,) in rows)
    if entries != timeline_entries(record):
        yield f"timeline: the lines of event {record.offset} are not what it says"
    if comment is not None:
        row = connection.execute(
            "SELECT incident_id, created_at, body FROM comments WHERE id = ?", (comment.id,)
        ).fetchone()
        wanted = (incident.id, comment.created_at, comment)
        if row is None or (*row[:2], decode_comment(comment.id, row[2])) != wanted:
            yield f"comments: {comment.id} is not what event {record.offset} says"
    if record.related_id is not None:
        both = (incident.id, record.related_id), (record.related_id, incident.id)
        for pair in both:
            found = connection.execute(
                "SELECT 1 FROM links WHERE incident_id = ? AND related_id = ? AND offset <= ?",
                (*pair, record.offset),
            ).fetchone()
            if found is None:
                yield f"links: event {record.offset} links {pair[0]} to {pair[1]}; no row does"


def _last_states(connection: sqlite3.Connection) -> Iterator[str]:
    for what, scope, id_, offset in connection.execute("SELECT * FROM temp.latest"):
        record = decode_record(offset, connection.execute(_EVENT, (offset,)).fetchone()[0])
        if what == "key":
            row = connection.execute(
                "SELECT incident_id, firing FROM source_keys WHERE scope = ? AND key = ?",
                (scope, id_),
            ).fetchone()
            state = key_state(record)
            same = state is not None and row == (state.incident_id, int(state.firing))
        else:
            row = connection.execute(f"SELECT body FROM {what}s WHERE id = ?", (id_,)).fetchone()  # noqa: S608  # nosec B608
            if row is None:
                same = False
            elif what == "incident":
                same = decode_incident(id_, row[0]) == record.incident
            else:
                same = decode_alert(id_, row[0]) == record.alert
        if not same:
            yield f"{what}s: {id_} is not what its last event, {offset}, says"


def rows_alone(connection: sqlite3.Connection) -> Iterator[str]:
    """Rows whose columns are not those of their bodies, or that belong to nothing."""
    for id_, *columns, body in connection.execute(
        "SELECT id, scope, fingerprint, active, state, severity, created_at, updated_at,"
        " (SELECT count(*) FROM timeline WHERE incident_id = incidents.id), lines, body"
        " FROM incidents"
    ):
        counted, lines = columns[-2:]
        incident = decode_incident(id_, body)
        if (id_, *columns[:-2]) != tuple(incident_row(incident, lines)[:8]):
            yield f"incidents: the columns of {id_} are not those of its body"
        if counted != lines:
            yield f"incidents: {id_} has {counted} lines in the timeline, not {lines}"
    for row in connection.execute(
        "SELECT id, incident_id, severity, received_at, body FROM alerts"
    ):
        if row[:4] != tuple(alert_row(decode_alert(row[0], row[4]))[:4]):
            yield f"alerts: the columns of {row[0]} are not those of its body"
    for id_, body in connection.execute("SELECT id, body FROM comments"):
        decode_comment(id_, body)
    for offset, body in connection.execute("SELECT offset, body FROM timeline"):
        decode_timeline(offset, body)
    for table in ("alerts", "comments", "timeline", "links", "source_keys"):
        for (id_,) in connection.execute(
            f"SELECT DISTINCT incident_id FROM {table} WHERE incident_id IS NOT NULL"  # noqa: S608  # nosec B608
            " AND incident_id NOT IN (SELECT id FROM incidents) LIMIT 100"
        ):
            yield f"{table}: there is no incident {id_}"
