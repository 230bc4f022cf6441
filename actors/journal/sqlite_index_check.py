"""Do the indexes of a journal hold what the incidents and alerts say: facets, counts, search.

Rows are compared by the sum of their hashes: order does not matter, and nothing is kept.
"""

import sqlite3
from collections.abc import Iterator

from attrs import define

from incident_manager.actors.journal.codec import decode_alert, decode_incident
from incident_manager.actors.journal.facets import alert_rows, incident_rows
from incident_manager.actors.journal.words import mark, searched
from incident_manager.actors.model import Incident

__all__ = ["indexes", "marks"]

_COLUMNS = ("title", "rest", "marks")

_BORNE = """SELECT mark(label.key, label.value), offset
        FROM events, json_each(body, '$.incident.labels') AS label
    UNION SELECT mark(label.key, label.value), offset
        FROM events, json_each(body, '$.alert.labels') AS label"""


@define
class _Sum:
    """A multiset, as far as one can tell it from another: its size, and a sum of 64-bit hashes."""

    number: int = 0
    total: int = 0

    def add(self, row: object) -> None:
        self.number += 1
        self.total = (self.total + hash(row)) & 0xFFFF_FFFF_FFFF_FFFF


def indexes(connection: sqlite3.Connection) -> Iterator[str]:
    """What the indexes hold otherwise than the bodies of incidents and alerts say."""
    facets, words = _Sum(), _Sum()
    for seq, id_, body in connection.execute("SELECT seq, id, body FROM incidents"):
        incident = decode_incident(id_, body)
        for row in incident_rows(incident):
            facets.add(row)
        texts = _texts(incident)
        for column, text in zip(_COLUMNS, texts, strict=True):
            for word in set(text.split()):
                words.add((word, seq, column))
        stored = connection.execute(
            "SELECT c0, c1, c2 FROM search_content WHERE id = ?", (seq,)
        ).fetchone()
        if stored is None or list(map(_sorted, stored)) != list(map(_sorted, texts)):
            yield f"search: the words of incident {id_} are not those of its text"
    for id_, body in connection.execute("SELECT id, body FROM alerts"):
        for row in alert_rows(decode_alert(id_, body)):
            facets.add(row)
    yield from _facets(connection, facets)
    yield from _search(connection, words)


def _texts(incident: Incident) -> tuple[str, str, str]:
    marks = " ".join(mark(*pair) for pair in incident.labels.items())
    return (*searched(incident), marks)


def _sorted(text: str) -> list[str]:
    return sorted(text.split())


def _facets(connection: sqlite3.Connection, expected: _Sum) -> Iterator[str]:
    found = _Sum()
    for row in connection.execute("SELECT * FROM facets"):
        found.add(row)
    if found != expected:
        yield (
            f"facets: its {found.number} rows are not the {expected.number} that incidents and"
            " alerts make"
        )
    sizes = "SELECT facet, key, value, state, severity, count(*) FROM facets GROUP BY 1, 2, 3, 4, 5"
    for one, other in ((sizes, "SELECT * FROM counts"), ("SELECT * FROM counts", sizes)):
        for row in connection.execute(f"{one} EXCEPT {other} LIMIT 10"):
            yield f"counts: {row[:5]} has another size than {row[5]}"


def _search(connection: sqlite3.Connection, expected: _Sum) -> Iterator[str]:
    """FTS5's own check would write; what it has indexed can be read as a table, though."""
    connection.execute(
        "CREATE VIRTUAL TABLE temp.indexed USING fts5vocab(main, search, 'instance')"
    ).close()
    found = _Sum()
    for row in connection.execute("SELECT term, doc, col FROM temp.indexed"):
        found.add(tuple(row))
    if found != expected:
        yield (
            f"search: its index of {found.number} words is not that of the {expected.number} that"
            " incidents have"
        )


def marks(connection: sqlite3.Connection) -> Iterator[str]:
    """By what the confined find events, against the labels that these bear."""
    borne, kept = f"SELECT * FROM ({_BORNE})", "SELECT mark, offset FROM event_marks"  # noqa: S608  # nosec B608
    for one, other, what in ((borne, kept, "is missing"), (kept, borne, "is of no label")):
        for _, offset in connection.execute(f"{one} EXCEPT {other} LIMIT 10"):
            yield f"event_marks: a mark of event {offset} {what}"
