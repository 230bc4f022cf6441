"""What is read from an SQLite journal, each inside one read transaction of the caller."""

import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

from incident_manager.actors.journal.base import (
    Answer,
    Bounds,
    Chunk,
    FingerprintKey,
    IncidentPage,
    IncidentQuery,
    Loaded,
    Needs,
    SortField,
)
from incident_manager.actors.journal.codec import decode_incident, decode_record
from incident_manager.actors.journal.query import (
    SEVERITY_WEIGHT,
    STATE_ORDER,
    decode_after,
    encode_after,
)
from incident_manager.actors.model import Incident, KeyState, Micros

__all__ = ["load", "read_after", "read_bounds", "read_incident", "read_page"]

_Values = Sequence[object]


def read_bounds(connection: sqlite3.Connection) -> Bounds:
    """Epoch, oldest and head."""
    epoch, oldest, head = connection.execute(
        "SELECT (SELECT value FROM meta WHERE key = 'epoch'),"
        " (SELECT min(offset) FROM events), (SELECT max(offset) FROM events)"
    ).fetchone()
    return Bounds(epoch, 1, 0) if head is None else Bounds(epoch, oldest, head)


def read_after(connection: sqlite3.Connection, offset: int, limit: int) -> Chunk:
    """The records after ``offset``, at most ``limit``."""
    bounds = read_bounds(connection)
    rows = connection.execute(
        "SELECT offset, body FROM events WHERE offset > ? ORDER BY offset LIMIT ?", (offset, limit)
    )
    records = tuple(decode_record(place, body) for place, body in rows)
    return Chunk(records, bounds, records[-1].offset if records else bounds.head)


def read_incident(connection: sqlite3.Connection, incident_id: str) -> Incident | None:
    """The incident as it is now."""
    row = connection.execute("SELECT body FROM incidents WHERE id = ?", (incident_id,)).fetchone()
    return None if row is None else decode_incident(incident_id, row[0])


def load(connection: sqlite3.Connection, needs: Needs, now: Micros, since: Micros) -> Loaded:
    """What decisions need; every look-up is one step into an index."""
    fingerprints = {place: _active(connection, place, since) for place in needs.fingerprints}
    keys = {(scope, key): _key(connection, scope, key) for scope, key in needs.keys}
    wanted = {
        *needs.incidents,
        *chain.from_iterable(fingerprints.values()),
        *(state.incident_id for state in keys.values() if state is not None),
    }
    return Loaded(
        {incident_id: read_incident(connection, incident_id) for incident_id in wanted},
        fingerprints,
        keys,
        {
            incident_id: connection.execute(
                "SELECT count(*) FROM source_keys WHERE incident_id = ? AND firing = 1",
                (incident_id,),
            ).fetchone()[0]
            for incident_id in wanted
        },
        {key: _answer(connection, key, now) for key in needs.answers},
    )


def _active(
    connection: sqlite3.Connection, place: FingerprintKey, since: Micros
) -> tuple[str, ...]:
    rows = connection.execute(
        "SELECT id FROM incidents WHERE active = 1 AND scope = ? AND fingerprint = ?"
        " AND created_at >= ? ORDER BY created_at DESC, id DESC",
        (*place, since),
    )
    return tuple(row[0] for row in rows)


def _key(connection: sqlite3.Connection, scope: str, key: str) -> KeyState | None:
    row = connection.execute(
        "SELECT incident_id, firing FROM source_keys WHERE scope = ? AND key = ?", (scope, key)
    ).fetchone()
    return None if row is None else KeyState(scope, key, row[0], bool(row[1]))


def _answer(connection: sqlite3.Connection, key: str, now: Micros) -> Answer | None:
    row = connection.execute(
        "SELECT digest, body, expires_at FROM answers WHERE key = ? AND expires_at > ?", (key, now)
    ).fetchone()
    return None if row is None else Answer(key, *row)


_Condition = tuple[str, _Values]


def _any_of(column: str, values: Iterable[object]) -> Iterable[_Condition]:
    given = tuple(values)
    if given:
        yield f"{column} IN ({', '.join('?' * len(given))})", given


def _given(condition: str, value: object) -> Iterable[_Condition]:
    if value is not None:
        yield condition, (value,)


