"""Walking the index of facets in an SQLite journal: how many match, and which come first.

The cells of a plan are stretches of one index, each in order already: SQLite merges them and
stops at the limit. Only the order of changes (UPDATED_AT), which no cell has, may need a sort.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from attrs import field, frozen

from incident_manager.actors.journal.facets import Facet, Term
from incident_manager.actors.journal.place import PlaceKey
from incident_manager.actors.journal.reads import SortField
from incident_manager.actors.journal.sqlite_facets import Cell, Plan, rows_of, size_of

__all__ = ["Tally", "Walk", "keys", "tally"]

Tally = Mapping[tuple[int, int], int]
"""How many by state and severity."""

_MERGED = 60
"""More cells than this are sorted together instead."""

_LEAD: Mapping[SortField, str] = {SortField.SEVERITY: "severity", SortField.STATE: "state"}
"""What a cell is sorted by as a whole."""


@frozen
class Walk:
    """In what order to walk, from where, and how far.

    ``place`` is the sort key to begin behind, or with where ``inclusive``.
    """

    sort: SortField
    descending: bool
    place: PlaceKey | None
    offset: int
    limit: int
    inclusive: bool = False

    @property
    def beyond(self) -> str:
        """How a sort key compares with the place behind which it lies."""
        return ("<" if self.descending else ">") + "=" * self.inclusive

    def order(self, columns: Sequence[str]) -> str:
        """The order by these columns."""
        direction = "DESC" if self.descending else "ASC"
        return f"ORDER BY {', '.join(f'{column} {direction}' for column in columns)}"


@frozen
class _Values:
    """The values that a statement binds, by names that it is given for them."""

    named: dict[str, object] = field(factory=dict)

    def name(self, value: object) -> str:
        name = f"v{len(self.named)}"
        self.named[name] = value
        return f":{name}"

    def any_of(self, values: Iterable[object]) -> str:
        return f"({', '.join(self.name(value) for value in values)})"


def tally(connection: sqlite3.Connection, plan: Plan) -> Tally:
    """How many match, by state and severity; without a look at them where the counts say it."""
    found: Counter[tuple[int, int]] = Counter()
    counted = not plan.others and plan.asked.since is None and plan.asked.until is None
    for cell in plan.cells:
        found[cell.state, cell.severity] += cell.n if counted else _count(connection, plan, cell)
    return found


def _count(connection: sqlite3.Connection, plan: Plan, cell: Cell) -> int:
    values = _Values()
    select = _cell(values, plan, cell, "count(*)", _common(values, plan, "f.time"))
    return int(connection.execute(select, values.named).fetchone()[0])


def keys(connection: sqlite3.Connection, plan: Plan, walk: Walk) -> list[PlaceKey]:
    """The sort keys of what the walk meets, in its order; each has the id last."""
    values = _Values()
    text = (
        _by_change(connection, values, plan, walk)
        if walk.sort is SortField.UPDATED_AT
        else _by_cells(values, plan, walk)
    )
    if text is None:
        return []
    tail = f" LIMIT {values.name(walk.limit)} OFFSET {values.name(walk.offset)}"
    return connection.execute(text + tail, values.named).fetchall()


def _by_cells(values: _Values, plan: Plan, walk: Walk) -> str | None:
    lead = _LEAD.get(walk.sort)
    columns = [*([lead] if lead else []), "time", "id"]
    common = _common(values, plan, "f.time")
    cells = [(cell, _after(cell, walk, lead)) for cell in plan.cells]
    cells = [(cell, place) for cell, place in cells if place is not None]
    if not cells:
        return None
    if len(cells) > _MERGED:
        behind = _behind(values, walk, [f"f.{column}" for column in columns])
        return f"{_sorted(values, plan, columns, [*common, *behind])} {walk.order(columns)}"
    behind = _behind(values, walk, ["f.time", "f.id"], 1 if lead else 0)
    selects = [
        _cell(values, plan, cell, ", ".join(columns), [*common, *(behind if compare else [])])
        for cell, compare in cells
    ]
    return f"{' UNION ALL '.join(selects)} {walk.order(columns)}"


def _after(cell: Cell, walk: Walk, lead: str | None) -> bool | None:
    """Whether the place lies inside the cell; None if the cell lies before it."""
    if walk.place is None or lead is None:
        return walk.place is not None
    mine, place = getattr(cell, lead), walk.place[0]
    if mine == place:
        return True
    return False if (mine < place) == walk.descending else None


def _cell(values: _Values, plan: Plan, cell: Cell, what: str, conditions: Iterable[str]) -> str:
    """The rows of one cell; a statement of this module's own words, like all here."""
    where = " AND ".join(
        (
            _of(values, plan.driver),
            f"f.value = {values.name(cell.value)}",
            f"f.state = {values.name(cell.state)}",
            f"f.severity = {values.name(cell.severity)}",
            *conditions,
        )
    )
    return f"SELECT {what} FROM {rows_of(plan.driver.facet)} AS f WHERE {where}"  # noqa: S608  # nosec B608


