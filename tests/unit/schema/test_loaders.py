"""Loaders: relations of a whole page in a handful of queries, on a real file."""

import sqlite3
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from incident_manager.actors.commands import AddComment, LinkIncidents, SubmitAlert
from incident_manager.actors.errors import Refused
from incident_manager.actors.journal.base import JournalUnavailable
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.journal.sqlite import SqliteJournal, open_sqlite
from incident_manager.actors.model import Ack
from incident_manager.actors.vocabulary import Severity
from incident_manager.schema.loaders import Loaders
from incident_manager.schema.relations import Part
from incident_manager.schema.tally import Most
from incident_manager.supervision import ChildSpec, open_supervisor
from unit.schema.desk import Desk

RELATIONS = """
    comments(first: 5) { comments { id author content createdAt } totalCount hasNextPage }
    alerts(first: 5) { id title receivedAt }
    relatedIncidents(first: 5) { id title state }
"""
PAGE = f"{{ incidents(pagination: {{first: 100}}) {{ incidents {{ id title {RELATIONS} }} }} }}"
PLAIN = "{ incidents(pagination: {first: 100}) { incidents { id title } } }"


@asynccontextmanager
async def open_file(path: Path) -> AsyncGenerator[Desk, None]:
    async with open_sqlite(path) as journal:
        desk = Desk(journal)
        async with open_supervisor("root", [ChildSpec("registry", desk.registry.run, shutdown=0)]):
            yield desk


async def fill(desk: Desk, incidents: int) -> list[str]:
    """Incidents with two alerts, two comments and two links each."""

    def alerts() -> list[SubmitAlert]:
        return [SubmitAlert("s", f"{n}", "", Severity.P1) for n in range(incidents)]

    acks = [each for each in await desk.ask(alerts()) if isinstance(each, Ack)]
    ids = [each.incident_id for each in acks if each.incident_id is not None]
    assert len(ids) == incidents
    await desk.ask(alerts())
    for text in ("seen", "done"):
        await desk.ask([AddComment(each, text) for each in ids])
    await desk.ask([LinkIncidents(ids[n - 1], ids[n]) for n in range(incidents)])
    return ids


class Queries:
    """What SQLite is asked while it is counted."""

    def __init__(self, journal: object) -> None:
        assert isinstance(journal, SqliteJournal)
        self._readers: tuple[sqlite3.Connection, ...] = journal._readers
        self.texts: list[str] = []

    def __enter__(self) -> list[str]:
        for reader in self._readers:
            reader.set_trace_callback(self._note)
        return self.texts

    def __exit__(self, *_: object) -> None:
        for reader in self._readers:
            reader.set_trace_callback(None)

    def _note(self, text: str) -> None:
        if text.startswith(("SELECT", "WITH")):
            self.texts.append(text)


async def test_a_hundred_incidents_with_three_relations_are_a_handful_of_queries(
    tmp_path: Path,
) -> None:
    async with open_file(tmp_path / "journal.db") as desk:
        await fill(desk, 100)
        with Queries(desk.journal) as plain:
            await desk.run(PLAIN)
        with Queries(desk.journal) as queries:
            result = await desk.run(PAGE)
    assert "errors" not in result
    found = result["data"]["incidents"]["incidents"]
    assert len(found) == 100
    for incident in found:
        assert [each["title"] for each in incident["alerts"]] == [incident["title"]] * 2
        assert [each["content"] for each in incident["comments"]["comments"]] == ["seen", "done"]
        numbers = {int(each["title"]) for each in incident["relatedIncidents"]}
        own = int(incident["title"])
        assert numbers == {(own - 1) % 100, (own + 1) % 100}
    assert len(queries) == len(plain) + 3 <= 8, "\n".join(queries)


async def test_relations_of_relations_are_one_query_more_for_each(tmp_path: Path) -> None:
    inner = "relatedIncidents(first: 2) { id timeline(first: 1) { events { cursor } } }"
    query = PAGE.replace(RELATIONS, f"relatedIncidents(first: 2) {{ {inner} alerts {{ id }} }}")
    async with open_file(tmp_path / "journal.db") as desk:
        await fill(desk, 30)
        with Queries(desk.journal) as plain:
            await desk.run(PLAIN)
        with Queries(desk.journal) as queries:
            result = await desk.run(query)
    assert "errors" not in result
    # Two levels of links, alerts, timelines, and for those the epoch of their cursors.
    assert len(queries) == len(plain) + 5, "\n".join(queries)


async def test_incidents_of_alerts_are_one_query(tmp_path: Path) -> None:
    query = "{ alerts(pagination: {first: 100}) { alerts { id incident { title } } } }"
    async with open_file(tmp_path / "journal.db") as desk:
        await fill(desk, 30)
        with Queries(desk.journal) as plain:
            await desk.run("{ alerts(pagination: {first: 100}) { alerts { id } } }")
        with Queries(desk.journal) as queries:
            result = await desk.run(query)
    assert len(result["data"]["alerts"]["alerts"]) == 60
    assert len(queries) == len(plain) + 1


async def test_incidents_by_id_beside_each_other_are_one_query(tmp_path: Path) -> None:
    async with open_file(tmp_path / "journal.db") as desk:
        ids = await fill(desk, 10)
        fields = " ".join(f'i{n}: incident(id: "{each}") {{ id }}' for n, each in enumerate(ids))
        with Queries(desk.journal) as queries:
            result = await desk.run(f"{{ {fields} }}")
    assert [each["id"] for each in result["data"].values()] == ids
    assert len(queries) == 1


