"""What the port promises, on every adapter."""

import pytest
import trio
import trio.testing
from attrs import evolve

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.base import (
    Answer,
    Append,
    Bounds,
    Journal,
    JournalError,
    JournalUnavailable,
    Loaded,
    Needs,
    StaleHead,
)
from incident_manager.actors.model import KeyState
from incident_manager.actors.vocabulary import AlertStatus, IncidentState, Kind, Severity
from unit.actors.builders import (
    SECOND,
    START,
    change,
    make_alert,
    make_comment,
    make_history,
    make_incident,
    make_record,
    write,
)
from unit.actors.journal.conftest import Opener


class TestBounds:
    async def test_a_new_journal_is_empty_and_has_an_epoch(self, journal: Journal) -> None:
        bounds = await journal.bounds()
        assert (bounds.oldest, bounds.head) == (1, 0)
        assert Cursor.parse(str(bounds.cursor)) == Cursor(bounds.epoch, 0)

    async def test_they_follow_appends(self, journal: Journal) -> None:
        await write(journal, *make_history(3))
        bounds = await journal.bounds()
        assert (bounds.oldest, bounds.head) == (1, 3)

    async def test_a_journal_opened_again_has_lost_nothing(self, opener: Opener) -> None:
        async with opener() as journal:
            await write(journal, *make_history(3))
            bounds = await journal.bounds()
        async with opener() as journal:
            assert await journal.bounds() == bounds
            assert (await journal.read_after(0, 10)).records == make_history(3)
            await write(journal, make_record(4))
            assert await journal.incident(make_incident(4).id) == make_incident(4)

    async def test_it_says_where_it_lies(self, journal: Journal) -> None:
        assert journal.location


class TestAppend:
    async def test_a_record_comes_back_as_it_was(self, journal: Journal) -> None:
        incident = make_incident(
            1,
            title='Ünïcode "quotes" \0 \n 🙂',
            labels={"tenant": "acme", "": "empty"},
            metadata={"k": "v"},
            assignees=("rae", "kim"),
        )
        records = (
            make_record(1, incident, alert=make_alert(1, incident, source_key="k"), trace="00-ab"),
            change(2, incident, Kind.COMMENT),
            change(3, incident, Kind.LINK),
        )
        records = (
            records[0],
            evolve(records[1], comment=make_comment(1)),
            evolve(records[2], related_id=make_incident(2).id, reason="same cause"),
        )
        await write(journal, *records)
        assert (await journal.read_after(0, 10)).records == records

    async def test_the_last_image_in_a_batch_is_the_incident(self, journal: Journal) -> None:
        first = make_incident(1)
        second = change(2, first, state=IncidentState.INVESTIGATING)
        await write(journal, make_record(1, first), second)
        assert await journal.incident(first.id) == second.incident

    async def test_an_unknown_incident_is_none(self, journal: Journal) -> None:
        assert await journal.incident("nobody") is None

    async def test_another_head_is_refused_and_nothing_is_written(self, journal: Journal) -> None:
        await write(journal, *make_history(2))
        answer = Answer("key", "digest", b"body", START)
        for head in (0, 1, 3):
            batch = Append(head, (make_record(head + 1, make_incident(9)),), (answer,))
            with pytest.raises(StaleHead, match=rf"head is 2, not {head}"):
                await journal.append(batch)
        assert (await journal.bounds()).head == 2
        assert await journal.incident(make_incident(9).id) is None
        loaded = await journal.load(Needs(answers=frozenset({"key"})), 0, 0)
        assert loaded.answers == {"key": None}

    async def test_only_answers_need_the_head_too(self, journal: Journal) -> None:
        with pytest.raises(StaleHead):
            await journal.append(Append(1, ()))
        await journal.append(Append(0, ()))

    @pytest.mark.parametrize("offsets", [(2,), (1, 3), (1, 1), (0,)])
    async def test_a_hole_is_a_bug(self, journal: Journal, offsets: tuple[int, ...]) -> None:
        records = tuple(make_record(offset) for offset in offsets)
        with pytest.raises(ValueError, match="follows"):
            await journal.append(Append(0, records))
        assert (await journal.bounds()).head == 0

    async def test_a_cancelled_append_has_ended_either_way(self, journal: Journal) -> None:
        with trio.CancelScope() as scope:
            scope.cancel()
            await write(journal, make_record(1))
        assert scope.cancelled_caught
        assert (await journal.bounds()).head == 0

    async def test_of_concurrent_appends_one_wins(self, journal: Journal) -> None:
        lost: list[int] = []

        async def append(number: int) -> None:
            try:
                await write(journal, make_record(1, make_incident(number)))
            except StaleHead:
                lost.append(number)

        async with trio.open_nursery() as nursery:
            for number in range(5):
                nursery.start_soon(append, number)
        assert len(lost) == 4
        (record,) = (await journal.read_after(0, 10)).records
        for number in range(5):
            stored = await journal.incident(make_incident(number).id)
            assert stored == (None if number in lost else record.incident)


