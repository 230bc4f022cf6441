"""A redaction in an SQLite journal: every row of an incident is written anew, in one transaction.

``secure_delete`` overwrites what a row held before in its page; the old words leave the index of
search when its segments are merged; and the log, which still has the old pages, is emptied after
the commit (:func:`scrub`): nothing of the old text is in the files then.
"""

import sqlite3

from incident_manager.actors import answers
from incident_manager.actors.journal.codec import (
    decode_alert,
    decode_comment,
    decode_incident,
    decode_record,
    decode_timeline,
    encode,
)
from incident_manager.actors.journal.facets import alert_rows, incident_rows
from incident_manager.actors.journal.sqlite_facets import change_facets
from incident_manager.actors.journal.sqlite_write import incident_row, put_incident
from incident_manager.actors.journal.words import mark
from incident_manager.actors.model import Record
from incident_manager.actors.redaction import (
    Redaction,
    redact_alert,
    redact_comment,
    redact_incident,
    redact_line,
    redact_record,
)
from incident_manager.actors.timeline import timeline_entries

__all__ = ["redact", "scrub", "scrub_due"]

_LINES = "SELECT offset, seq, body FROM timeline WHERE incident_id = ? ORDER BY offset, seq"
_LINE = "UPDATE timeline SET body = ? WHERE incident_id = ? AND offset = ? AND seq = ?"
_HOLDS = "SELECT key, body FROM answers WHERE instr(body, CAST(? AS BLOB)) > 0"
_UNMARK = "DELETE FROM event_marks WHERE mark = ? AND offset = ?"
_MARK = "INSERT INTO event_marks VALUES (?, ?)"
_PATIENCE = 100  # milliseconds that emptying the log waits for readers, while writers wait


def redact(connection: sqlite3.Connection, redaction: Redaction) -> None:
    """Rewrite what is stored of the incident; inside a write transaction of the caller's."""
    _events(connection, redaction)
    _states(connection, redaction)
    owner = (redaction.incident_id,)
    for id_, body in connection.execute(
        "SELECT id, body FROM comments WHERE incident_id = ?", owner
    ).fetchall():
        comment = redact_comment(decode_comment(id_, body), redaction)
        connection.execute("UPDATE comments SET body = ? WHERE id = ?", (encode(comment), id_))
    for key, body in connection.execute(_HOLDS, owner).fetchall():
        answer = answers.redact(body, redaction)
        connection.execute("UPDATE answers SET body = ? WHERE key = ?", (answer, key))
    connection.execute("INSERT INTO search (search) VALUES ('optimize')")
    connection.execute("INSERT OR REPLACE INTO meta (key, value) VALUES ('scrub_due', 1)")


def _events(connection: sqlite3.Connection, redaction: Redaction) -> None:
    """The incident's events, and the lines of its history; each event has one line at least."""
    owner = redaction.incident_id
    lines = connection.execute(_LINES, (owner,)).fetchall()
    for offset in dict.fromkeys(offset for offset, _, _ in lines):
        row = connection.execute("SELECT body FROM events WHERE offset = ?", (offset,)).fetchone()
        if row is None:
            continue
        old = decode_record(offset, row[0])
        record = redact_record(old, redaction)
        connection.execute("UPDATE events SET body = ? WHERE offset = ?", (encode(record), offset))
        connection.executemany(_UNMARK, [(each, offset) for each in _marks(old)])
        connection.executemany(_MARK, [(each, offset) for each in _marks(record)])
        for seq, entry in enumerate(timeline_entries(record)):
            connection.execute(_LINE, (encode(entry), owner, offset, seq))
    oldest = connection.execute("SELECT coalesce(min(offset), 0) FROM events").fetchone()[0]
    for offset, seq, body in lines:
        if offset < oldest:
            entry = redact_line(decode_timeline(offset, body))
            connection.execute(_LINE, (encode(entry), owner, offset, seq))


def _marks(record: Record) -> frozenset[str]:
    """What the labels of an event's incident and alert are found by."""
    bearers = (record.incident, record.alert)
    return frozenset(mark(*pair) for each in bearers if each for pair in each.labels.items())


def _states(connection: sqlite3.Connection, redaction: Redaction) -> None:
    """The incident and its alerts as they are now, and what they are found by."""
    owner = (redaction.incident_id,)
    for id_, body in connection.execute(
        "SELECT id, body FROM alerts WHERE incident_id = ?", owner
    ).fetchall():
        old = decode_alert(id_, body)
        new = redact_alert(old, redaction)
        connection.execute("UPDATE alerts SET body = ? WHERE id = ?", (encode(new), id_))
        change_facets(connection, alert_rows(old), alert_rows(new))
    for id_, body in connection.execute(
        "SELECT id, body FROM incidents WHERE id = ?", owner
    ).fetchall():
        before = decode_incident(id_, body)
        after = redact_incident(before, redaction)
        put_incident(connection, after, incident_row(after, 0))
        change_facets(connection, incident_rows(before), incident_rows(after))


def scrub_due(connection: sqlite3.Connection) -> bool:
    """A redaction is committed whose old text may still be in the log."""
    row = connection.execute("SELECT 1 FROM meta WHERE key = 'scrub_due'").fetchone()
    return row is not None


def scrub(connection: sqlite3.Connection) -> bool:
    """Empty the log; False if a reader of an older moment is in the way: try again later."""
    patience = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {_PATIENCE}").close()
    try:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.execute(f"PRAGMA busy_timeout = {patience}").close()
    if busy:
        return False
    connection.execute("DELETE FROM meta WHERE key = 'scrub_due'")
    return True
