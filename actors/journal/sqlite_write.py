"""What an append and a trim change in an SQLite journal's tables, inside their transaction."""

import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence

from attrs import frozen

from incident_manager.actors.audit import audit_of
from incident_manager.actors.journal.base import Append, Bounds, StaleHead
from incident_manager.actors.journal.codec import decode_alert, decode_incident, encode
from incident_manager.actors.journal.facets import (
    FacetRow,
    alert_rows,
    incident_rows,
)
from incident_manager.actors.journal.place import int64
from incident_manager.actors.journal.query import SEVERITY_WEIGHT, STATE_ORDER
from incident_manager.actors.journal.rules import trim_to
from incident_manager.actors.journal.sqlite_audit import ADD_AUDIT, audit_row
from incident_manager.actors.journal.sqlite_facets import change_facets
from incident_manager.actors.journal.sqlite_search import follow
from incident_manager.actors.journal.words import mark
from incident_manager.actors.model import Alert, Incident, Micros, Record, key_state
from incident_manager.actors.timeline import timeline_entries

__all__ = [
    "ADD_MARK",
    "Rows",
    "alert_row",
    "incident_row",
    "put_incident",
    "rows_of",
    "trim",
    "write",
]

_Values = Sequence[object]

_EVENT = "INSERT INTO events VALUES (?, ?, ?)"
ADD_MARK = "INSERT INTO event_marks VALUES (?, ?)"
_UNMARK = """DELETE FROM event_marks WHERE (mark, offset) IN (
    SELECT mark(label.key, label.value), offset
    FROM events, json_each(body, '$.' || ? || '.labels') AS label WHERE offset <= ?)"""
_INCIDENT = """INSERT INTO incidents VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET scope = excluded.scope, fingerprint = excluded.fingerprint,
    active = excluded.active, state = excluded.state, severity = excluded.severity,
    created_at = excluded.created_at, updated_at = excluded.updated_at,
    lines = lines + excluded.lines, body = excluded.body"""
_ALERT = """INSERT INTO alerts VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET incident_id = excluded.incident_id,
    severity = excluded.severity, received_at = excluded.received_at, body = excluded.body"""
_COMMENT = "INSERT OR REPLACE INTO comments VALUES (?, ?, ?, ?)"
_TIMELINE = "INSERT INTO timeline VALUES (?, ?, ?, ?)"
_LINK = "INSERT OR IGNORE INTO links VALUES (?, ?, ?)"
_KEY = "INSERT OR REPLACE INTO source_keys VALUES (?, ?, ?, ?)"
_ANSWER = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)"


@frozen
class Rows:
    """What a batch writes. Pure: made before anything is touched."""

    plain: Mapping[str, Sequence[_Values]]
    """The values of each row by the statement that writes it, in the order of the events."""
    incidents: Sequence[tuple[Incident, _Values]]
    """The incidents as the batch leaves them, each once, in the order in which they came."""
    alerts: Sequence[tuple[Alert, _Values]]


def rows_of(batch: Append) -> Rows:
    """Every row that the batch adds.

    Raises ValueError for text that cannot be encoded.
    """
    incidents: dict[str, Incident] = {}
    alerts: dict[str, Alert] = {}
    rows: defaultdict[str, list[_Values]] = defaultdict(list)
    lines: Counter[str] = Counter()
    for record in batch.records:
        rows[_EVENT].append((record.offset, record.time, encode(record)))
        rows[ADD_AUDIT].append(audit_row(audit_of(record)))
        rows[ADD_MARK] += [(mark, record.offset) for mark in _marks(record)]
        for statement, values in _beside(record):
            rows[statement].append(values)
        if record.incident is not None:
            incidents[record.incident.id] = record.incident
            for seq, entry in enumerate(timeline_entries(record)):
                rows[_TIMELINE].append((record.incident.id, record.offset, seq, encode(entry)))
                lines[record.incident.id] += 1
        if record.alert is not None:
            alerts[record.alert.id] = record.alert
    rows[_ANSWER] = [(a.key, a.digest, a.body, a.expires_at) for a in batch.answers]
    return Rows(
        rows,
        [(each, incident_row(each, lines[each.id])) for each in incidents.values()],
        [(each, alert_row(each)) for each in alerts.values()],
    )


