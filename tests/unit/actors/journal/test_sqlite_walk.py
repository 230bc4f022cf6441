"""How the query surface is answered: by steps into indexes, whatever is asked."""

import re
import sqlite3
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve

from incident_manager.actors.journal.reads import (
    AlertQuery,
    IncidentQuery,
    SearchQuery,
    SortField,
)
from incident_manager.actors.journal.sqlite import SqliteJournal, open_sqlite
from incident_manager.actors.vocabulary import IncidentState, IncidentType, Kind, Severity
from unit.actors.builders import (
    START,
    change,
    make_alert,
    make_comment,
    make_incident,
    make_record,
    write,
)

ALLOWED = (
    (r"SCAN CONSTANT ROW$", "no table"),
    (r"SCAN \w+ VIRTUAL TABLE INDEX 1:", "json_each: the ids that were asked for"),
    (r"SCAN main\.search_config$", "FTS5 reads its few settings"),
    (r"SCAN search VIRTUAL TABLE INDEX \S*M", "FTS5 by its own index"),
    (r"SCAN w$", "the ids that were asked for, with their totals"),
    (
        r"SCAN f USING COVERING INDEX incidents_updated$",
        "no place yet: it starts at the newest, and stops at the limit",
    ),
)
"""What EXPLAIN QUERY PLAN may call a scan, and why it is none of a table."""


def scans(connection: sqlite3.Connection, statement: str) -> list[str]:
    """The steps of a statement that look at every row of something."""
    plan = [row[3] for row in connection.execute(f"EXPLAIN QUERY PLAN {statement}")]
    return [
        step
        for step in plan
        if step.startswith("SCAN") and not any(re.match(form, step) for form, _ in ALLOWED)
    ]


HISTORY = [
    make_record(
        number,
        incident := make_incident(
            number,
            state=list(IncidentState)[number % 6],
            severity=list(Severity)[number % 5],
            source=f"source {number % 7}",
            updated_at=START + number * 7 % 100,
            labels={"tenant": "acme", "third": str(number % 3), "own": str(number)},
            assignees=("kim",) if number % 2 else (),
        ),
        alert=make_alert(number, incident, source=incident.source, labels=incident.labels),
        kind=Kind.ALERT,
    )
    for number in range(1, 301)
]
FIRST = HISTORY[0].incident
assert FIRST is not None
IDS = [make_incident(number).id for number in (1, 2, 3)]


@pytest.fixture
async def journal(tmp_path: Path) -> AsyncIterator[SqliteJournal]:
    async with open_sqlite(tmp_path / "db", readers=1) as opened:
        await write(opened, *HISTORY)
        comment = evolve(change(301, FIRST, Kind.COMMENT), comment=make_comment(1))
        link = evolve(change(302, FIRST, Kind.LINK), related_id=IDS[1])
        await write(opened, comment, link)
        yield opened


conditions: list[dict[str, Any]] = [
    {},
    {"active_only": True},
    {"active_only": True, "severities": frozenset({Severity.P0, Severity.P1})},
    {"states": frozenset({IncidentState.NEW, IncidentState.CLOSED})},
    {"sources": frozenset({"source 1"})},
    {"sources": frozenset(f"source {number}" for number in range(7))},
    {"types": frozenset({IncidentType.PERFORMANCE})},
    {"assigned_to": "kim"},
    {"labels": {"tenant": "acme"}},
    {"labels": {"tenant": "acme", "own": "7"}},
    {"labels": {"tenant": "acme", "third": "1"}, "assigned_to": "kim"},
    {"created_after": START, "created_before": START + 10**9},
    {"labels": {"third": "1"}, "created_after": START, "active_only": True},
    {"selectors": {"tenant": "acme"}},
    {"selectors": {"tenant": "acme", "third": "1"}, "sources": frozenset({"source 1"})},
    {"selectors": {"third": "1"}, "labels": {"tenant": "acme"}, "assigned_to": "kim"},
]


async def asked(
    journal: SqliteJournal, call: Callable[..., Awaitable[object]], *given: object
) -> list[str]:
    """The statements that a call makes."""
    statements: list[str] = []
    (connection,) = journal._readers
    connection.set_trace_callback(statements.append)
    await call(*given)
    connection.set_trace_callback(None)
    return [each for each in statements if each.startswith(("SELECT", "WITH"))]


async def no_scans(
    journal: SqliteJournal, call: Callable[..., Awaitable[object]], *given: object
) -> None:
    statements = await asked(journal, call, *given)
    assert statements
    for statement in statements:
        assert scans(journal._writer.connection, statement) == [], statement


@pytest.mark.parametrize("sort", SortField)
@pytest.mark.parametrize("given", conditions)
async def test_a_page_of_incidents_scans_nothing(
    journal: SqliteJournal, given: dict[str, Any], sort: SortField
) -> None:
    query = IncidentQuery(**given, sort=sort, size=1)
    await no_scans(journal, journal.incidents, query)
    cursor = (await journal.incidents(query)).cursors[-1]
    await no_scans(journal, journal.incidents, evolve(query, after=cursor))
    await no_scans(journal, journal.stats, query)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"sources": frozenset({"source 1", "source 2"})},
        {"severities": frozenset({Severity.P2})},
        {"incident_id": IDS[0]},
        {"labels": {"tenant": "acme", "third": "1"}},
        {"received_after": START, "incident_id": IDS[0]},
        {"selectors": {"tenant": "acme"}},
        {"selectors": {"third": "1", "tenant": "acme"}, "incident_id": IDS[0]},
    ],
)
async def test_a_page_of_alerts_scans_nothing(
    journal: SqliteJournal, given: dict[str, Any]
) -> None:
    query = AlertQuery(**given, size=1)
    await no_scans(journal, journal.alerts, query)
    cursors = (await journal.alerts(query)).cursors
    for cursor in cursors:
        await no_scans(journal, journal.alerts, evolve(query, after=cursor))


