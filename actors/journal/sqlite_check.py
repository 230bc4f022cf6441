"""Is a journal's file whole: its pages, its offsets, and every table against every other.

What is found is said in words, one line each. Everything is read in one transaction, row by row;
what must be sorted or kept lies in temporary files: memory does not grow with the journal.
"""

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from itertools import chain, islice
from pathlib import Path

import msgspec
from attrs import frozen

from incident_manager.actors import answers
from incident_manager.actors.audit import audit_of
from incident_manager.actors.journal import sqlite_file
from incident_manager.actors.journal.base import Bounds, JournalError
from incident_manager.actors.journal.codec import decode_record
from incident_manager.actors.journal.sqlite_audit import audit_row, read_entries
from incident_manager.actors.journal.sqlite_backup import known_version
from incident_manager.actors.journal.sqlite_errors import read_transaction
from incident_manager.actors.journal.sqlite_index_check import indexes, marks
from incident_manager.actors.journal.sqlite_read import read_bounds
from incident_manager.actors.journal.sqlite_replay import replay, rows_alone
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS
from incident_manager.actors.journal.words import mark, words
from incident_manager.actors.veil import SECRET_BYTES

__all__ = ["Report", "check"]

_MOST = 100  # lines of what is wrong: who needs more has a backup
_COUNTED = ("events", "incidents", "alerts", "comments", "timeline", "answers", "audit")
# Without those of SQLite's own, such as what ANALYZE has left.
_OBJECTS = "SELECT type, name, sql FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
_EVENT = "SELECT body FROM events WHERE offset = ?"

Problems = Iterator[str]


@frozen
class Report:
    """What a journal's file holds, and what is wrong with it (at most 100 lines).

    ``bounds`` is None and ``counts`` empty where its pages are not whole.
    """

    version: int
    bounds: Bounds | None
    counts: Mapping[str, int]
    problems: tuple[str, ...]

    @property
    def whole(self) -> bool:
        """Nothing is wrong."""
        return not self.problems


def check(path: Path) -> Report:
    """Look through the journal's file at ``path``; it may be in use, and is not changed.

    Raises :class:`JournalError` for what is no journal, or so damaged that it cannot be opened.
    """
    version = known_version(path)
    with closing(sqlite_file.connect(path, mode=sqlite_file.look(path))) as connection:
        connection.execute("PRAGMA temp_store = FILE").close()
        with read_transaction(connection, str(path)):
            return _check(connection, version)


def _check(connection: sqlite3.Connection, version: int) -> Report:
    problems = list(islice(_said(_pages, connection), _MOST))
    if problems:  # what the pages hold means nothing where they are not whole
        return Report(version, None, {}, tuple(problems))
    current = version == len(MIGRATIONS)
    steps = (_form, _meta, _offsets, replay, rows_alone, indexes, marks, _answers, _audit)
    found = chain.from_iterable(
        _said(step, connection) for step in (steps if current else (_offsets,))
    )
    problems = list(islice(found, _MOST))
    whole = current and {("table", each) for each in _COUNTED} <= set(_objects(connection))
    counts = {each: _count(connection, each) for each in _COUNTED} if whole else {}
    return Report(version, read_bounds(connection), counts, tuple(problems))


def _objects(connection: sqlite3.Connection) -> Mapping[tuple[str, str], str | None]:
    """Every table, index, view and trigger: its kind and name, and for triggers what it does."""
    rows = connection.execute(_OBJECTS)
    return {(kind, name): sql if kind == "trigger" else None for kind, name, sql in rows}


def _form(connection: sqlite3.Connection) -> Problems:
    """What is there, against a new journal: without its guards the audit is no audit."""
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as new:
        for function, arguments in ((words, 1), (mark, 2)):
            new.create_function(function.__name__, arguments, function, deterministic=True)
        for statement in chain.from_iterable(MIGRATIONS):
            new.execute(statement).close()
        expected = _objects(new)
    found = _objects(connection)
    for each in expected:
        kind, name = each
        if each not in found:
            yield f"there is no {kind} {name}"
        elif found[each] != expected[each]:
            yield f"the {kind} {name} is not what it should be"
    yield from (f"there is a {kind} {name}" for kind, name in found.keys() - expected.keys())


def _meta(connection: sqlite3.Connection) -> Problems:
    values = dict(connection.execute("SELECT key, value FROM meta"))
    secret = values.get("secret")
    if not isinstance(secret, bytes) or len(secret) != SECRET_BYTES:
        yield f"meta: there is no secret of {SECRET_BYTES} bytes"
    if not isinstance(values.get("audit_floor"), int):
        yield "meta: there is no audit_floor"


def _said(
    step: Callable[[sqlite3.Connection], Problems], connection: sqlite3.Connection
) -> Problems:
    """What a step finds; what it cannot go on from is its last finding."""
    try:
        yield from step(connection)
    except (sqlite3.Error, JournalError) as failure:
        yield str(failure)


def _count(connection: sqlite3.Connection, table: str) -> int:
    return int(connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608  # nosec B608


def _pages(connection: sqlite3.Connection) -> Problems:
    for (line,) in connection.execute(f"PRAGMA integrity_check({_MOST})"):
        if line != "ok":
            yield f"pages: {' '.join(line.split())}"


def _offsets(connection: sqlite3.Connection) -> Problems:
    bounds = read_bounds(connection)
    if not bounds.epoch:
        yield "meta: there is no epoch"
    expected = bounds.oldest
    for (offset,) in connection.execute("SELECT offset FROM events ORDER BY offset"):
        if offset != expected:
            yield f"events: offset {offset} follows {expected - 1}"
        expected = offset + 1


def _answers(connection: sqlite3.Connection) -> Problems:
    for key, body in connection.execute("SELECT key, body FROM answers"):
        try:
            answers.decode(body)
        except msgspec.DecodeError as error:
            yield f"answers: that of {key} cannot be read: {error}"


def _audit(connection: sqlite3.Connection) -> Problems:
    expected = None
    for entry in read_entries(connection):
        if expected is not None and entry.id != expected:
            yield f"audit: entry {entry.id} follows {expected - 1}"
        expected = entry.id + 1
        if entry.offset is not None:
            row = connection.execute(_EVENT, (entry.offset,)).fetchone()
            if row is not None:
                made = audit_of(decode_record(entry.offset, row[0]))
                if audit_row(entry) != audit_row(made):
                    yield f"audit: entry {entry.id} is not what event {entry.offset} says"
    missing = connection.execute(
        "SELECT offset FROM events WHERE offset > (SELECT min(offset) FROM audit)"
        " EXCEPT SELECT offset FROM audit LIMIT ?",
        (_MOST,),
    )
    for (offset,) in missing:
        yield f"audit: event {offset} has no entry"
