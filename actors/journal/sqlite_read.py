"""What is read from an SQLite journal, each inside one read transaction of the caller."""

import json
import sqlite3
from collections.abc import Sequence
from itertools import chain, islice

from attrs import evolve

from incident_manager.actors.journal.base import (
    Answer,
    Bounds,
    Chunk,
    FingerprintKey,
    Loaded,
    Needs,
)
from incident_manager.actors.journal.codec import decode_incident, decode_record
from incident_manager.actors.journal.facets import (
    Conditions,
    alert_conditions,
    incident_conditions,
)
from incident_manager.actors.journal.place import PlaceKey, decode_place, encode_place, int64
from incident_manager.actors.journal.query import (
    ALERTS,
    SEARCH,
    SEVERITY_WEIGHT,
    STATE_ORDER,
    decode_after,
    encode_after,
    search_place,
)
from incident_manager.actors.journal.reads import (
    AlertPage,
    AlertQuery,
    IncidentPage,
    IncidentQuery,
    SearchQuery,
    SortField,
    Stats,
)
from incident_manager.actors.journal.sqlite_beside import read_alerts, read_incidents
from incident_manager.actors.journal.sqlite_facets import Plan, plan
from incident_manager.actors.journal.sqlite_search import find
from incident_manager.actors.journal.sqlite_walk import Walk, keys, tally
from incident_manager.actors.journal.words import mark, wanted
from incident_manager.actors.model import Alert, Incident, KeyState, Micros
from incident_manager.actors.selectors import Selectors, seen
from incident_manager.actors.vocabulary import ACTIVE_STATES

__all__ = [
    "load",
    "read_after",
    "read_alert",
    "read_alert_page",
    "read_bearing",
    "read_bounds",
    "read_incident",
    "read_page",
    "read_search",
    "read_secret",
    "read_stats",
]

_ACTIVE = [STATE_ORDER[state] for state in ACTIVE_STATES]
# The look at the event comes last: most of what is passed over bears another label only.
_BEARING = """SELECT e.offset, e.body FROM event_marks AS m CROSS JOIN events AS e USING (offset)
    WHERE m.mark = ? AND m.offset > ? {} ORDER BY m.offset"""
_AND_MARKED = "AND EXISTS (SELECT 1 FROM event_marks AS n WHERE n.mark = ? AND n.offset = m.offset)"
_NUMBERED = """SELECT i.id, i.body FROM json_each(?) AS w
    CROSS JOIN incidents AS i ON i.seq = w.value ORDER BY w.key"""


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
        "SELECT offset, body FROM events WHERE offset > ? ORDER BY offset LIMIT ?",
        (int64(offset), int64(limit)),
    )
    records = tuple(decode_record(place, body) for place, body in rows)
    return Chunk(records, bounds, records[-1].offset if records else bounds.head)


def read_bearing(
    connection: sqlite3.Connection, labels: Selectors, offset: int, limit: int
) -> Chunk:
    """The records after ``offset`` that bear the labels, at most ``limit``."""
    bounds = read_bounds(connection)
    rows = connection.execute(
        _BEARING.format(_AND_MARKED * (len(labels) - 1)),
        (mark(*labels[0]), int64(offset), *(mark(*each) for each in labels[1:])),
    )
    found = (decode_record(place, body) for place, body in rows)
    records = tuple(islice((each for each in found if seen(each, labels) is not None), limit))
    rows.close()
    return Chunk(records, bounds, records[-1].offset if len(records) == limit else bounds.head)


def read_secret(connection: sqlite3.Connection) -> bytes:
    """The journal's secret."""
    row = connection.execute("SELECT value FROM meta WHERE key = 'secret'").fetchone()
    return bytes(row[0])


def read_incident(connection: sqlite3.Connection, incident_id: str) -> Incident | None:
    """The incident as it is now."""
    return read_incidents(connection, [incident_id]).get(incident_id)


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
        (*place, int64(since)),
    )
    return tuple(row[0] for row in rows)


def _key(connection: sqlite3.Connection, scope: str, key: str) -> KeyState | None:
    row = connection.execute(
        "SELECT incident_id, firing FROM source_keys WHERE scope = ? AND key = ?", (scope, key)
    ).fetchone()
    return None if row is None else KeyState(scope, key, row[0], bool(row[1]))


