"""Search in an SQLite journal: FTS5 finds the words that ``words`` has cut.

A query is put together of words in quotes, so that nothing of the user's text is syntax. Labels
are words of a column of their own (:func:`~.words.mark`), so that bearing them is part of the
match. Rows have the number of their incident (``seq``), the order in which they came.
"""

import sqlite3
from collections.abc import Mapping, Sequence

from attrs import frozen

from incident_manager.actors.journal.place import INT64
from incident_manager.actors.journal.words import Wanted, mark, searched
from incident_manager.actors.model import Incident

__all__ = ["Hits", "find", "follow"]

_COUNT = "SELECT count(*) FROM search WHERE search MATCH ?"
_FROM = "SELECT 1 FROM search WHERE search MATCH ? AND rowid >= ? LIMIT 1"
_UPTO = """SELECT rowid FROM search WHERE search MATCH ? AND rowid < ?
    ORDER BY rowid DESC LIMIT ? OFFSET ?"""

_COLUMNS = ("title", "description", "source", "labels")


def follow(connection: sqlite3.Connection, seq: int, old: Incident | None, new: Incident) -> None:
    """Bring the row of an incident up to date; mostly it is."""
    if old is not None and all(getattr(old, name) == getattr(new, name) for name in _COLUMNS):
        return
    title, rest = searched(new)
    marks = " ".join(mark(*pair) for pair in sorted(new.labels.items()))
    if old is None:
        statement = "INSERT INTO search (title, rest, marks, rowid) VALUES (?, ?, ?, ?)"
    else:
        statement = "UPDATE search SET title = ?, rest = ?, marks = ? WHERE rowid = ?"
    connection.execute(statement, (title, rest, marks, seq))


@frozen
class Hits:
    """The keys (1 for titles or 0, seq) of a page, how many match, and what lies around it."""

    keys: Sequence[tuple[int, int]]
    total: int
    has_next: bool
    has_previous: bool


_NOTHING = Hits((), 0, has_next=False, has_previous=False)


def find(
    connection: sqlite3.Connection,
    wanted: Wanted,
    labels: Mapping[str, str],
    *,
    place: tuple[int, int] | None,
    offset: int,
    size: int,
) -> Hits:
    """A page of what matches: titles first, then the others; the last to come first."""
    try:
        marks = [mark(*pair) for pair in labels.items()]
    except UnicodeEncodeError:  # nothing bears what cannot be written
        return _NOTHING
    if not wanted:
        return _NOTHING
    titles, everything = _match(wanted, marks, "title"), _match(wanted, marks, "title rest")
    total = int(connection.execute(_COUNT, (everything,)).fetchone()[0])
    if total == 0:
        return _NOTHING
    skipped = offset > 0
    bands = ((1, titles), (0, f"({everything}) NOT ({titles})"))
    start = (2, 0) if place is None else place
    found: list[tuple[int, int]] = []
    for band, match in bands:
        if band > start[0] or len(found) > size:  # each look at a match costs
            continue
        upto = start[1] if band == start[0] else INT64
        rows = connection.execute(_UPTO, (match, upto, size + 1 - len(found), offset)).fetchall()
        found += [(band, row[0]) for row in rows]
        if rows:
            offset = 0
        elif offset and band == 1:
            offset -= int(connection.execute(_COUNT, (titles,)).fetchone()[0])
    return Hits(
        tuple(found[:size]),
        total,
        has_next=len(found) > size,
        has_previous=skipped or (place is not None and _before(connection, bands, place)),
    )


def _before(
    connection: sqlite3.Connection, bands: Sequence[tuple[int, str]], place: tuple[int, int]
) -> bool:
    """Something lies at the place or before it; mostly the item that it was made from."""
    return any(
        connection.execute(_FROM, (match, place[1] if band == place[0] else 0)).fetchone()
        for band, match in reversed(bands)
        if band >= place[0]
    )


def _match(wanted: Wanted, marks: Sequence[str], columns: str) -> str:
    """An FTS5 expression: all the words in these columns, and all the marks."""
    terms = [f'"{word}"' for word in wanted.words]
    if wanted.beginning is not None:
        terms.append(f'"{wanted.beginning}"*')
    parts = [f"{{{columns}}} : ({' AND '.join(terms)})"]
    if marks:
        quoted = " AND ".join(f'"{each}"' for each in marks)
        parts.append(f"{{marks}} : ({quoted})")
    return " AND ".join(parts)
