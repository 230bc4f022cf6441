"""The audit in an SQLite journal: rows that are only ever added, and trimmed by their own rule."""

import sqlite3
from collections.abc import Iterator, Sequence

import msgspec

from incident_manager.actors.audit import AuditAction, AuditEntry
from incident_manager.actors.journal.base import JournalError
from incident_manager.actors.journal.place import decode_place, encode_place, int64
from incident_manager.actors.journal.query import AUDIT
from incident_manager.actors.journal.reads import AuditPage, AuditQuery
from incident_manager.actors.model import Micros

__all__ = ["ADD_AUDIT", "audit_row", "read_audit", "read_entries", "trim_audit"]

ADD_AUDIT = "INSERT INTO audit VALUES (NULL, ?, ?, ?, ?, ?, ?, ?)"

_COLUMNS = "id, time, action, principal, incident_id, offset, trace, detail"
_DETAIL = msgspec.json.Decoder(dict[str, str])


def audit_row(entry: AuditEntry) -> Sequence[object]:
    """The values of an entry, without its id."""
    return (
        entry.time,
        entry.action.value,
        entry.principal,
        entry.incident_id,
        entry.offset,
        entry.trace,
        msgspec.json.encode(entry.detail).decode() if entry.detail else None,
    )


def read_audit(connection: sqlite3.Connection, query: AuditQuery) -> AuditPage:
    """One page; the query's size has been checked."""
    conditions = ["id < ?"]
    values: list[object] = [int64(1 << 62)]
    if query.after is not None:
        values = list(decode_place(query.after, AUDIT, [int]))
    for condition, value in (
        ("principal = ?", query.principal),
        ("incident_id = ?", query.incident_id),
        ("time >= ?", None if query.since is None else int64(query.since)),
        ("time < ?", None if query.until is None else int64(query.until)),
    ):
        if value is not None:
            conditions.append(condition)
            values.append(value)
    if query.actions:
        conditions.append(f"action IN ({', '.join('?' * len(query.actions))})")
        values += sorted(query.actions)
    text = f"SELECT {_COLUMNS} FROM audit WHERE {' AND '.join(conditions)} ORDER BY id DESC LIMIT ?"  # noqa: S608  # nosec B608
    rows = connection.execute(text, (*values, query.size + 1)).fetchall()
    entries = tuple(_entry(*row) for row in rows[: query.size])
    end = encode_place(AUDIT, (entries[-1].id,)) if entries else None
    return AuditPage(entries, end, len(rows) > query.size)


def read_entries(connection: sqlite3.Connection) -> Iterator[AuditEntry]:
    """Every entry, the oldest first. Raises :class:`JournalError` for one that cannot be read."""
    for row in connection.execute(f"SELECT {_COLUMNS} FROM audit ORDER BY id"):  # noqa: S608  # nosec B608
        yield _entry(*row)


def _entry(
    id_: int,
    time: Micros,
    action: str,
    principal: str,
    incident_id: str | None,
    offset: int | None,
    trace: str | None,
    detail: str | None,
) -> AuditEntry:
    try:
        more = {} if detail is None else _DETAIL.decode(detail)
        known = AuditAction(action)
    except ValueError as error:
        raise JournalError(f"entry {id_} of the audit cannot be read: {error}") from error
    return AuditEntry(time, known, principal, incident_id, offset, trace, more, id_)


def trim_audit(connection: sqlite3.Connection, *, before: Micros, limit: int) -> int:
    """Delete entries from the front that are older; the newest always stays, so that no id
    comes twice. The tables' own guard lets nothing else be deleted.
    """
    rows = connection.execute(
        "SELECT id, time FROM audit WHERE id < (SELECT max(id) FROM audit) ORDER BY id LIMIT ?",
        (int64(limit),),
    ).fetchall()
    old = 0
    while old < len(rows) and rows[old][1] < before:
        old += 1
    if old:
        last = rows[old - 1][0]
        connection.execute("UPDATE meta SET value = ? WHERE key = 'audit_floor'", (last,))
        connection.execute("DELETE FROM audit WHERE id <= ?", (last,))
    return old