def _answer(connection: sqlite3.Connection, key: str, now: Micros) -> Answer | None:
    row = connection.execute(
        "SELECT digest, body, expires_at FROM answers WHERE key = ? AND expires_at > ?",
        (key, int64(now)),
    ).fetchone()
    return None if row is None else Answer(key, *row)


def read_page(connection: sqlite3.Connection, query: IncidentQuery) -> IncidentPage:
    """One page, its total and what lies around it; the query has been checked."""
    sort, down = query.sort, query.descending
    place = None if query.after is None else decode_after(query.after, sort, descending=down)
    walk = Walk(sort, down, place, query.page * query.size, query.size + 1)
    found, total, before = _page(connection, incident_conditions(query), walk)
    ids = [str(key[-1]) for key in found[: query.size]]
    known = read_incidents(connection, ids)
    incidents = [known[each] for each in ids]
    return IncidentPage(
        tuple(incidents),
        tuple(encode_after(each, sort, descending=down) for each in incidents),
        total,
        len(found) > query.size,
        before,
        read_bounds(connection),
    )


def read_stats(connection: sqlite3.Connection, query: IncidentQuery) -> Stats:
    """Counts of what the query matches, by cells."""
    way = plan(connection, incident_conditions(query))
    found = {} if way is None else tally(connection, way)
    by_severity = {
        severity: sum(found.get((state, weight), 0) for state in _ACTIVE)
        for severity, weight in SEVERITY_WEIGHT.items()
    }
    total, active = sum(found.values()), sum(by_severity.values())
    return Stats(total, active, total - active, by_severity, read_bounds(connection))


def read_search(connection: sqlite3.Connection, query: SearchQuery) -> IncidentPage:
    """One page of a search; the query has been checked."""
    hits = find(
        connection,
        wanted(query.text),
        query.labels,
        place=search_place(query),
        offset=query.page * query.size,
        size=query.size,
    )
    numbers = json.dumps([number for _, number in hits.keys])
    return IncidentPage(
        tuple(decode_incident(*row) for row in connection.execute(_NUMBERED, (numbers,))),
        tuple(encode_place(SEARCH, key) for key in hits.keys),
        hits.total,
        hits.has_next,
        hits.has_previous,
        read_bounds(connection),
    )


def read_alert(connection: sqlite3.Connection, alert_id: str) -> Alert | None:
    """The alert of that id."""
    return read_alerts(connection, [alert_id]).get(alert_id)


def read_alert_page(connection: sqlite3.Connection, query: AlertQuery) -> AlertPage:
    """One page of alerts; the query has been checked."""
    place = None if query.after is None else decode_place(query.after, ALERTS, [int, str])
    walk = Walk(SortField.CREATED_AT, True, place, query.page * query.size, query.size + 1)
    found, total, before = _page(connection, alert_conditions(query), walk)
    ids = [str(key[-1]) for key in found[: query.size]]
    known = read_alerts(connection, ids)
    return AlertPage(
        tuple(known[each] for each in ids),
        tuple(encode_place(ALERTS, key) for key in found[: query.size]),
        total,
        len(found) > query.size,
        before,
        read_bounds(connection),
    )


def _page(
    connection: sqlite3.Connection, asked: Conditions, walk: Walk
) -> tuple[Sequence[PlaceKey], int, bool]:
    """The keys of a page, how many match in all, and whether some lie before it."""
    way = plan(connection, asked)
    if way is None:
        return (), 0, False
    total = sum(tally(connection, way).values())
    if walk.place is None:
        return _numbered(connection, way, walk, total), total, total > 0 and walk.offset > 0
    back = evolve(walk, descending=not walk.descending, inclusive=True, limit=1)
    before = bool(keys(connection, way, back))
    return keys(connection, way, walk), total, before


def _numbered(
    connection: sqlite3.Connection, way: Plan, walk: Walk, total: int
) -> Sequence[PlaceKey]:
    """The keys at a distance from the start: counted from whichever end is nearer."""
    wanted = min(walk.limit, total - walk.offset)
    if wanted <= 0:
        return ()
    if walk.offset <= total // 2:
        return keys(connection, way, walk)
    rest = total - walk.offset - wanted
    back = evolve(walk, descending=not walk.descending, offset=rest, limit=wanted)
    return keys(connection, way, back)[::-1]
