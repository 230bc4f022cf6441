"""What lies beside incidents in an SQLite journal: each for any number of them in one query."""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from incident_manager.actors.journal.codec import (
    decode_alert,
    decode_comment,
    decode_incident,
    decode_timeline,
)
from incident_manager.actors.journal.facets import Facet, label_terms, storable
from incident_manager.actors.journal.place import INT64, PlaceKey, decode_place, encode_place
from incident_manager.actors.journal.query import COMMENTS, TIMELINE
from incident_manager.actors.journal.reads import CommentPage, TimelinePage
from incident_manager.actors.model import Alert, Incident

__all__ = [
    "read_alerts",
    "read_alerts_of",
    "read_comments_of",
    "read_incidents",
    "read_related",
    "read_timeline_of",
]

# For each id one step into an index that has what is wanted in order, and only then the bodies.
# Every statement is one text whatever the ids are: they come as one JSON array.
_INCIDENTS = """SELECT i.id, i.body FROM json_each(:ids) AS w
    CROSS JOIN incidents AS i ON i.id = w.value"""
_ALERTS_BY_ID = """SELECT a.id, a.body FROM json_each(:ids) AS w
    CROSS JOIN alerts AS a ON a.id = w.value"""
_RELATED = """SELECT w.value, i.id, i.body FROM json_each(:ids) AS w
    CROSS JOIN links AS l ON l.incident_id = w.value
    CROSS JOIN incidents AS i ON i.id = l.related_id
    WHERE l.related_id IN (
        SELECT k.related_id FROM links AS k INDEXED BY links_order
        CROSS JOIN incidents AS f ON f.id = k.related_id
        WHERE k.incident_id = w.value {labels}
        ORDER BY k.offset DESC, k.related_id DESC LIMIT :first)
    ORDER BY w.key, l.offset DESC, l.related_id DESC"""
_ALERTS = """SELECT w.value, a.id, a.body FROM json_each(:ids) AS w
    CROSS JOIN alerts AS a ON a.id IN (
        SELECT f.id FROM alerts AS f WHERE f.incident_id = w.value {labels}
        ORDER BY f.received_at DESC, f.id DESC LIMIT :first)
    ORDER BY w.key, a.received_at DESC, a.id DESC"""
_COMMENTS = """WITH w AS MATERIALIZED (
        SELECT key, value, (SELECT count(*) FROM comments WHERE incident_id = value) AS total
        FROM json_each(:ids))
    SELECT w.value, w.total, c.created_at, c.id, c.body FROM w
    LEFT JOIN comments AS c ON c.id IN (
        SELECT k.id FROM comments AS k
        WHERE k.incident_id = w.value AND (k.created_at, k.id) > (:one, :two)
        ORDER BY k.created_at, k.id LIMIT :first)
    ORDER BY w.key, c.created_at, c.id"""
_TIMELINE = """WITH w AS MATERIALIZED (
        SELECT key, value, (SELECT lines FROM incidents WHERE id = value) AS total
        FROM json_each(:ids))
    SELECT w.value, w.total, t.offset, t.seq, t.body FROM w
    LEFT JOIN timeline AS t ON t.incident_id = w.value AND (t.offset, t.seq) IN (
        SELECT k.offset, k.seq FROM timeline AS k
        WHERE k.incident_id = w.value AND (k.offset, k.seq) > (:one, :two)
        ORDER BY k.offset, k.seq LIMIT :first)
    ORDER BY w.key, t.offset, t.seq"""
_BEARS = """AND EXISTS (SELECT 1 FROM facets AS g WHERE g.facet = {facet:d} AND g.key = :k{n}
    AND g.value = :v{n} AND g.state = {state} AND g.severity = f.severity AND g.time = f.{time}
    AND g.id = f.id)"""


def read_incidents(connection: sqlite3.Connection, ids: Iterable[str]) -> Mapping[str, Incident]:
    """The incidents as they are now, those that are known, in the order of the ids."""
    rows = connection.execute(_INCIDENTS, {"ids": _array(ids)})
    return {each: decode_incident(each, body) for each, body in rows}


def read_alerts(connection: sqlite3.Connection, ids: Iterable[str]) -> Mapping[str, Alert]:
    """The alerts that are known, in the order of the ids."""
    rows = connection.execute(_ALERTS_BY_ID, {"ids": _array(ids)})
    return {each: decode_alert(each, body) for each, body in rows}


