import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.journal.base import Append
from incident_manager.actors.journal.facets import (
    Conditions,
    Facet,
    Term,
    incident_conditions,
    incident_rows,
)
from incident_manager.actors.journal.reads import IncidentQuery
from incident_manager.actors.journal.sqlite_facets import (
    Cell,
    change_facets,
    plan,
    size_of,
)
from incident_manager.actors.journal.sqlite_file import connect, create
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS
from incident_manager.actors.journal.sqlite_write import rows_of, write
from incident_manager.actors.vocabulary import IncidentState, Severity
from unit.actors.builders import make_incident
from unit.actors.journal.histories import history_of, images


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    create(tmp_path / "db", MIGRATIONS)
    with closing(connect(tmp_path / "db")) as opened:
        yield opened


def counts(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT * FROM counts ORDER BY 1, 2, 3, 4, 5").fetchall()


def counted(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute(
        "SELECT facet, key, value, state, severity, count(*) FROM facets"
        " GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5"
    ).fetchall()


def test_counts_follow_the_rows(connection: sqlite3.Connection) -> None:
    one = make_incident(1, labels={"a": "b"})
    two = make_incident(2, labels={"a": "b"}, severity=Severity.P0)
    change_facets(connection, (), incident_rows(one) | incident_rows(two))
    assert counts(connection) == counted(connection)
    three = make_incident(1, labels={"a": "c"}, state=IncidentState.CLOSED)
    change_facets(connection, incident_rows(one), incident_rows(three))
    assert counts(connection) == counted(connection)
    change_facets(connection, incident_rows(two) | incident_rows(three), ())
    assert counts(connection) == counted(connection) == []


def test_what_stays_is_not_touched(connection: sqlite3.Connection) -> None:
    rows = incident_rows(make_incident(1))
    change_facets(connection, (), rows)
    before = connection.total_changes
    change_facets(connection, rows, rows)
    assert connection.total_changes == before


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(images, min_size=1, max_size=5), max_size=5))
def test_they_agree_after_any_history(batches: list[list[dict[str, Any]]]) -> None:
    history = history_of([image for batch in batches for image in batch])
    head = 0
    with closing(connect(Path("facets"), mode="mode=memory")) as connection:
        for statement in (each for step in MIGRATIONS for each in step):
            connection.execute(statement)
        for batch in batches:
            write(connection, head, rows_of(Append(head, history[head : head + len(batch)])))
            head += len(batch)
        assert counts(connection) == counted(connection)
        lines = "SELECT incident_id, count(*) FROM timeline GROUP BY 1 ORDER BY 1"
        kept = "SELECT id, lines FROM incidents ORDER BY 1"
        assert connection.execute(kept).fetchall() == connection.execute(lines).fetchall()


class TestPlan:
    @pytest.fixture(autouse=True)
    def filled(self, connection: sqlite3.Connection) -> None:
        rows = (
            incident_rows(
                make_incident(
                    number,
                    severity=Severity.P0 if number % 2 else Severity.P4,
                    labels={"all": "x", "own": str(number)},
                    source="few" if number < 3 else "many",
                )
            )
            for number in range(10)
        )
        change_facets(connection, (), frozenset().union(*rows))

    def test_the_rarest_term_leads(self, connection: sqlite3.Connection) -> None:
        query = IncidentQuery(labels={"all": "x", "own": "3"}, sources=frozenset({"many", "none"}))
        way = plan(connection, incident_conditions(query))
        assert way is not None
        assert way.driver == Term(Facet.LABEL, "own", ("3",))
        assert way.cells == [Cell("3", 0, 4, 1)]
        assert way.rows == 1
        assert way.others == [
            Term(Facet.SOURCE, "", ("many",)),
            Term(Facet.LABEL, "all", ("x",)),
        ]

    def test_only_cells_that_are_asked_for_are_walked(self, connection: sqlite3.Connection) -> None:
        query = IncidentQuery(severities=frozenset({Severity.P0}))
        way = plan(connection, incident_conditions(query))
        assert way is not None
        assert way.cells == [Cell("", 0, 4, 5)]

    @pytest.mark.parametrize(
        "asked",
        [
            IncidentQuery(sources=frozenset({"nobody"})),
            IncidentQuery(states=frozenset({IncidentState.CLOSED})),
            IncidentQuery(labels={"all": "x", "own": "100"}),
            IncidentQuery(assigned_to="\ud800"),
        ],
    )
    def test_no_way_where_nothing_can_match(
        self, connection: sqlite3.Connection, asked: IncidentQuery
    ) -> None:
        conditions: Conditions = incident_conditions(asked)
        assert plan(connection, conditions) is None

    def test_how_many_rows_a_term_has(self, connection: sqlite3.Connection) -> None:
        assert size_of(connection, Term(Facet.SOURCE, "", ("few", "many", "none"))) == 10
        assert size_of(connection, Term(Facet.SOURCE, "", ("few",))) == 3
