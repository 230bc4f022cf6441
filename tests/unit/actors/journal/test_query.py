"""Pages of incidents: alike on every adapter, whatever the history and the query."""

import base64
import tempfile
from pathlib import Path
from typing import Any

import msgspec
import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.journal.base import (
    Append,
    IncidentPage,
    IncidentQuery,
    Journal,
    SortField,
)
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.journal.query import decode_after, encode_after, sort_key
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.model import Incident
from incident_manager.actors.vocabulary import (
    IncidentState,
    IncidentType,
    Severity,
)
from unit.actors.builders import (
    START,
    change,
    make_incident,
    make_record,
    write,
)
from unit.actors.journal.histories import history_of, images, needs, queries


async def numbers(journal: Journal, **conditions: Any) -> list[int]:
    """The numbers of the incidents that the query finds, in its order."""
    page = await journal.incidents(IncidentQuery(**conditions))
    return [int(incident.id[-12:]) for incident in page.incidents]


async def fill(journal: Journal, *incidents: Incident) -> None:
    await write(journal, *[make_record(n, each) for n, each in enumerate(incidents, start=1)])


VARIOUS = (
    make_incident(
        1,
        severity=Severity.P0,
        labels={"tenant": "acme", "team": "pay"},
        assignees=("rae", "kim"),
    ),
    make_incident(2, state=IncidentState.RESOLVED, labels={"tenant": "acme"}),
    make_incident(3, state=IncidentState.CLOSED, assignees=("kim",), source="grafana"),
    make_incident(4, incident_type=IncidentType.COST, labels={"tenant": "other"}),
)


class TestConditions:
    @pytest.mark.parametrize(
        ("conditions", "expected"),
        [
            ({}, [1, 2, 3, 4]),
            ({"states": frozenset({IncidentState.NEW})}, [1, 4]),
            ({"states": frozenset({IncidentState.CLOSED, IncidentState.RESOLVED})}, [2, 3]),
            ({"severities": frozenset({Severity.P0})}, [1]),
            ({"sources": frozenset({"grafana", "nobody"})}, [3]),
            ({"types": frozenset({IncidentType.COST})}, [4]),
            ({"active_only": True}, [1, 4]),
            ({"assigned_to": "kim"}, [1, 3]),
            ({"assigned_to": ""}, []),
            ({"labels": {"tenant": "acme"}}, [1, 2]),
            ({"labels": {"tenant": "acme", "team": "pay"}}, [1]),
            ({"labels": {"tenant": "' OR 1 = 1 --"}}, []),
            ({"created_after": make_incident(2).created_at}, [3, 4]),
            ({"created_before": make_incident(2).created_at}, [1]),
            ({"active_only": True, "labels": {"tenant": "acme"}}, [1]),
            ({"active_only": True, "states": frozenset({IncidentState.CLOSED})}, []),
        ],
    )
    async def test_all_must_hold(
        self, journal: Journal, conditions: dict[str, Any], expected: list[int]
    ) -> None:
        await fill(journal, *VARIOUS)
        assert await numbers(journal, descending=False, **conditions) == expected

    async def test_they_follow_changes(self, journal: Journal) -> None:
        await fill(journal, *VARIOUS)
        await write(
            journal, change(5, VARIOUS[0], assignees=("lee", "lee"), labels={"team": "core"})
        )
        assert await numbers(journal, assigned_to="rae") == []
        assert await numbers(journal, assigned_to="lee") == [1]
        assert await numbers(journal, labels={"tenant": "acme"}) == [2]
        assert await numbers(journal, labels={"team": "core"}) == [1]


ORDERED = (
    make_incident(1, severity=Severity.P1, updated_at=START + 9),
    make_incident(2, severity=Severity.P4, updated_at=START + 8),
    make_incident(3, severity=Severity.P0, state=IncidentState.CLOSED),
    make_incident(4, severity=Severity.P1, state=IncidentState.MONITORING),
    make_incident(5, created_at=make_incident(4).created_at, updated_at=START + 7),
)


class TestOrder:
    @pytest.mark.parametrize(
        ("sort", "expected"),
        [
            (SortField.CREATED_AT, [5, 4, 3, 2, 1]),
            (SortField.UPDATED_AT, [4, 3, 1, 2, 5]),
            (SortField.SEVERITY, [3, 4, 1, 5, 2]),
            (SortField.STATE, [3, 4, 5, 2, 1]),
        ],
    )
    async def test_by_field_then_creation_then_id(
        self, journal: Journal, sort: SortField, expected: list[int]
    ) -> None:
        await fill(journal, *ORDERED)
        assert await numbers(journal, sort=sort) == expected
        assert await numbers(journal, sort=sort, descending=False) == expected[::-1]