async def test_parts_are_loaded_apart(desk: Desk) -> None:
    [one, *_] = await fill(desk, 3)
    loaders = Loaders(desk)
    found: dict[int, int] = {}

    async def load(first: int) -> None:
        page = await loaders.comments(one, Part(first))
        assert page is not None
        found[first] = len(page.comments)

    async with trio.open_nursery() as nursery:
        for first in (1, 2, 3):
            nursery.start_soon(load, first)
    assert found == {1: 1, 2: 2, 3: 2}


async def test_a_connection_goes_on_behind_its_end(desk: Desk) -> None:
    [one, *_] = await fill(desk, 3)
    query = """query ($id: UUID!, $c: String, $t: String) { incident(id: $id) {
        comments(first: 1, after: $c) { comments { content } endCursor hasNextPage totalCount }
        timeline(first: 2, after: $t) { events { eventType } endCursor hasNextPage totalCount }
    } }"""
    places: dict[str, Any] = {}
    said: list[str] = []
    events: list[str] = []
    for _ in range(2):
        result = await desk.run(query, id=one, **places)
        comments, timeline = (result["data"]["incident"][each] for each in ("comments", "timeline"))
        assert (comments["totalCount"], timeline["totalCount"]) == (2, 7)
        said += [each["content"] for each in comments["comments"]]
        events += [each["eventType"] for each in timeline["events"]]
        places = {"c": comments["endCursor"], "t": timeline["endCursor"]}
    assert (comments["hasNextPage"], timeline["hasNextPage"]) == (False, True)
    assert said == ["seen", "done"]
    assert events == ["CREATED", "ALERT_RECEIVED", "ALERT_RECEIVED", "COMMENT_ADDED"]


async def test_the_cursor_of_a_line_is_that_of_its_event(desk: Desk) -> None:
    [one] = await fill_alone(desk)
    bounds = await desk.journal.bounds()
    query = "query ($id: UUID!) { incident(id: $id) { timeline { events { cursor } } } }"
    result = await desk.run(query, id=one)
    events = result["data"]["incident"]["timeline"]["events"]
    assert [each["cursor"] for each in events] == [f"{bounds.epoch}:1", f"{bounds.epoch}:1"]


async def fill_alone(desk: Desk) -> list[str]:
    [ack] = await desk.ask([SubmitAlert("s", "t", "", Severity.P1)])
    assert isinstance(ack, Ack)
    assert ack.incident_id is not None
    return [ack.incident_id]


@pytest.mark.parametrize("relation", ["relatedIncidents", "alerts", "comments", "timeline"])
@pytest.mark.parametrize("first", [0, 101, -(2**31)])
async def test_a_part_beyond_what_may_be_is_refused(desk: Desk, relation: str, first: int) -> None:
    [one] = await fill_alone(desk)
    asked = f"{relation}(first: {first}) {{ __typename }}"
    result = await desk.run(f"query ($id: UUID!) {{ incident(id: $id) {{ {asked} }} }}", id=one)
    assert result["data"] == {"incident": None}
    [error] = result["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "first"}


@pytest.mark.parametrize("relation", ["comments", "timeline"])
@pytest.mark.parametrize("after", ["", "nonsense", "WyJBTEVSVFMiLDEsIngiXQ", "\ud800"])
async def test_a_place_of_another_list_is_refused(desk: Desk, relation: str, after: str) -> None:
    [one] = await fill_alone(desk)
    asked = f"incident(id: $id) {{ {relation}(after: $after) {{ totalCount }} }}"
    query = f"query ($id: UUID!, $after: String) {{ {asked} }}"
    result = await desk.run(query, id=one, after=after)
    [error] = result["errors"]
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": "after"}


async def test_relations_that_multiply_end_with_one_error(desk: Desk) -> None:
    await fill(desk, 3)  # all are linked with all
    deep = "relatedIncidents { " * 12 + "id" + " }" * 12
    result = await desk.run(f"{{ incidents {{ incidents {{ {deep} }} }} }}")
    assert result["data"] is None
    [error] = result["errors"]
    assert error["extensions"] == {"code": "COMPLEXITY_LIMITED", "field": "first"}
    shallow = await desk.run("{ incidents { incidents { relatedIncidents { id } } } }")
    assert "errors" not in shallow


Load = Callable[[Loaders, str], Coroutine[Any, Any, object]]
LOADS: dict[str, Load] = {
    "incident": lambda loaders, each: loaders.incident(each),
    "related": lambda loaders, each: loaders.related(each, Part(5)),
    "alerts": lambda loaders, each: loaders.alerts(each, Part(5)),
    "comments": lambda loaders, each: loaders.comments(each, Part(5)),
    "timeline": lambda loaders, each: loaders.timeline(each, Part(5)),
}


@pytest.mark.parametrize("name", LOADS)
async def test_objects_are_counted_in_every_relation(desk: Desk, name: str) -> None:
    [one, *_] = await fill(desk, 3)
    assert await LOADS[name](Loaders(desk), one)
    loaders = Loaders(desk, Most(asks=1, objects=0))
    with pytest.raises(Refused, match="more than 0 objects"):
        await LOADS[name](loaders, one)


@pytest.mark.parametrize("name", LOADS)
async def test_an_incident_that_is_not_there_has_nothing(desk: Desk, name: str) -> None:
    found = await LOADS[name](Loaders(desk), "00000000-0000-4000-8000-000000000009")
    assert not found or not (getattr(found, "comments", ()) or getattr(found, "events", ()))


@pytest.mark.parametrize("name", LOADS)
async def test_a_journal_that_is_away(name: str) -> None:
    async with open_memory() as journal:
        desk = Desk(journal)
    with pytest.raises(JournalUnavailable):
        await LOADS[name](Loaders(desk), "00000000-0000-4000-8000-000000000009")