class TestReadAfter:
    async def test_it_reads_in_order_and_no_more_than_asked(self, journal: Journal) -> None:
        history = make_history(5)
        await write(journal, *history)
        chunk = await journal.read_after(1, 2)
        assert chunk.records == history[1:3]
        assert chunk.examined == 3
        assert chunk.bounds == await journal.bounds()
        rest = await journal.read_after(chunk.examined, 10)
        assert rest.records == history[3:]
        assert rest.examined == 5

    @pytest.mark.parametrize("offset", [5, 6, 2**62])
    async def test_at_or_past_the_head_is_nothing(self, journal: Journal, offset: int) -> None:
        await write(journal, *make_history(5))
        chunk = await journal.read_after(offset, 10)
        assert chunk.records == ()
        assert chunk.examined == 5

    async def test_an_empty_journal_has_nothing(self, journal: Journal) -> None:
        chunk = await journal.read_after(0, 10)
        assert (chunk.records, chunk.examined) == ((), 0)

    async def test_before_the_oldest_it_starts_there(self, journal: Journal) -> None:
        await write(journal, *make_history(5))
        await journal.trim(keep=2, before=0, limit=10)
        for offset in (0, 1, 3):
            chunk = await journal.read_after(offset, 10)
            assert [record.offset for record in chunk.records] == [4, 5]
            assert (chunk.bounds.oldest, chunk.bounds.head) == (4, 5)

    @pytest.mark.parametrize(("offset", "limit"), [(-1, 1), (0, 0), (0, -1)])
    async def test_nonsense_is_refused(self, journal: Journal, offset: int, limit: int) -> None:
        with pytest.raises(ValueError, match=r"offset|limit"):
            await journal.read_after(offset, limit)


