"""The read side of the port, on every adapter."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.journal.base import Append, Journal
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.journal.reads import (
    AlertQuery,
    IncidentQuery,
    SearchQuery,
)
from incident_manager.actors.journal.sqlite import open_sqlite
from unit.actors.builders import (
    make_incident,
)
from unit.actors.journal.histories import (
    alert_queries,
    history_of,
    images,
    label_maps,
    queries,
    search_queries,
)

IDS = tuple(make_incident(number).id for number in range(5))


@asynccontextmanager
async def both(batches: list[list[dict[str, Any]]]) -> AsyncIterator[tuple[Journal, Journal]]:
    """The same history in both journals, appended by the same batches."""
    history = history_of([image for batch in batches for image in batch])
    with tempfile.TemporaryDirectory() as folder:
        async with open_sqlite(Path(folder, "incidents.db")) as sqlite, open_memory() as memory:
            for journal in (sqlite, memory):
                head = 0
                for batch in batches:
                    await journal.append(Append(head, history[head : head + len(batch)]))
                    head += len(batch)
            yield sqlite, memory


histories = st.lists(st.lists(images, min_size=1, max_size=5), max_size=4)


async def walk_alerts(journal: Journal, query: AlertQuery) -> list[str]:
    found: list[str] = []
    query = evolve(query, page=0)
    while True:
        page = await journal.alerts(query)
        assert page.has_previous == bool(found)
        found += [alert.id for alert in page.alerts]
        if not page.has_next:
            assert len(found) == page.total
            return found
        query = evolve(query, after=page.cursors[-1])


async def walk_search(journal: Journal, query: SearchQuery) -> list[str]:
    found: list[str] = []
    query = evolve(query, page=0)
    while True:
        page = await journal.search(query)
        assert page.has_previous == bool(found)
        found += [incident.id for incident in page.incidents]
        if not page.has_next:
            assert len(found) == page.total
            return found
        query = evolve(query, after=page.cursors[-1])


@settings(max_examples=40, deadline=None)
@given(histories, st.lists(queries, max_size=4))
async def test_stats_agree_with_pages(
    batches: list[list[dict[str, Any]]], asked: list[IncidentQuery]
) -> None:
    async with both(batches) as (sqlite, memory):
        for query in asked:
            one, other = await sqlite.stats(query), await memory.stats(query)
            assert evolve(one, bounds=other.bounds) == other
            assert one.total == (await memory.incidents(query)).total
            active = evolve(query, active_only=True)
            assert one.active == (await sqlite.incidents(active)).total


@settings(max_examples=40, deadline=None)
@given(histories, st.lists(alert_queries, max_size=4))
async def test_alerts_are_alike(
    batches: list[list[dict[str, Any]]], asked: list[AlertQuery]
) -> None:
    async with both(batches) as (sqlite, memory):
        for query in asked:
            one, other = await sqlite.alerts(query), await memory.alerts(query)
            assert evolve(one, bounds=other.bounds) == other
            assert await walk_alerts(sqlite, query) == await walk_alerts(memory, query)
            for alert in one.alerts:
                assert await sqlite.alert(alert.id) == alert == await memory.alert(alert.id)


@settings(max_examples=60, deadline=None)
@given(histories, st.lists(search_queries, max_size=6))
async def test_searches_are_alike(
    batches: list[list[dict[str, Any]]], asked: list[SearchQuery]
) -> None:
    async with both(batches) as (sqlite, memory):
        for query in asked:
            one, other = await sqlite.search(query), await memory.search(query)
            assert evolve(one, bounds=other.bounds) == other
            assert await walk_search(sqlite, query) == await walk_search(memory, query)


@settings(max_examples=40, deadline=None)
@given(histories, st.integers(1, 3), st.none() | label_maps)
async def test_what_lies_beside_is_alike(
    batches: list[list[dict[str, Any]]], first: int, labels: dict[str, str] | None
) -> None:
    async with both(batches) as (sqlite, memory):
        assert await sqlite.incidents_by_id(IDS) == await memory.incidents_by_id(IDS)
        assert await sqlite.related(IDS, first, labels) == await memory.related(IDS, first, labels)
        assert await sqlite.alerts_of(IDS, first, labels) == await memory.alerts_of(
            IDS, first, labels
        )
        after: str | None = None
        while True:
            comments = await sqlite.comments_of(IDS, first, after)
            assert comments == await memory.comments_of(IDS, first, after)
            after = next((page.cursors[-1] for page in comments.values() if page.has_next), None)
            if after is None:
                break
        while True:
            lines = await sqlite.timeline_of(IDS, first, after)
            assert lines == await memory.timeline_of(IDS, first, after)
            after = next((page.cursors[-1] for page in lines.values() if page.has_next), None)
            if after is None:
                break
