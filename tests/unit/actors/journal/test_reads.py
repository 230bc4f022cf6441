"""The read side of the port, on every adapter."""

import tempfile
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.journal.base import Append, Journal, Needs
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.journal.place import encode_place
from incident_manager.actors.journal.query import COMMENTS, TIMELINE
from incident_manager.actors.journal.reads import (
    AlertQuery,
    CommentPage,
    IncidentQuery,
    SearchQuery,
    SortField,
    TimelinePage,
)
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.journal.words import mark
from incident_manager.actors.model import Alert, Comment, Incident
from incident_manager.actors.timeline import TimelineEntry, timeline_entries
from incident_manager.actors.vocabulary import AlertStatus, IncidentState, Kind, Severity
from unit.actors.builders import (
    START,
    change,
    make_alert,
    make_comment,
    make_incident,
    make_record,
    write,
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


async def fill(journal: Journal, *incidents: Incident) -> None:
    await write(journal, *[make_record(n, each) for n, each in enumerate(incidents, start=1)])


def numbers(items: Iterable[Incident | Alert | Comment]) -> list[int]:
    return [int(each.id[-12:]) for each in items]


ALERTS = (
    make_alert(1, make_incident(1), labels={"tenant": "acme"}),
    make_alert(2, make_incident(2), severity=Severity.P0, source="grafana"),
    make_alert(3, make_incident(1), severity=Severity.P1, labels={"tenant": "acme", "a": "b"}),
    make_alert(4, status=AlertStatus.IGNORED, labels={"tenant": "other"}),
)


async def alert_history(journal: Journal) -> None:
    await write(
        journal,
        make_record(1, alert=ALERTS[0]),
        make_record(2, alert=ALERTS[1]),
        evolve(change(3, make_incident(1), Kind.ALERT), alert=ALERTS[2]),
        evolve(make_record(4), incident=None, alert=ALERTS[3]),
    )


class TestAlerts:
    async def test_one(self, journal: Journal) -> None:
        await alert_history(journal)
        assert await journal.alert(ALERTS[2].id) == ALERTS[2]
        assert await journal.alert("nobody") is None

    @pytest.mark.parametrize(
        ("conditions", "expected"),
        [
            ({}, [4, 3, 2, 1]),
            ({"sources": frozenset({"grafana", "nobody"})}, [2]),
            ({"severities": frozenset({Severity.P0, Severity.P1})}, [3, 2]),
            ({"incident_id": make_incident(1).id}, [3, 1]),
            ({"incident_id": "nobody"}, []),
            ({"labels": {"tenant": "acme"}}, [3, 1]),
            ({"labels": {"tenant": "acme", "a": "b"}}, [3]),
            ({"received_after": ALERTS[1].received_at}, [4, 3]),
            ({"incident_id": make_incident(1).id, "severities": frozenset({Severity.P2})}, [1]),
        ],
    )
    async def test_all_conditions_must_hold_and_the_newest_is_first(
        self, journal: Journal, conditions: dict[str, Any], expected: list[int]
    ) -> None:
        await alert_history(journal)
        page = await journal.alerts(AlertQuery(**conditions))
        assert numbers(page.alerts) == expected
        assert (page.total, page.has_next, page.has_previous) == (len(expected), False, False)
        assert page.bounds == await journal.bounds()

    async def test_by_pages_and_behind_a_cursor(self, journal: Journal) -> None:
        await alert_history(journal)
        first = await journal.alerts(AlertQuery(size=3))
        assert (numbers(first.alerts), first.has_next) == ([4, 3, 2], True)
        for query in (AlertQuery(size=3, page=1), AlertQuery(size=3, after=first.cursors[-1])):
            second = await journal.alerts(query)
            assert (numbers(second.alerts), second.has_next) == ([1], False)
            assert (second.total, second.has_previous) == (4, True)

    async def test_one_that_comes_again_is_found_as_it_is_now(self, journal: Journal) -> None:
        await alert_history(journal)
        again = evolve(ALERTS[0], incident_id=make_incident(2).id, severity=Severity.P4, labels={})
        await write(journal, evolve(change(5, make_incident(2), Kind.ALERT), alert=again))
        assert await journal.alert(again.id) == again
        for query, expected in (
            (AlertQuery(labels={"tenant": "acme"}), [3]),
            (AlertQuery(severities=frozenset({Severity.P4})), [1]),
            (AlertQuery(incident_id=make_incident(2).id), [2, 1]),
        ):
            page = await journal.alerts(query)
            assert (numbers(page.alerts), page.total) == (expected, len(expected))

    async def test_of_many_incidents_at_once(self, journal: Journal) -> None:
        await alert_history(journal)
        ids = [make_incident(number).id for number in (2, 1, 3)]
        found = await journal.alerts_of(ids, 2)
        assert [(each, numbers(found[each])) for each in found] == [
            (ids[0], [2]),
            (ids[1], [3, 1]),
            (ids[2], []),
        ]
        assert numbers((await journal.alerts_of(ids, 1))[ids[1]]) == [3]
        assert numbers((await journal.alerts_of(ids, 9, {"a": "b"}))[ids[1]]) == [3]


class TestIncidentsById:
    async def test_unknown_ones_are_left_out(self, journal: Journal) -> None:
        await fill(journal, make_incident(1), make_incident(2))
        ids = [make_incident(number).id for number in (2, 9, 1, 2)]
        found = await journal.incidents_by_id(iter(ids))
        assert dict(found) == {
            make_incident(1).id: make_incident(1),
            make_incident(2).id: make_incident(2),
        }
        assert await journal.incidents_by_id([]) == {}


class TestRelated:
    async def test_both_sides_the_last_link_first(self, journal: Journal) -> None:
        one, two, three = (make_incident(number, labels={"n": str(number)}) for number in (1, 2, 3))
        await fill(journal, one, two, three)
        await write(
            journal,
            evolve(change(4, one, Kind.LINK), related_id=two.id),
            evolve(change(5, three, Kind.LINK), related_id=one.id),
            evolve(change(6, two, Kind.LINK), related_id=one.id),
            evolve(change(7, one, Kind.LINK), related_id="not there"),
        )
        ids = [each.id for each in (one, two, three)]
        found = await journal.related(ids, 20)
        assert [numbers(found[each]) for each in ids] == [[3, 2], [1], [1]]
        assert numbers((await journal.related(ids, 1))[one.id]) == [3]
        assert numbers((await journal.related(ids, 1, {"n": "2"}))[one.id]) == [2]
        assert await journal.related(["nobody"], 1) == {"nobody": ()}


class TestComments:
    async def test_the_oldest_first_by_pages(self, journal: Journal) -> None:
        one, two = make_incident(1), make_incident(2)
        await fill(journal, one, two)
        for number in range(3, 8):
            record = change(number, one, Kind.COMMENT)
            await write(journal, evolve(record, comment=make_comment(number)))
        ids = [one.id, two.id, "nobody"]
        pages = await journal.comments_of(ids, 2)
        first = pages[one.id]
        assert (numbers(first.comments), first.total, first.has_next) == ([3, 4], 5, True)
        assert pages[two.id] == pages["nobody"] == CommentPage()
        rest = (await journal.comments_of(ids, 9, first.cursors[-1]))[one.id]
        assert (numbers(rest.comments), rest.total, rest.has_next) == ([5, 6, 7], 5, False)
        end = (await journal.comments_of(ids, 9, rest.cursors[-1]))[one.id]
        assert end == CommentPage(total=5)


class TestTimeline:
    async def test_lines_of_one_event_are_parted_by_a_page(self, journal: Journal) -> None:
        one = make_incident(1)
        records = (
            make_record(1, one, alert=make_alert(1, one)),
            make_record(2),
            change(3, one, assignees=("rae",), severity=Severity.P0),
        )
        await write(journal, *records)
        await journal.trim(keep=1, before=0, limit=9)
        wanted = [line for each in (0, 2) for line in timeline_entries(records[each])]
        assert [line.offset for line in wanted] == [1, 1, 3, 3]
        found: list[TimelineEntry] = []
        after = None
        while True:
            page = (await journal.timeline_of([one.id], 1, after))[one.id]
            assert page.total == 4
            found += page.entries
            if not page.has_next:
                break
            after = page.cursors[-1]
        assert found == wanted
        assert await journal.timeline_of(["nobody"], 1) == {"nobody": TimelinePage()}


class TestStats:
    async def test_active_and_resolved_are_the_total(self, journal: Journal) -> None:
        await fill(
            journal,
            make_incident(1, severity=Severity.P0),
            make_incident(2, severity=Severity.P0, state=IncidentState.MONITORING),
            make_incident(3, severity=Severity.P3, source="grafana", labels={"a": "b"}),
            make_incident(4, state=IncidentState.RESOLVED, labels={"a": "b"}),
            make_incident(5, state=IncidentState.CLOSED),
        )
        stats = await journal.stats(IncidentQuery())
        nothing = dict.fromkeys(Severity, 0)
        assert (stats.total, stats.active, stats.resolved) == (5, 3, 2)
        assert stats.by_severity == nothing | {Severity.P0: 2, Severity.P3: 1}
        assert stats.bounds == await journal.bounds()
        some = await journal.stats(
            IncidentQuery(labels={"a": "b"}, created_after=START, size=1, sort=SortField.STATE)
        )
        assert (some.total, some.active, some.resolved) == (2, 1, 1)
        none = await journal.stats(IncidentQuery(assigned_to="nobody"))
        assert (none.total, none.by_severity) == (0, nothing)


class TestSearch:
    FOUND = (
        make_incident(1, title="Disk full on db-1", description="The WAL has filled it"),
        make_incident(2, title="Checkout fails", description="its DISK is full", source="grafana"),
        make_incident(3, title="Überlauf", description="", labels={"team": "Storage_core"}),
        make_incident(4, title="disks FULL", description="", labels={"tenant": "acme"}),
    )

    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            ("disk full", [1, 2]),
            ("full disk", [4, 1, 2]),
            ("DISK", [4, 1, 2]),
            ("dis", [4, 1, 2]),
            ("disks", [4]),
            ("full disk db", [1]),
            ("full wal", [1]),
            ("uberlauf", [3]),
            ("ÜBERLAUF", [3]),
            ("u\u0308berlauf", [3]),
            ("storage core", [3]),
            ("grafana", [2]),
            ("db 1", [1]),
            ("d", []),
            ("1", [1]),
            ("nothing of the kind", []),
            ("", []),
            (" \t\n", []),
            ('"* ^ ( ) : - + OR', []),
            ('"disk" OR "checkout"', []),
            ("title:disk", []),
            ("disk*", [4, 1, 2]),
            ("NOT disk", []),
            ('"', []),
            ("\0", []),
            ("disk\0full", [1, 2]),
            ("\ud800disk", [4, 1, 2]),
        ],
    )
    async def test_all_words_titles_first_then_the_newest(
        self, journal: Journal, text: str, expected: list[int]
    ) -> None:
        await fill(journal, *self.FOUND)
        page = await journal.search(SearchQuery(text))
        assert numbers(page.incidents) == expected
        assert page.total == len(expected)
        assert page.bounds == await journal.bounds()

    async def test_it_follows_changes(self, journal: Journal) -> None:
        await fill(journal, *self.FOUND)
        await write(journal, change(5, self.FOUND[0], title="All well", labels={"a": "quiet"}))
        assert numbers((await journal.search(SearchQuery("disk"))).incidents) == [4, 2]
        assert numbers((await journal.search(SearchQuery("quiet"))).incidents) == [1]
        query = SearchQuery("well", labels={"a": "quiet"})
        assert numbers((await journal.search(query)).incidents) == [1]

    async def test_labels_must_be_borne_and_are_no_words(self, journal: Journal) -> None:
        await fill(journal, *self.FOUND)
        found = await journal.search(SearchQuery("disk", labels={"tenant": "acme"}))
        assert (numbers(found.incidents), found.total) == ([4], 1)
        found = await journal.search(SearchQuery("disk", labels={"tenant": "acme", "a": "b"}))
        assert found.total == 0
        assert (await journal.search(SearchQuery(mark("tenant", "acme")))).total == 0

    async def test_by_pages_and_behind_a_cursor(self, journal: Journal) -> None:
        await fill(journal, *self.FOUND)
        pages = [await journal.search(SearchQuery("dis", page=page, size=1)) for page in range(4)]
        assert [numbers(page.incidents) for page in pages] == [[4], [1], [2], []]
        assert [page.has_next for page in pages] == [True, True, False, False]
        assert [page.has_previous for page in pages] == [False, True, True, True]
        after = None
        for page in pages[:3]:
            behind = await journal.search(SearchQuery("dis", size=1, after=after))
            assert behind == page
            after = behind.cursors[-1]

    async def test_too_many_words_are_refused(self, journal: Journal) -> None:
        await fill(journal, *self.FOUND)
        assert (await journal.search(SearchQuery("disk " * 32))).total == 2
        with pytest.raises(ValueError, match="query has 33 words; it can have at most 32"):
            await journal.search(SearchQuery("disk " * 33))