def _marks(record: Record) -> Sequence[str]:
    """What the labels of an event's incident and alert are found by."""
    pairs = {
        pair
        for bearer in (record.incident, record.alert)
        if bearer is not None
        for pair in bearer.labels.items()
    }
    return sorted(mark(*pair) for pair in pairs)


def _beside(record: Record) -> Iterable[tuple[str, _Values]]:
    comment, incident, state = record.comment, record.incident, key_state(record)
    if state is not None:
        yield _KEY, (state.scope, state.key, state.incident_id, state.firing)
    if incident is None:
        return
    if comment is not None:
        yield _COMMENT, (comment.id, incident.id, comment.created_at, encode(comment))
    if record.related_id is not None:
        yield _LINK, (incident.id, record.related_id, record.offset)
        yield _LINK, (record.related_id, incident.id, record.offset)


def alert_row(alert: Alert) -> _Values:
    """The values of an alert's row."""
    severity = SEVERITY_WEIGHT[alert.severity]
    return (alert.id, alert.incident_id, severity, alert.received_at, encode(alert))


def incident_row(incident: Incident, lines: int) -> _Values:
    """The values of an incident's row, without its number; ``lines`` are added to its history."""
    return (
        incident.id,
        incident.scope,
        incident.fingerprint,
        incident.is_active,
        STATE_ORDER[incident.state],
        SEVERITY_WEIGHT[incident.severity],
        incident.created_at,
        incident.updated_at,
        lines,
        encode(incident),
    )


def write(connection: sqlite3.Connection, expected_head: int, rows: Rows) -> None:
    """Write what :func:`rows_of` gave; raises :class:`StaleHead` before anything changes."""
    head = connection.execute("SELECT coalesce(max(offset), 0) FROM events").fetchone()[0]
    if head != expected_head:
        raise StaleHead(f"the head is {head}, not {expected_head}")
    for statement, values in rows.plain.items():
        connection.executemany(statement, values)
    old: set[FacetRow] = set()
    new: set[FacetRow] = set()
    for alert, row in rows.alerts:
        found = connection.execute("SELECT body FROM alerts WHERE id = ?", (alert.id,)).fetchone()
        if found is not None:
            old |= alert_rows(decode_alert(alert.id, found[0]))
        connection.execute(_ALERT, row)
        new |= alert_rows(alert)
    for incident, row in rows.incidents:
        before = put_incident(connection, incident, row)
        if before is not None:
            old |= incident_rows(before)
        new |= incident_rows(incident)
    change_facets(connection, old, new)


def put_incident(
    connection: sqlite3.Connection, incident: Incident, row: _Values
) -> Incident | None:
    """Write an incident and what search knows of it; returns it as it was before."""
    found = connection.execute(
        "SELECT seq, body FROM incidents WHERE id = ?", (incident.id,)
    ).fetchone()
    added = connection.execute(_INCIDENT, row).lastrowid
    if found is None:
        follow(connection, int(added or 0), None, incident)
        return None
    old = decode_incident(incident.id, found[1])
    follow(connection, found[0], old, incident)
    return old


def trim(
    connection: sqlite3.Connection,
    bounds: Bounds,
    *,
    keep: int,
    before: Micros,
    limit: int,
    expired: Micros,
) -> int:
    """Delete what retention drops, and at most ``limit`` answers that had expired then."""
    times = connection.execute(
        "SELECT time FROM events WHERE offset >= ? ORDER BY offset LIMIT ?",
        (bounds.oldest, int64(limit)),
    )
    last = trim_to(bounds, (row[0] for row in times), keep=keep, before=before, limit=limit)
    times.close()
    for bearer in ("incident", "alert"):
        connection.execute(_UNMARK, (bearer, last))
    connection.execute("DELETE FROM events WHERE offset <= ?", (last,))
    connection.execute(
        "DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE expires_at <= ? LIMIT ?)",
        (int64(expired), int64(limit)),
    )
    return last + 1 - bounds.oldest