def _sorted(values: _Values, plan: Plan, columns: Iterable[str], more: Iterable[str]) -> str:
    """The rows of all cells at once."""
    where = " AND ".join((*_all_cells(values, plan), *more))
    what, rows = ", ".join(columns), rows_of(plan.driver.facet)
    return f"SELECT {what} FROM {rows} AS f WHERE {where}"  # noqa: S608  # nosec B608


def _all_cells(values: _Values, plan: Plan) -> Sequence[str]:
    return (
        _of(values, plan.driver),
        f"f.value IN {values.any_of(sorted({cell.value for cell in plan.cells}))}",
        f"f.state IN {values.any_of(sorted({cell.state for cell in plan.cells}))}",
        f"f.severity IN {values.any_of(sorted({cell.severity for cell in plan.cells}))}",
    )


def _of(values: _Values, term: Term) -> str:
    return f"f.facet = {values.name(int(term.facet))} AND f.key = {values.name(term.key)}"


def _behind(values: _Values, walk: Walk, columns: Sequence[str], skip: int = 0) -> list[str]:
    if walk.place is None:
        return []
    place = values.any_of(walk.place[skip:])
    return [f"({', '.join(columns)}) {walk.beyond} {place}"]


def _common(values: _Values, plan: Plan, time: str) -> Sequence[str]:
    """What must hold in every cell: the bounds of time, and the other terms."""
    asked, found = plan.asked, []
    if asked.since is not None:
        found.append(f"{time} > {values.name(asked.since)}")
    if asked.until is not None:
        found.append(f"{time} < {values.name(asked.until)}")
    return [*found, *(_probe(values, term, time) for term in plan.others)]


def _probe(values: _Values, term: Term, time: str) -> str:
    """The incident or alert ``f`` has a row of the term, too: one step into the index."""
    return (
        f"EXISTS (SELECT 1 FROM {rows_of(term.facet)} AS g"  # noqa: S608  # nosec B608
        f" WHERE g.facet = {values.name(int(term.facet))}"
        f" AND g.key = {values.name(term.key)} AND g.value IN {values.any_of(term.values)}"
        f" AND g.state = f.state AND g.severity = f.severity AND g.time = {time} AND g.id = f.id)"
    )


_CHANGED = ("updated_at", "created_at", "id")


def _by_change(connection: sqlite3.Connection, values: _Values, plan: Plan, walk: Walk) -> str:
    """By the time of the last change: sort what matches if it is little, else look through all
    in that order. With evenly spread matches both cost the same at rows² = all * wanted. What is
    a confined caller's own is always sorted.
    """
    everything = size_of(connection, Term(Facet.INCIDENT, "", ("",)))
    few = bool(plan.asked.own) or plan.rows**2 <= everything * (walk.offset + walk.limit)
    columns = [f"{'i' if few else 'f'}.{column}" for column in _CHANGED]
    behind = _behind(values, walk, columns)
    what = ", ".join(columns)
    if few:
        where = " AND ".join((*_all_cells(values, plan), *_common(values, plan, "f.time"), *behind))
        text = (
            f"SELECT {what} FROM facets AS f CROSS JOIN incidents AS i ON i.id = f.id"  # noqa: S608  # nosec B608
            f" WHERE {where}"
        )
    else:
        asked, driver = plan.asked, plan.driver
        value = tuple(sorted({cell.value for cell in plan.cells}))
        own = [_probe(values, Term(driver.facet, driver.key, value), "f.created_at")]
        where = " AND ".join(
            (
                f"f.state IN {values.any_of(sorted(asked.states))}",
                f"f.severity IN {values.any_of(sorted(asked.severities))}",
                *(own if driver.facet is not Facet.INCIDENT else []),
                *_common(values, plan, "f.created_at"),
                *behind,
            )
        )
        text = f"SELECT {what} FROM incidents AS f INDEXED BY incidents_updated WHERE {where}"  # noqa: S608  # nosec B608
    return f"{text} {walk.order(columns)}"
