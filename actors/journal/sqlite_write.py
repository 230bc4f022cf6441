"""What an append and a trim change in an SQLite journal's tables, inside their transaction."""

import sqlite3
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from incident_manager.actors.journal.base import Append, Bounds, StaleHead
from incident_manager.actors.journal.codec import encode
from incident_manager.actors.journal.query import SEVERITY_WEIGHT, STATE_ORDER
from incident_manager.actors.journal.rules import trim_to
from incident_manager.actors.model import Incident, Micros, Record, key_state
from incident_manager.actors.timeline import timeline_entries

__all__ = ["Rows", "rows_of", "trim", "write"]

_Values = Sequence[object]

Rows = Mapping[str, Sequence[_Values]]
"""The values of each row by the statement that writes it, in the order of the events."""

_EVENT = "INSERT INTO events VALUES (?, ?, ?)"
_INCIDENT = """INSERT INTO incidents VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET scope = excluded.scope, fingerprint = excluded.fingerprint,
    active = excluded.active, state = excluded.state, severity = excluded.severity,
    incident_type = excluded.incident_type, source = excluded.source,
    created_at = excluded.created_at, updated_at = excluded.updated_at, body = excluded.body"""
_ALERT = """INSERT INTO alerts VALUES (?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET incident_id = excluded.incident_id,
    received_at = excluded.received_at, body = excluded.body"""
_COMMENT = "INSERT OR REPLACE INTO comments VALUES (?, ?, ?, ?)"
_TIMELINE = "INSERT INTO timeline VALUES (?, ?, ?, ?)"
_LINK = "INSERT OR IGNORE INTO links VALUES (?, ?, ?)"
_KEY = "INSERT OR REPLACE INTO source_keys VALUES (?, ?, ?, ?)"
_ANSWER = "INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)"


def rows_of(batch: Append) -> tuple[Rows, Sequence[Incident]]:
    """Every row that the batch adds, and the incidents as it leaves them, each once.

    Pure. Raises ValueError for text that cannot be encoded, before anything is written.
    """
    latest: dict[str, Incident] = {}
    rows: defaultdict[str, list[_Values]] = defaultdict(list)
    for record in batch.records:
        rows[_EVENT].append((record.offset, record.time, encode(record)))
        for statement, values in _beside(record):
            rows[statement].append(values)
        if record.incident is not None:
            latest[record.incident.id] = record.incident
    rows[_INCIDENT] = [_incident_row(incident) for incident in latest.values()]
    rows[_ANSWER] = [(a.key, a.digest, a.body, a.expires_at) for a in batch.answers]
    return rows, tuple(latest.values())


def _beside(record: Record) -> Iterable[tuple[str, _Values]]:
    alert, comment, incident, state = (
        record.alert,
        record.comment,
        record.incident,
        key_state(record),
    )
    if alert is not None:
        yield _ALERT, (alert.id, alert.incident_id, alert.received_at, encode(alert))
    if state is not None:
        yield _KEY, (state.scope, state.key, state.incident_id, state.firing)
    if incident is None:
        return
    for seq, entry in enumerate(timeline_entries(record)):
        yield _TIMELINE, (incident.id, record.offset, seq, encode(entry))
    if comment is not None:
        yield _COMMENT, (comment.id, incident.id, comment.created_at, encode(comment))
    if record.related_id is not None:
        yield _LINK, (incident.id, record.related_id, record.offset)
        yield _LINK, (record.related_id, incident.id, record.offset)


def _incident_row(incident: Incident) -> _Values:
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


def write(
    connection: sqlite3.Connection,
    expected_head: int,
    rows: Rows,
    incidents: Iterable[Incident],
) -> None:
    """Write what :func:`rows_of` gave; raises :class:`StaleHead` before anything changes."""
    head = connection.execute("SELECT coalesce(max(offset), 0) FROM events").fetchone()[0]
    if head != expected_head:
        raise StaleHead(f"the head is {head}, not {expected_head}")
    for statement, values in rows.items():
        connection.executemany(statement, values)
    for incident in incidents:
        _replace(
            connection,
            incident.id,
            {(key, value) for key, value in incident.labels.items()},
            "SELECT key, value FROM incident_labels WHERE incident_id = ?",
            "DELETE FROM incident_labels WHERE incident_id = ? AND key = ? AND value = ?",
            "INSERT INTO incident_labels VALUES (?, ?, ?)",
        )
        _replace(
            connection,
            incident.id,
            {(name,) for name in incident.assignees},
            "SELECT assignee FROM incident_assignees WHERE incident_id = ?",
            "DELETE FROM incident_assignees WHERE incident_id = ? AND assignee = ?",
            "INSERT INTO incident_assignees VALUES (?, ?)",
        )


def _replace(
    connection: sqlite3.Connection,
    incident_id: str,
    wanted: set[tuple[str, str]] | set[tuple[str]],
    select: str,
    delete: str,
    insert: str,
) -> None:
    """Make an incident's rows in a side table those wanted; mostly they are so already."""
    present = set(connection.execute(select, (incident_id,)).fetchall())
    for row in present - wanted:
        connection.execute(delete, (incident_id, *row))
    for row in wanted - present:
        connection.execute(insert, (incident_id, *row))


def trim(
    connection: sqlite3.Connection,
    bounds: Bounds,
    *,
    keep: int,
    before: Micros,
    limit: int,
    expired: Micros,
) -> int:
    """Delete what retention drops, and at most ``limit`` answers that expired at ``expired``."""
    times = connection.execute(
        "SELECT time FROM events WHERE offset >= ? ORDER BY offset LIMIT ?", (bounds.oldest, limit)
    )
    last = trim_to(bounds, (row[0] for row in times), keep=keep, before=before, limit=limit)
    times.close()
    connection.execute("DELETE FROM events WHERE offset <= ?", (last,))
    connection.execute(
        "DELETE FROM answers WHERE key IN (SELECT key FROM answers WHERE expires_at <= ? LIMIT ?)",
        (expired, limit),
    )
    return last + 1 - bounds.oldest