BAD_TEXT = ("\ud800", "a\0b", "x" * 100_000)
BAD_NUMBERS = (2**63, 2**64, -(2**63) - 1, 10**30)


class TestHostileArguments:
    @pytest.mark.parametrize("text", BAD_TEXT)
    async def test_text_that_nothing_bears_matches_nothing(
        self, journal: Journal, text: str
    ) -> None:
        await fill(journal, make_incident(1, labels={"a": "a"}, assignees=("a",), source="a"))
        for conditions in (
            {"sources": frozenset({text})},
            {"labels": {text: "a"}},
            {"labels": {"a": text}},
        ):
            assert (await journal.incidents(IncidentQuery(**conditions))).total == 0
            assert (await journal.stats(IncidentQuery(**conditions))).total == 0
            assert (await journal.alerts(AlertQuery(**conditions))).total == 0
        assert (await journal.search(SearchQuery("slow", labels={"a": text}))).total == 0
        assert (await journal.incidents(IncidentQuery(assigned_to=text))).total == 0
        both = IncidentQuery(sources=frozenset({text, "a"}))
        assert (await journal.incidents(both)).total == 1
        assert (await journal.alerts(AlertQuery(incident_id=text))).total == 0
        assert await journal.incident(text) is None
        assert await journal.alert(text) is None
        assert await journal.incidents_by_id([text]) == {}
        assert await journal.related([text], 1) == {text: ()}
        assert await journal.alerts_of([text], 1, {"a": text}) == {text: ()}
        assert await journal.comments_of([text], 1) == {text: CommentPage()}
        assert await journal.timeline_of([text], 1) == {text: TimelinePage()}

    async def test_a_nul_does_not_cut_a_name(self, journal: Journal) -> None:
        await fill(journal, make_incident(1, id="a"))
        assert await journal.incident("a") is not None
        assert await journal.incident("a\0b") is None
        assert await journal.incidents_by_id(["a\0b"]) == {}

    @pytest.mark.parametrize("number", BAD_NUMBERS)
    async def test_numbers_beyond_64_bits_are_far_away(self, journal: Journal, number: int) -> None:
        await alert_history(journal)
        later = 0 if number > 0 else 2
        page = await journal.incidents(IncidentQuery(created_after=number))
        assert page.total == later
        page = await journal.incidents(IncidentQuery(created_before=number, created_after=1))
        assert page.total == 2 - later
        assert (await journal.stats(IncidentQuery(created_after=number))).total == later
        alerts = await journal.alerts(AlertQuery(received_after=number))
        assert alerts.total == 2 * later
        needs = Needs(fingerprints=frozenset({("", "f")}), answers=frozenset({"a"}))
        assert (await journal.load(needs, number, number)).answers == {"a": None}

    async def test_offsets_beyond_64_bits_are_past_the_head(self, journal: Journal) -> None:
        await alert_history(journal)
        assert (await journal.read_after(2**80, 2**80)).records == ()
        assert len((await journal.read_after(0, 2**80)).records) == 4
        assert await journal.trim(keep=1, before=2**80, limit=2**80) == 3

    @pytest.mark.parametrize(
        "place",
        [
            {"size": 0},
            {"size": 101},
            {"page": -1},
            {"page": 2**63},
            {"page": 1, "after": "x"},
            {"after": "x"},
            {"after": "\ud800"},
            {"after": encode_place(("OTHER",), (1, "id"))},
            {"labels": {str(number): "" for number in range(65)}},
        ],
    )
    async def test_places_that_cannot_be_are_refused(
        self, journal: Journal, place: dict[str, Any]
    ) -> None:
        await alert_history(journal)
        with pytest.raises(ValueError, match=r"size|page|after|labels"):
            await journal.incidents(IncidentQuery(**place))
        with pytest.raises(ValueError, match=r"size|page|after|labels"):
            await journal.alerts(AlertQuery(**place))
        with pytest.raises(ValueError, match=r"size|page|after|labels"):
            await journal.search(SearchQuery("slow", **place))

    async def test_so_are_more_sources_than_anybody_has(self, journal: Journal) -> None:
        sources = frozenset(map(str, range(1001)))
        with pytest.raises(ValueError, match="sources has 1001"):
            await journal.stats(IncidentQuery(sources=sources))
        with pytest.raises(ValueError, match="sources has 1001"):
            await journal.alerts(AlertQuery(sources=sources))

    @pytest.mark.parametrize("first", [0, -1, 101, 2**70])
    async def test_so_is_a_first_beyond_100(self, journal: Journal, first: int) -> None:
        for call in (
            journal.related,
            journal.alerts_of,
            journal.comments_of,
            journal.timeline_of,
        ):
            with pytest.raises(ValueError, match="first"):
                await call(["id"], first)

    async def test_so_is_a_cursor_of_another_list(self, journal: Journal) -> None:
        await alert_history(journal)
        comments, timeline = encode_place(COMMENTS, (1, "id")), encode_place(TIMELINE, (1, 0))
        with pytest.raises(ValueError, match="after"):
            await journal.comments_of(["id"], 1, timeline)
        with pytest.raises(ValueError, match="after"):
            await journal.timeline_of(["id"], 1, comments)