_CONDITIONS: Sequence[Callable[[IncidentQuery], Iterable[_Condition]]] = (
    lambda q: _any_of("state", (STATE_ORDER[each] for each in q.states)),
    lambda q: _any_of("severity", (SEVERITY_WEIGHT[each] for each in q.severities)),
    lambda q: _any_of("source", q.sources),
    lambda q: _any_of("incident_type", (each.value for each in q.types)),
    lambda q: (("active = 1", ()),) if q.active_only else (),
    lambda q: _given("created_at > ?", q.created_after),
    lambda q: _given("created_at < ?", q.created_before),
)
"""The query's conditions as SQL; values are always bound, never written into the text."""

_BESIDE: Sequence[Callable[[IncidentQuery], Iterable[_Condition]]] = (
    lambda q: _given("incident_assignees WHERE assignee = ?", q.assigned_to),
    lambda q: (("incident_labels WHERE key = ? AND value = ?", pair) for pair in q.labels.items()),
)
"""The conditions that a row in a table beside the incidents fulfils."""

_RARE = 1000
"""Up to so many rows of a table beside it is cheaper to start from them."""

_COLUMNS: Mapping[SortField, Sequence[str]] = {
    SortField.CREATED_AT: ("created_at", "id"),
    SortField.UPDATED_AT: ("updated_at", "created_at", "id"),
    SortField.SEVERITY: ("severity", "created_at", "id"),
    SortField.STATE: ("state", "created_at", "id"),
}


def read_page(connection: sqlite3.Connection, query: IncidentQuery) -> IncidentPage:
    """One page, its total and what lies around it; the query has been checked."""
    where, values = _where(connection, query)
    total = connection.execute(_select("count(*)", where), values).fetchone()[0]
    columns = _COLUMNS[query.sort]
    here, place = where, values
    before = total > 0 and query.page > 0
    if query.after is not None:
        key = decode_after(query.after, query.sort, descending=query.descending)
        beyond, upto = ("<", ">=") if query.descending else (">", "<=")
        row = f"({', '.join(columns)}) {{}} ({', '.join('?' * len(columns))})"
        here, place = f"{where} AND {row.format(beyond)}", (*values, *key)
        front = _select("1", f"{where} AND {row.format(upto)}", "LIMIT 1")
        before = connection.execute(front, place).fetchone() is not None
    order = ", ".join(f"{column} {'DESC' if query.descending else 'ASC'}" for column in columns)
    rows = connection.execute(
        _select("id, body", here, f"ORDER BY {order} LIMIT ? OFFSET ?"),
        (*place, query.size + 1, query.page * query.size),
    ).fetchall()
    incidents = tuple(decode_incident(*row) for row in rows[: query.size])
    return IncidentPage(
        incidents,
        tuple(encode_after(i, query.sort, descending=query.descending) for i in incidents),
        total,
        len(rows) > query.size,
        before,
        read_bounds(connection),
    )


def _select(what: str, where: str, tail: str = "") -> str:
    """A statement of this module's own words only; what a query brings is bound to its marks."""
    return f"SELECT {what} FROM incidents WHERE {where} {tail}"  # noqa: S608


def _where(connection: sqlite3.Connection, query: IncidentQuery) -> _Condition:
    found = [
        *(each for condition in _CONDITIONS for each in condition(query)),
        *(_beside(connection, *each) for condition in _BESIDE for each in condition(query)),
    ]
    text = " AND ".join(("1", *(text for text, _ in found)))
    return text, tuple(chain.from_iterable(values for _, values in found))


def _beside(connection: sqlite3.Connection, rows: str, values: _Values) -> _Condition:
    """Start from the rows beside if they are few, else look them up for each incident.

    SQLite cannot tell: it knows no value's frequency. (A label that half of a million
    incidents bear costs seconds the wrong way round, and so does one that three bear.)
    """
    many = f"SELECT 1 FROM {rows} LIMIT 1 OFFSET {_RARE}"  # noqa: S608 -- our own words
    if connection.execute(many, values).fetchone() is None:
        return f"id IN (SELECT incident_id FROM {rows})", values  # noqa: S608
    return f"EXISTS (SELECT 1 FROM {rows} AND incident_id = incidents.id)", values  # noqa: S608
