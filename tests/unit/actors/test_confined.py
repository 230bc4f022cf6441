"""What a confined principal sees of what others have to do with; on each journal."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from attrs import evolve

from incident_manager.actors.confined import Confined, view_of
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.journal.base import Journal, View
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.journal.reads import (
    AlertQuery,
    AuditQuery,
    IncidentQuery,
    SearchQuery,
    SortField,
)
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.veil import VeiledBounds, Veils
from incident_manager.actors.vocabulary import AlertStatus, Kind
from unit.actors.builders import (
    before_of,
    change,
    make_alert,
    make_comment,
    make_incident,
    make_record,
    write,
)

ACME, CORP = {"tenant": "acme"}, {"tenant": "corp"}
MINE, THEIRS, MORE = (
    make_incident(1, labels=ACME, source="desk"),
    make_incident(2, labels=CORP),
    make_incident(3, labels={**ACME, "a": "1"}),
)
OWN_ALERT = make_alert(1, MINE, labels=ACME, status=AlertStatus.DEDUPLICATED)
STRANGE_ALERT = make_alert(2, MINE, labels={}, title="Of somebody", status=AlertStatus.MERGED)
LOST_ALERT = make_alert(3, THEIRS, labels=ACME, status=AlertStatus.DEDUPLICATED)
HISTORY = (
    make_record(1, MINE),
    make_record(2, THEIRS),
    make_record(3, MORE),
    evolve(change(4, MINE, Kind.ALERT, alert_count=1), alert=OWN_ALERT),
    evolve(change(5, MINE, Kind.ALERT, alert_count=2), alert=STRANGE_ALERT),
    evolve(change(6, THEIRS, Kind.ALERT, alert_count=1), alert=LOST_ALERT),
    evolve(change(7, MINE, Kind.LINK), related_id=THEIRS.id),
    evolve(change(8, MINE, Kind.LINK), related_id=MORE.id),
    evolve(change(9, MINE, Kind.COMMENT), comment=make_comment(1)),
    evolve(change(10, THEIRS, Kind.COMMENT), comment=make_comment(2)),
)


@pytest.fixture(params=["memory", "sqlite"])
async def journal(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Journal]:
    opened = open_memory() if request.param == "memory" else open_sqlite(tmp_path / "db")
    async with opened as journal:
        await write(journal, *HISTORY)
        yield journal


@pytest.fixture
async def mine(journal: Journal) -> View:
    return view_of(journal, (("tenant", "acme"),), Veils())


async def test_without_selectors_the_view_is_the_journal(journal: Journal) -> None:
    assert view_of(journal, (), Veils()) is journal


async def test_incidents(mine: View) -> None:
    page = await mine.incidents(IncidentQuery(sort=SortField.CREATED_AT, descending=False))
    assert [each.id for each in page.incidents] == [MINE.id, MORE.id]
    assert page.total == 2
    assert (await mine.incidents(IncidentQuery(labels=CORP))).total == 0
    assert (await mine.incidents(IncidentQuery(labels={"a": "1"}))).total == 1
    assert (await mine.stats(IncidentQuery())).total == 2
    assert (await mine.stats(IncidentQuery(labels=CORP))).total == 0
    assert await mine.incident(THEIRS.id) is None
    found = await mine.incident(MINE.id)
    assert found is not None
    assert set(await mine.incidents_by_id([MINE.id, THEIRS.id])) == {MINE.id}
    assert await mine.incidents_by_id([]) == {}


async def test_search_and_its_places(mine: View, journal: Journal) -> None:
    first = await mine.search(SearchQuery("checkout", size=1))
    assert (first.total, first.has_next) == (2, True)
    second = await mine.search(SearchQuery("checkout", size=1, after=first.cursors[0]))
    assert {each.id for each in (*first.incidents, *second.incidents)} == {MINE.id, MORE.id}
    assert not second.has_next
    theirs = await journal.search(SearchQuery("checkout", size=1))
    for after in (theirs.cursors[0], "x"):
        with pytest.raises(ValueError, match="after is not a cursor of this list"):
            await mine.search(SearchQuery("checkout", after=after))
    assert (await mine.search(SearchQuery("checkout", labels=CORP))).total == 0


async def test_alerts(mine: View) -> None:
    page = await mine.alerts(AlertQuery())
    assert {each.id for each in page.alerts} == {OWN_ALERT.id, LOST_ALERT.id}
    assert page.total == 2
    # That the incident of others is there at all is nothing to know.
    lost = await mine.alert(LOST_ALERT.id)
    assert lost is not None
    assert (lost.incident_id, lost.status) == (None, AlertStatus.IGNORED)
    assert await mine.alert(OWN_ALERT.id) == OWN_ALERT
    assert await mine.alert(STRANGE_ALERT.id) is None
    assert (await mine.alerts(AlertQuery(incident_id=THEIRS.id))).total == 0
    assert (await mine.alerts(AlertQuery(incident_id=MINE.id))).total == 1


async def test_what_lies_beside(mine: View) -> None:
    both = [MINE.id, THEIRS.id]
    related = await mine.related(both, 9)
    assert [each.id for each in related[MINE.id]] == [MORE.id]
    assert related[THEIRS.id] == ()
    assert (await mine.related(both, 9, CORP))[MINE.id] == ()
    alerts = await mine.alerts_of(both, 9)
    assert alerts == {MINE.id: (OWN_ALERT,), THEIRS.id: ()}
    comments = await mine.comments_of(both, 9)
    assert (comments[MINE.id].total, comments[THEIRS.id].total) == (1, 0)
    assert comments[THEIRS.id].comments == ()


async def test_a_history_names_nothing_of_others(mine: View, journal: Journal) -> None:
    pages = await mine.timeline_of([MINE.id, THEIRS.id], 99)
    assert (pages[THEIRS.id].entries, pages[THEIRS.id].total) == ((), 0)
    entries = pages[MINE.id].entries
    whole = (await journal.timeline_of([MINE.id], 99))[MINE.id].entries
    assert len(entries) == len(whole) == pages[MINE.id].total
    text = " ".join(f"{each.description} {dict(each.metadata)}" for each in entries)
    for theirs in (THEIRS.id, STRANGE_ALERT.id, STRANGE_ALERT.title):
        assert theirs not in text
    for own in (MORE.id, OWN_ALERT.id):
        assert own in text
    changed = [each for each, was in zip(entries, whole, strict=True) if each != was]
    told = [(each.description, dict(each.metadata)) for each in changed]
    assert told == [
        ("Alert received", {"status": "MERGED"}),
        ("Linked to another incident", {}),
    ]
    first = await mine.timeline_of([MINE.id], 2)
    rest = await mine.timeline_of([MINE.id], 99, first[MINE.id].cursors[-1])
    assert (*first[MINE.id].entries, *rest[MINE.id].entries) == entries
    raw = (await journal.timeline_of([MINE.id], 2))[MINE.id].cursors[-1]
    with pytest.raises(ValueError, match="after is not a cursor of this list"):
        await mine.timeline_of([MINE.id], 2, raw)


async def test_events(mine: View) -> None:
    chunk = await mine.read_after(0, 99)
    assert [each.offset for each in chunk.records] == [1, 3, 4, 5, 6, 7, 8, 9]
    assert chunk.examined == chunk.bounds.head == 10
    by_offset = {each.offset: each for each in chunk.records}
    assert by_offset[5].alert is None
    lost = by_offset[6]
    assert lost.incident is None
    assert lost.alert is not None
    assert lost.alert.incident_id is None
    assert (by_offset[7].related_id, by_offset[8].related_id) == (None, MORE.id)
    assert isinstance(chunk.bounds, VeiledBounds)


async def test_events_come_in_parts_that_say_nothing_of_others(mine: View) -> None:
    offset, found, more = 0, [], True
    while more:
        chunk = await mine.read_after(offset, 4)
        found += [each.offset for each in chunk.records]
        offset, more = chunk.examined, chunk.examined < chunk.bounds.head
    # Two parts of four: that there is an event of others at the end makes no third.
    assert found == [1, 3, 4, 5, 6, 7, 8, 9]


async def test_the_audit_is_of_everybody(mine: View) -> None:
    with pytest.raises(Refused) as refused:
        await mine.audit(AuditQuery())
    assert refused.value.code is ErrorCode.FORBIDDEN


async def test_bounds_are_veiled(mine: View, journal: Journal) -> None:
    bounds, raw = await mine.bounds(), await journal.bounds()
    assert bounds.open(bounds.cursor) == raw.cursor
    assert str(bounds.cursor) != str((await mine.bounds()).cursor)
    assert raw.epoch not in str(bounds.cursor)


async def test_one_that_was_given_away_is_not_there_any_more(journal: Journal, mine: View) -> None:
    old = await journal.incident(MORE.id)
    assert old is not None
    given = make_record(
        11, evolve(old, labels=CORP, version=2), kind=Kind.UPDATE, before=before_of(old)
    )
    await write(journal, given)
    assert await mine.incident(MORE.id) is None
    assert (await mine.timeline_of([MORE.id], 9))[MORE.id].total == 0
    assert [each.offset for each in (await mine.read_after(0, 99)).records][-1] == 9
    theirs = Confined(journal, (("tenant", "corp"),), Veils())
    assert (await theirs.timeline_of([MORE.id], 9))[MORE.id].total > 0