class TestLoad:
    async def test_what_is_not_there_is_none(self, journal: Journal) -> None:
        needs = Needs(
            frozenset({"i"}), frozenset({("", "f")}), frozenset({("", "k")}), frozenset({"a"})
        )
        assert await journal.load(needs, START, 0) == Loaded(
            {"i": None}, {("", "f"): ()}, {("", "k"): None}, {"i": 0}, {"a": None}
        )
        assert await journal.load(Needs(), START, 0) == Loaded()

    async def test_active_incidents_of_a_fingerprint_newest_first(self, journal: Journal) -> None:
        same = {"fingerprint": "f", "created_at": START}
        incidents = (
            make_incident(1, fingerprint="f", created_at=START - 2),
            make_incident(2, **same),
            make_incident(3, **same),
            make_incident(4, fingerprint="f", created_at=START - 1),
            make_incident(5, **same, state=IncidentState.RESOLVED),
            make_incident(6, **same, state=IncidentState.CLOSED),
            make_incident(7, **same, scope="tenant=acme"),
        )
        await write(journal, *[make_record(n, i) for n, i in enumerate(incidents, start=1)])
        one, two, three, four, *_, seven = incidents
        needs = Needs(fingerprints=frozenset({("", "f"), ("tenant=acme", "f")}))
        loaded = await journal.load(needs, START, START - 1)
        assert loaded.fingerprints == {
            ("", "f"): (three.id, two.id, four.id),
            ("tenant=acme", "f"): (seven.id,),
        }
        assert loaded.incidents == {each.id: each for each in (two, three, four, seven)}
        loaded = await journal.load(needs, START, 0)
        assert loaded.fingerprints["", "f"] == (three.id, two.id, four.id, one.id)

    async def test_an_incident_leaves_and_comes_back(self, journal: Journal) -> None:
        incident = make_incident(1, fingerprint="f")
        needs = Needs(fingerprints=frozenset({("", "f"), ("", "g")}))

        async def found() -> dict[str, tuple[str, ...]]:
            loaded = await journal.load(needs, START, 0)
            return {fingerprint: ids for (_, fingerprint), ids in loaded.fingerprints.items()}

        await write(journal, make_record(1, incident))
        assert await found() == {"f": (incident.id,), "g": ()}
        resolved = change(2, incident, Kind.RESOLVE, state=IncidentState.RESOLVED)
        await write(journal, resolved)
        assert await found() == {"f": (), "g": ()}
        assert resolved.incident is not None
        again = change(3, resolved.incident, state=IncidentState.INVESTIGATING, fingerprint="g")
        await write(journal, again)
        assert await found() == {"f": (), "g": (incident.id,)}

    async def test_source_keys_and_how_many_fire(self, journal: Journal) -> None:
        one, two = make_incident(1), make_incident(2)

        async def alert(offset: int, key: str, status: AlertStatus, incident=one) -> None:
            sent = make_alert(offset, incident, source_key=key, status=status)
            await write(journal, make_record(offset, incident, kind=Kind.ALERT, alert=sent))

        async def firing() -> tuple[int, int]:
            loaded = await journal.load(Needs(frozenset({one.id, two.id})), START, 0)
            return loaded.firing[one.id], loaded.firing[two.id]

        await alert(1, "a", AlertStatus.CREATED_INCIDENT)
        await alert(2, "b", AlertStatus.DEDUPLICATED)
        await alert(3, "b", AlertStatus.MERGED)
        assert await firing() == (2, 0)
        await alert(4, "a", AlertStatus.RESOLVED)
        assert await firing() == (1, 0)
        await alert(5, "b", AlertStatus.CREATED_INCIDENT, two)
        assert await firing() == (0, 1)
        needs = Needs(keys=frozenset({("", "a"), ("", "b"), ("other", "a")}))
        loaded = await journal.load(needs, START, 0)
        assert loaded.keys == {
            ("", "a"): KeyState("", "a", one.id, firing=False),
            ("", "b"): KeyState("", "b", two.id, firing=True),
            ("other", "a"): None,
        }
        assert loaded.incidents == {one.id: one, two.id: two}
        assert loaded.firing == {one.id: 0, two.id: 1}

    async def test_an_alert_of_no_incident_is_an_event(self, journal: Journal) -> None:
        alert = make_alert(1, status=AlertStatus.IGNORED, source_key="k")
        record = evolve(make_record(1), incident=None, kind=Kind.ALERT, alert=alert)
        await write(journal, record)
        assert (await journal.read_after(0, 10)).records == (record,)
        loaded = await journal.load(Needs(keys=frozenset({("", "k")})), START, 0)
        assert loaded.keys == {("", "k"): None}

    async def test_answers_until_they_expire(self, journal: Journal) -> None:
        answer = Answer("key", "digest", b"\x00\xff", START + 10)
        await journal.append(Append(0, (make_record(1),), (answer,)))
        needs = Needs(answers=frozenset({"key"}))
        assert (await journal.load(needs, START + 9, 0)).answers == {"key": answer}
        assert (await journal.load(needs, START + 10, 0)).answers == {"key": None}
        newer = evolve(answer, digest="other", expires_at=START + 20)
        await journal.append(Append(1, (), (newer,)))
        assert (await journal.load(needs, START + 10, 0)).answers == {"key": newer}


