"""What the port promises of the audit, on every adapter."""

import pytest
from attrs import evolve

from incident_manager.actors.audit import AuditAction, AuditEntry
from incident_manager.actors.journal.base import Journal, StaleHead
from incident_manager.actors.journal.reads import AuditQuery
from incident_manager.actors.vocabulary import AlertStatus, Kind
from unit.actors.builders import (
    SECOND,
    START,
    change,
    make_alert,
    make_history,
    make_incident,
    make_record,
    write,
)
from unit.actors.journal.conftest import Opener

ONE = make_incident(1)
RESTART = AuditEntry(
    START + 9 * SECOND, AuditAction.ACTOR_RESTARTED, "kim", detail={"actor": "root.hub"}
)
CHANGES = (
    make_record(1, ONE, principal="rae", trace="00-ab"),
    change(2, ONE, Kind.RESOLVE),
    evolve(
        make_record(3, kind=Kind.ALERT, principal="prom"),
        incident=None,
        alert=make_alert(2, status=AlertStatus.IGNORED),
    ),
    make_record(4, make_incident(4), principal="kim"),
)


async def ids(journal: Journal, **query: object) -> list[int]:
    page = await journal.audit(AuditQuery(**query))  # type: ignore[arg-type]
    return [entry.id for entry in page.entries]


class TestEntries:
    async def test_every_event_has_one_of_the_same_transaction(self, journal: Journal) -> None:
        await write(journal, *CHANGES)
        page = await journal.audit(AuditQuery())
        assert page.entries[::-1] == (
            AuditEntry(CHANGES[0].time, AuditAction.CREATE, "rae", ONE.id, 1, "00-ab", {}, 1),
            AuditEntry(CHANGES[1].time, AuditAction.RESOLVE, "rae", ONE.id, 2, id=2),
            AuditEntry(CHANGES[2].time, AuditAction.ALERT, "prom", None, 3, id=3),
            AuditEntry(CHANGES[3].time, AuditAction.CREATE, "kim", make_incident(4).id, 4, id=4),
        )
        assert (page.has_next, len(page.entries)) == (False, 4)

    async def test_what_is_not_appended_is_not_in_it(self, journal: Journal) -> None:
        await write(journal, CHANGES[0])
        with pytest.raises(StaleHead):
            await write(journal, CHANGES[0])
        assert await ids(journal) == [1]

    async def test_what_is_of_no_event_is_noted(self, opener: Opener) -> None:
        async with opener() as journal:
            await write(journal, CHANGES[0])
            await journal.note((RESTART, RESTART))
            await journal.note(())
        async with opener() as journal:
            [third, second, first] = (await journal.audit(AuditQuery())).entries
            assert (third, second) == (evolve(RESTART, id=3), evolve(RESTART, id=2))
            assert first.action is AuditAction.CREATE
            assert (await journal.bounds()).head == 1


class TestQueries:
    @pytest.mark.parametrize(
        ("query", "found"),
        [
            ({}, [5, 4, 3, 2, 1]),
            ({"principal": "rae"}, [2, 1]),
            ({"principal": "nobody"}, []),
            ({"actions": {AuditAction.CREATE}}, [4, 1]),
            ({"actions": {AuditAction.CREATE, AuditAction.RESOLVE}}, [4, 2, 1]),
            ({"actions": {AuditAction.ACTOR_RESTARTED}}, [5]),
            ({"actions": {AuditAction.REDACT}}, []),
            ({"incident_id": ONE.id}, [2, 1]),
            ({"incident_id": ONE.id, "actions": {AuditAction.RESOLVE}}, [2]),
            ({"since": START + 2 * SECOND}, [5, 4, 3, 2]),
            ({"until": START + 2 * SECOND}, [1]),
            ({"since": START + 2 * SECOND, "until": START + 3 * SECOND}, [2]),
            ({"since": -(1 << 80), "until": 1 << 80}, [5, 4, 3, 2, 1]),
        ],
    )
    async def test_all_conditions_hold(
        self, journal: Journal, query: dict[str, object], found: list[int]
    ) -> None:
        await write(journal, *CHANGES)
        await journal.note((RESTART,))
        assert await ids(journal, **query) == found

    async def test_pages_join_without_a_gap_while_it_grows(self, journal: Journal) -> None:
        await write(journal, *make_history(5))
        first = await journal.audit(AuditQuery(size=2))
        assert first.has_next
        await write(journal, make_record(6))
        second = await journal.audit(AuditQuery(size=2, after=first.end_cursor))
        third = await journal.audit(AuditQuery(size=2, after=second.end_cursor))
        pages = (first, second, third)
        assert [entry.id for page in pages for entry in page.entries] == [5, 4, 3, 2, 1]
        assert not third.has_next
        empty = await journal.audit(AuditQuery(after=third.end_cursor))
        assert (empty.entries, empty.end_cursor, empty.has_next) == ((), None, False)

    async def test_a_place_of_another_list_and_a_size_are_refused(self, journal: Journal) -> None:
        with pytest.raises(ValueError, match="after is not a cursor"):
            await journal.audit(AuditQuery(after="WyJBTEVSVFMiLDEsMl0"))
        with pytest.raises(ValueError, match="must be 1 to 100"):
            await journal.audit(AuditQuery(size=101))


class TestTrim:
    async def test_it_goes_by_its_own_age_and_not_with_the_events(self, journal: Journal) -> None:
        await write(journal, *make_history(5))
        assert await journal.trim(keep=1, before=0, limit=100) == 4
        assert await ids(journal) == [5, 4, 3, 2, 1]
        assert await journal.trim_audit(before=START + 3 * SECOND, limit=100) == 2
        assert await ids(journal) == [5, 4, 3]
        assert (await journal.bounds()).oldest == 5

    async def test_no_more_than_asked_for_and_never_the_newest(self, journal: Journal) -> None:
        await write(journal, *make_history(4))
        assert await journal.trim_audit(before=START * 2, limit=2) == 2
        assert await journal.trim_audit(before=START * 2, limit=2) == 1
        assert await journal.trim_audit(before=START * 2, limit=2) == 0
        await write(journal, make_record(5))
        assert await ids(journal) == [5, 4]

    async def test_an_older_entry_behind_a_younger_one_stays(self, journal: Journal) -> None:
        late, early = make_record(1, time=START + SECOND), make_record(2, time=START - SECOND)
        await write(journal, late, early, make_record(3))
        assert await journal.trim_audit(before=START, limit=9) == 0