class TestPages:
    async def test_by_number(self, journal: Journal) -> None:
        await fill(journal, *[make_incident(n) for n in range(1, 6)])
        pages = [
            await journal.incidents(IncidentQuery(page=page, size=2, descending=False))
            for page in range(4)
        ]
        assert [[i.id[-1] for i in page.incidents] for page in pages] == [
            ["1", "2"],
            ["3", "4"],
            ["5"],
            [],
        ]
        assert [page.total for page in pages] == [5, 5, 5, 5]
        assert [page.has_next for page in pages] == [True, True, False, False]
        assert [page.has_previous for page in pages] == [False, True, True, True]
        assert pages[0].bounds == await journal.bounds()

    async def test_of_nothing(self, journal: Journal) -> None:
        for page in (0, 1):
            found = await journal.incidents(IncidentQuery(page=page))
            assert found == IncidentPage((), (), 0, False, False, await journal.bounds())

    async def test_behind_a_cursor_new_incidents_shift_nothing(self, journal: Journal) -> None:
        await fill(journal, *[make_incident(n) for n in range(1, 6)])
        first = await journal.incidents(IncidentQuery(size=2))
        await write(journal, make_record(6))
        query = IncidentQuery(size=2, after=first.cursors[-1])
        second = await journal.incidents(query)
        assert [i.id[-1] for i in second.incidents] == ["3", "2"]
        assert (second.total, second.has_next, second.has_previous) == (6, True, True)
        third = await journal.incidents(evolve(query, after=second.cursors[-1]))
        assert [i.id[-1] for i in third.incidents] == ["1"]
        assert (third.has_next, third.has_previous) == (False, True)

    async def test_nothing_may_be_left_before_a_cursor(self, journal: Journal) -> None:
        await fill(journal, *[make_incident(n) for n in (1, 2)])
        first = await journal.incidents(IncidentQuery(size=1, active_only=True))
        await write(journal, change(3, first.incidents[0], state=IncidentState.CLOSED))
        query = IncidentQuery(active_only=True, after=first.cursors[0])
        second = await journal.incidents(query)
        assert [i.id[-1] for i in second.incidents] == ["1"]
        assert not second.has_previous

    @pytest.mark.parametrize(
        "conditions",
        [{"size": 0}, {"size": 101}, {"page": -1}, {"page": 1, "after": "x"}, {"after": "x"}],
    )
    async def test_nonsense_is_refused(self, journal: Journal, conditions: dict[str, Any]) -> None:
        with pytest.raises(ValueError, match=r"size|page|after"):
            await journal.incidents(IncidentQuery(**conditions))

    async def test_a_cursor_of_another_order_is_refused(self, journal: Journal) -> None:
        await fill(journal, make_incident(1))
        cursor = (await journal.incidents(IncidentQuery())).cursors[0]
        for other in (
            IncidentQuery(after=cursor, descending=False),
            IncidentQuery(after=cursor, sort=SortField.STATE),
        ):
            with pytest.raises(ValueError, match="after"):
                await journal.incidents(other)


class TestAfter:
    @given(st.text(max_size=30), st.integers(), st.sampled_from(SortField), st.booleans())
    def test_a_cursor_is_the_sort_key(
        self, identity: str, at: int, sort: SortField, descending: bool
    ) -> None:
        at %= 1 << 62
        incident = make_incident(1, id=identity, created_at=at, updated_at=at // 2)
        cursor = encode_after(incident, sort, descending=descending)
        assert decode_after(cursor, sort, descending=descending) == sort_key(incident, sort)

    @given(st.text() | st.binary().map(lambda each: base64.urlsafe_b64encode(each).decode()))
    def test_anything_else_is_refused(self, text: str) -> None:
        with pytest.raises(ValueError, match="after is not a cursor"):
            decode_after(text, SortField.CREATED_AT, descending=True)

    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            ["CREATED_AT", True],
            ["CREATED_AT", True, "1", "id"],
            ["CREATED_AT", True, True, "id"],
            ["CREATED_AT", True, 2**63, "id"],
            ["CREATED_AT", True, 1, "id", "more"],
            ["CREATED_AT", False, 1, "id"],
            ["STATE", True, 1, "id"],
        ],
    )
    def test_so_is_what_only_looks_like_one(self, body: object) -> None:
        cursor = base64.urlsafe_b64encode(msgspec.json.encode(body)).decode()
        with pytest.raises(ValueError, match="after is not a cursor"):
            decode_after(cursor, SortField.CREATED_AT, descending=True)


async def walk(journal: Journal, query: IncidentQuery) -> list[str]:
    """The ids on all pages, each found behind the last cursor of the one before."""
    found: list[str] = []
    query = evolve(query, page=0, after=None)
    while True:
        page = await journal.incidents(query)
        assert page.has_previous == bool(found)
        found += [incident.id for incident in page.incidents]
        if not page.has_next:
            assert len(found) == page.total
            return found
        query = evolve(query, after=page.cursors[-1])


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.lists(images, min_size=1, max_size=5), max_size=4),
    st.lists(queries, min_size=1, max_size=6),
    st.integers(0, 3),
)
async def test_both_adapters_say_the_same(
    batches: list[list[dict[str, Any]]], asked: list[IncidentQuery], keep: int
) -> None:
    history = history_of([image for batch in batches for image in batch])
    with tempfile.TemporaryDirectory() as folder:
        async with open_sqlite(Path(folder, "incidents.db")) as sqlite, open_memory() as memory:
            for journal in (sqlite, memory):
                head = 0
                for batch in batches:
                    records = history[head : head + len(batch)]
                    await journal.append(Append(head, records))
                    head += len(batch)
            for since in range(3):
                assert await sqlite.load(needs, 0, since) == await memory.load(needs, 0, since)
            for query in asked:
                one, other = await sqlite.incidents(query), await memory.incidents(query)
                assert evolve(one, bounds=other.bounds) == other
                assert await walk(sqlite, query) == await walk(memory, query)
            for limit in (2, 100):
                gone = [
                    await each.trim(keep=keep, before=START, limit=limit)
                    for each in (sqlite, memory)
                ]
                assert gone[0] == gone[1]
            one_chunk, other_chunk = (
                await sqlite.read_after(0, 100),
                await memory.read_after(0, 100),
            )
            assert evolve(one_chunk, bounds=other_chunk.bounds) == other_chunk
            assert one_chunk.bounds.oldest == other_chunk.bounds.oldest
