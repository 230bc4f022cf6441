"""The index of facets in an SQLite journal: how it is kept and counted, and where to start."""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Sequence

from attrs import frozen

from incident_manager.actors.journal.facets import Conditions, Facet, FacetRow, Term

__all__ = ["Cell", "Plan", "change_facets", "plan", "rows_of", "size_of"]


_ADD = "INSERT INTO facets VALUES (?, ?, ?, ?, ?, ?, ?)"
_REMOVE = """DELETE FROM facets WHERE facet = ? AND key = ? AND value = ? AND state = ?
    AND severity = ? AND time = ? AND id = ?"""
_COUNT = """INSERT INTO counts VALUES (?, ?, ?, ?, ?, ?)
    ON CONFLICT (facet, key, value, state, severity) DO UPDATE SET n = n + excluded.n"""
_FORGET = """DELETE FROM counts WHERE facet = ? AND key = ? AND value = ? AND state = ?
    AND severity = ? AND n = 0"""

_KEPT = "SELECT state, severity, n FROM counts WHERE facet = ? AND key = ? AND value = ?"
_COUNTED = """SELECT state, severity, count(*) FROM alert_incidents
    WHERE facet = ? AND key = ? AND value = ? GROUP BY state, severity"""


def change_facets(
    connection: sqlite3.Connection, old: Iterable[FacetRow], new: Iterable[FacetRow]
) -> None:
    """Replace rows by others, and keep the counts."""
    before, after = frozenset(old), frozenset(new)
    gone, come = before - after, after - before
    if gone or come:
        connection.executemany(_REMOVE, sorted(gone))
        connection.executemany(_ADD, sorted(come))
        counts = Counter(row[:5] for row in come)
        counts.subtract(row[:5] for row in gone)
        connection.executemany(_COUNT, sorted((*cell, n) for cell, n in counts.items() if n))
        connection.executemany(_FORGET, (cell for cell, n in counts.items() if n < 0))


@frozen
class Cell:
    """A stretch of the index in order of time and id, and how many rows it has."""

    value: str
    state: int
    severity: int
    n: int


@frozen
class Plan:
    """How conditions are met: walk the cells of the rarest term, and look for the others."""

    asked: Conditions
    driver: Term
    cells: Sequence[Cell]
    others: Sequence[Term]

    @property
    def rows(self) -> int:
        """How many rows are walked at most."""
        return sum(cell.n for cell in self.cells)


def plan(connection: sqlite3.Connection, asked: Conditions) -> Plan | None:
    """The way to what is asked; None if nothing can match."""
    if asked.own:
        return _plan_own(connection, asked)
    found = [(term, _cells(connection, term, asked)) for term in asked.terms]
    if not all(cells for _, cells in found):
        return None
    driver, cells = min(found, key=lambda each: sum(cell.n for cell in each[1]))
    others = [
        # Values that nothing bears need not be looked for.
        Term(term.facet, term.key, tuple(sorted({cell.value for cell in theirs})))
        for term, theirs in found
        if term is not driver
    ]
    return Plan(asked, driver, cells, others)


def _plan_own(connection: sqlite3.Connection, asked: Conditions) -> Plan | None:
    """Along the caller's own rows: what others have makes the way neither shorter nor longer."""
    if not all(term.values for term in (*asked.terms, *asked.own)):
        return None
    found = [(term, _cells(connection, term, asked)) for term in asked.own]
    driver, cells = min(found, key=lambda each: sum(cell.n for cell in each[1]))
    others = [*asked.terms, *(term for term in asked.own if term is not driver)]
    return Plan(asked, driver, cells, others) if cells else None


def rows_of(facet: Facet) -> str:
    """The table (or view) that has the rows of a facet."""
    return "alert_incidents" if facet is Facet.ALERT_INCIDENT else "facets"


def _cells(connection: sqlite3.Connection, term: Term, asked: Conditions) -> list[Cell]:
    sizes = _COUNTED if term.facet is Facet.ALERT_INCIDENT else _KEPT
    return [
        Cell(value, state, severity, n)
        for value in term.values
        for state, severity, n in connection.execute(sizes, (term.facet, term.key, value))
        if state in asked.states and severity in asked.severities
    ]


def size_of(connection: sqlite3.Connection, term: Term) -> int:
    """How many rows a term has in all."""
    return sum(
        n
        for value in term.values
        for _, _, n in connection.execute(_KEPT, (term.facet, term.key, value))
    )