def read_related(
    connection: sqlite3.Connection, ids: Iterable[str], first: int, labels: Mapping[str, str] | None
) -> Mapping[str, tuple[Incident, ...]]:
    """See the port."""
    wanted = tuple(ids)
    found: dict[str, list[Incident]] = {each: [] for each in wanted}
    for owner, each, body in _bearing(connection, _RELATED, Facet.LABEL, wanted, first, labels):
        found[owner].append(decode_incident(each, body))
    return {owner: tuple(each) for owner, each in found.items()}


def read_alerts_of(
    connection: sqlite3.Connection, ids: Iterable[str], first: int, labels: Mapping[str, str] | None
) -> Mapping[str, tuple[Alert, ...]]:
    """See the port."""
    wanted = tuple(ids)
    found: dict[str, list[Alert]] = {each: [] for each in wanted}
    for owner, each, body in _bearing(
        connection, _ALERTS, Facet.ALERT_LABEL, wanted, first, labels
    ):
        found[owner].append(decode_alert(each, body))
    return {owner: tuple(each) for owner, each in found.items()}


def _bearing(
    connection: sqlite3.Connection,
    statement: str,
    facet: Facet,
    ids: Iterable[str],
    first: int,
    labels: Mapping[str, str] | None,
) -> Iterator[tuple[str, str, str]]:
    """The rows of a statement whose ``f`` bear all the labels."""
    terms = label_terms(facet, labels or {})
    if not all(term.values for term in terms):
        return iter(())
    state, time = ("f.state", "created_at") if facet is Facet.LABEL else ("0", "received_at")
    probes = [_BEARS.format(facet=facet, n=n, state=state, time=time) for n, _ in enumerate(terms)]
    values = {"ids": _array(ids), "first": first}
    for n, term in enumerate(terms):
        values |= {f"k{n}": term.key, f"v{n}": term.values[0]}
    return connection.execute(statement.format(labels=" ".join(probes)), values)


def read_comments_of(
    connection: sqlite3.Connection, ids: Iterable[str], first: int, after: str | None
) -> Mapping[str, CommentPage]:
    """See the port."""
    wanted = tuple(ids)
    place = (-1 - INT64, "") if after is None else decode_place(after, COMMENTS, [int, str])
    found = _grouped(connection, _COMMENTS, wanted, first, place)
    return {
        owner: CommentPage(
            tuple(decode_comment(each, body) for _, each, body in rows[:first]),
            tuple(encode_place(COMMENTS, row[:2]) for row in rows[:first]),
            total,
            len(rows) > first,
        )
        for owner, (total, rows) in found.items()
    }


def read_timeline_of(
    connection: sqlite3.Connection, ids: Iterable[str], first: int, after: str | None
) -> Mapping[str, TimelinePage]:
    """See the port."""
    wanted = tuple(ids)
    place = (0, 0) if after is None else decode_place(after, TIMELINE, [int, int])
    found = _grouped(connection, _TIMELINE, wanted, first, place)
    return {
        owner: TimelinePage(
            tuple(decode_timeline(offset, body) for offset, _, body in rows[:first]),
            tuple(encode_place(TIMELINE, row[:2]) for row in rows[:first]),
            total,
            len(rows) > first,
        )
        for owner, (total, rows) in found.items()
    }


_Row = tuple[Any, Any, str]


def _grouped(
    connection: sqlite3.Connection, statement: str, ids: Iterable[str], first: int, place: PlaceKey
) -> Mapping[str, tuple[int, list[_Row]]]:
    """For each id its total, and one row more than wanted where there are more."""
    found: dict[str, tuple[int, list[_Row]]] = {each: (0, []) for each in ids}
    values = {"ids": _array(found), "first": first + 1, "one": place[0], "two": place[1]}
    for owner, total, *row in connection.execute(statement, values):
        rows = found[owner][1]
        found[owner] = (total or 0, rows)
        if row[0] is not None:
            rows.append((row[0], row[1], row[2]))
    return found


def _array(ids: Iterable[str]) -> str:
    """The ids as a JSON array, each once; without those that no row can have."""
    return msgspec.json.encode([each for each in dict.fromkeys(ids) if _possible(each)]).decode()


def _possible(text: str) -> bool:
    # SQLite would cut a string of JSON at NUL, and find another.
    return "\0" not in text and storable(text)