class TestTrim:
    async def test_by_count(self, journal: Journal) -> None:
        await write(journal, *make_history(10))
        assert await journal.trim(keep=4, before=0, limit=100) == 6
        bounds = await journal.bounds()
        assert (bounds.oldest, bounds.head) == (7, 10)
        assert await journal.trim(keep=4, before=0, limit=100) == 0

    async def test_by_age(self, journal: Journal) -> None:
        await write(journal, *make_history(10))
        assert await journal.trim(keep=0, before=START + 4 * SECOND, limit=100) == 3
        assert (await journal.bounds()).oldest == 4

    async def test_whichever_drops_more(self, journal: Journal) -> None:
        await write(journal, *make_history(10))
        assert await journal.trim(keep=8, before=START + 5 * SECOND, limit=100) == 4
        assert await journal.trim(keep=3, before=START + 6 * SECOND, limit=100) == 3

    async def test_a_call_is_bounded(self, journal: Journal) -> None:
        await write(journal, *make_history(10))
        went = [await journal.trim(keep=1, before=0, limit=4) for _ in range(4)]
        assert went == [4, 4, 1, 0]

    async def test_without_bounds_nothing_goes(self, journal: Journal) -> None:
        await write(journal, *make_history(3))
        assert await journal.trim(keep=0, before=0, limit=100) == 0

    async def test_an_empty_journal_stays_so(self, journal: Journal) -> None:
        assert await journal.trim(keep=1, before=START * 2, limit=100) == 0
        bounds = await journal.bounds()
        assert (bounds.oldest, bounds.head) == (1, 0)

    async def test_the_newest_stays_and_offsets_go_on(self, opener: Opener) -> None:
        async with opener() as journal:
            await write(journal, *make_history(3))
            assert await journal.trim(keep=0, before=START * 2, limit=100) == 2
        async with opener() as journal:
            bounds = await journal.bounds()
            assert (bounds.oldest, bounds.head) == (3, 3)
            with pytest.raises(StaleHead):
                await write(journal, make_record(1))
            await write(journal, make_record(4))

    async def test_a_young_event_keeps_what_follows(self, journal: Journal) -> None:
        times = (1, 9, 2, 3)
        await write(journal, *[make_record(n, time=t) for n, t in enumerate(times, start=1)])
        assert await journal.trim(keep=0, before=5, limit=100) == 1

    async def test_only_events_go(self, journal: Journal) -> None:
        incident = make_incident(1)
        alert = make_alert(1, incident, source_key="k")
        await write(journal, make_record(1, incident, alert=alert), make_record(2))
        assert await journal.trim(keep=1, before=0, limit=100) == 1
        needs = Needs(frozenset({incident.id}), keys=frozenset({("", "k")}))
        loaded = await journal.load(needs, START, 0)
        assert loaded.incidents[incident.id] == incident
        assert loaded.keys["", "k"] is not None
        assert loaded.firing[incident.id] == 1

    async def test_expired_answers_are_forgotten(self, journal: Journal) -> None:
        answers = [Answer(f"key{n}", "digest", b"", START + n) for n in range(4)]
        await journal.append(Append(0, (), tuple(answers)))
        needs = Needs(answers=frozenset({"key0", "key1", "key2", "key3"}))

        async def left() -> set[str]:
            # An earlier clock shows what is left: it has no part in what was dropped.
            loaded = (await journal.load(needs, 0, 0)).answers
            return {key for key, answer in loaded.items() if answer}

        await journal.trim(keep=0, before=0, limit=2)
        assert len(await left()) == 4
        await journal.trim(keep=0, before=0, limit=2, expired=START + 2)
        assert len(await left()) == 2
        await journal.trim(keep=0, before=0, limit=2, expired=START + 2)
        assert await left() == {"key3"}


class TestClosed:
    async def test_every_call_says_so(self, opener: Opener) -> None:
        async with opener() as journal:
            pass
        for call in (
            journal.bounds,
            lambda: journal.load(Needs(), 0, 0),
            lambda: write(journal, make_record(1)),
            lambda: journal.read_after(0, 1),
            lambda: journal.incident("i"),
            lambda: journal.trim(keep=1, before=0, limit=1),
            journal.probe,
        ):
            with pytest.raises(JournalUnavailable, match="closed") as caught:
                await call()
            assert caught.value.written is False

    async def test_a_second_opener_is_refused_until_then(self, opener: Opener) -> None:
        async with opener() as journal:
            with pytest.raises(JournalError, match="in use"):
                async with opener():
                    raise AssertionError
            await journal.probe()
        async with opener() as journal:
            await journal.probe()

    async def test_closing_waits_for_what_runs(self, opener: Opener) -> None:
        ended: list[Bounds] = []

        async def read(journal: Journal) -> None:
            ended.append(await journal.bounds())

        async with trio.open_nursery() as nursery, opener() as journal:
            await write(journal, make_record(1, make_incident(1, severity=Severity.P0)))
            for _ in range(3):
                nursery.start_soon(read, journal)
            # Let each begin: then closing has to wait for them.
            await trio.testing.wait_all_tasks_blocked()
        assert [bounds.head for bounds in ended] == [1, 1, 1]