async def test_the_events_of_some_labels_are_found_without_a_scan(journal: SqliteJournal) -> None:
    for selectors in ((("own", "7"),), (("tenant", "acme"), ("third", "1"))):
        await no_scans(journal, journal.read_bearing, selectors, 5, 3)
    statements = await asked(journal, journal.read_bearing, (("own", "7"),), 0, 9)
    assert (await journal.read_bearing((("own", "7"),), 0, 9)).records == (HISTORY[6],)
    assert not any("json" in each for each in statements)


async def test_what_others_have_makes_the_way_of_the_confined_no_other(
    journal: SqliteJournal,
) -> None:
    """The statements that are made hang on what is one's own alone, and not on whether anybody
    has what is asked for besides.
    """
    for theirs in ("source 1", "source nobody has"):
        query = IncidentQuery(
            selectors={"own": "7"}, sources=frozenset({theirs}), sort=SortField.UPDATED_AT
        )
        statements = await asked(journal, journal.incidents, query)
        stripped = [each.replace(theirs, "") for each in statements]
        other = await asked(journal, journal.incidents, evolve(query, sources=frozenset({"x"})))
        assert stripped == [each.replace("'x'", "''") for each in other]


async def test_a_search_scans_nothing(journal: SqliteJournal) -> None:
    for query in (SearchQuery("slow ch"), SearchQuery("above", labels={"own": "7"})):
        await no_scans(journal, journal.search, query)
        cursor = (await journal.search(query)).cursors[0]
        await no_scans(journal, journal.search, evolve(query, after=cursor))


async def test_what_lies_beside_is_one_query_without_a_scan(journal: SqliteJournal) -> None:
    ids, labels = IDS, {"tenant": "acme", "third": "1"}
    calls: list[tuple[Callable[..., Awaitable[object]], Any]] = [
        (journal.incident, [ids[0]]),
        (journal.alert, ["nobody"]),
        (journal.incidents_by_id, [ids]),
        (journal.related, [ids, 5]),
        (journal.related, [ids, 5, labels]),
        (journal.alerts_of, [ids, 5]),
        (journal.alerts_of, [ids, 5, labels]),
        (journal.comments_of, [ids, 5]),
        (journal.timeline_of, [ids, 5]),
    ]
    for call, given in calls:
        await no_scans(journal, call, *given)
        assert len(await asked(journal, call, *given)) == 1
    comments, timeline = await journal.comments_of(ids, 1), await journal.timeline_of(ids, 1)
    assert comments[ids[0]].comments
    assert timeline[ids[0]].entries
    await no_scans(journal, journal.comments_of, ids, 1, comments[ids[0]].cursors[0])
    await no_scans(journal, journal.timeline_of, ids, 1, timeline[ids[0]].cursors[0])


async def test_the_events_are_read_without_a_scan(journal: SqliteJournal) -> None:
    await no_scans(journal, journal.read_after, 10, 5)


async def test_a_scan_would_be_seen(journal: SqliteJournal) -> None:
    for statement in (
        "SELECT count(*) FROM incidents",
        "SELECT body FROM alerts WHERE severity = 1",
        "SELECT * FROM facets WHERE id = 'x'",
        "SELECT n FROM counts WHERE n > 7",
        "SELECT body FROM timeline WHERE offset = 1",
    ):
        assert scans(journal._writer.connection, statement)


async def test_more_cells_than_are_merged_are_in_order_too(journal: SqliteJournal) -> None:
    everywhere = frozenset(f"source {number}" for number in range(7))
    for sort in SortField:
        every = IncidentQuery(sort=sort, size=100)
        spread = evolve(every, sources=everywhere)
        assert await journal.incidents(spread) == await journal.incidents(every)
        cursor = (await journal.incidents(every)).cursors[-1]
        assert await journal.incidents(evolve(spread, after=cursor)) == await journal.incidents(
            evolve(every, after=cursor)
        )


@pytest.mark.parametrize("descending", [True, False])
async def test_every_cell_may_lie_before_a_place(journal: SqliteJournal, descending: bool) -> None:
    last = Severity.P4 if descending else Severity.P0
    other = Severity.P0 if descending else Severity.P4
    query = IncidentQuery(
        severities=frozenset({last}), sort=SortField.SEVERITY, descending=descending
    )
    cursor = (await journal.incidents(query)).cursors[-1]
    page = await journal.incidents(
        evolve(query, severities=frozenset({other}), after=cursor, size=1)
    )
    assert (page.incidents, page.total) == ((), 60)
    assert (page.has_next, page.has_previous) == (False, True)


@pytest.mark.parametrize("sort", SortField)
async def test_a_page_is_counted_from_the_nearer_end(
    journal: SqliteJournal, sort: SortField
) -> None:
    whole = [
        incident
        for page in range(3)
        for incident in (
            await journal.incidents(IncidentQuery(sort=sort, size=100, page=page))
        ).incidents
    ]
    assert len(whole) == 300
    for page, size in ((0, 7), (20, 7), (21, 7), (42, 7), (43, 7), (29, 10), (30, 10), (99, 99)):
        found = await journal.incidents(IncidentQuery(sort=sort, size=size, page=page))
        assert list(found.incidents) == whole[page * size : (page + 1) * size]
        assert found.has_next == ((page + 1) * size < 300)
        assert found.has_previous == (page > 0)
