"""The journal's actor: waits, refusals, colours, and the housekeeping."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import iscoroutinefunction

import pytest
import trio
from attrs import define, evolve
from trio.testing import MockClock, wait_all_tasks_blocked

from incident_manager.actors.journal import keeper as keeper_module
from incident_manager.actors.journal.base import (
    Answer,
    Append,
    IncidentQuery,
    Journal,
    JournalUnavailable,
    Needs,
)
from incident_manager.actors.journal.keeper import Keeper, Retention
from incident_manager.actors.journal.memory import MemoryStore, open_memory
from incident_manager.actors.journal.reads import AlertQuery, AuditQuery, SearchQuery
from incident_manager.actors.vocabulary import AlertStatus, IncidentState, Kind, Severity
from incident_manager.supervision import ChildSpec, Intensity, Supervisor, open_supervisor
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
from unit.actors.faults import Faults, crashing, open_faulty, refusing

DAY = 86_400 * SECOND
HISTORY = make_history(9)
UNBOUNDED = Retention(days=0, events=0)


@define
class House:
    keeper: Keeper
    store: MemoryStore
    faults: Faults
    supervisor: Supervisor
    clock: MockClock
    now: list[int]

    async def an_interval_later(self) -> None:
        self.clock.jump(5)
        await wait_all_tasks_blocked()

    def failure_in_tree(self) -> object:
        (node,) = self.supervisor.tree.snapshot().root.children
        return node.stats["failure"]


@asynccontextmanager
async def open_house(clock: MockClock, retention: Retention = UNBOUNDED) -> AsyncIterator[House]:
    store, faults, now = MemoryStore(), Faults(), [START]
    keeper = Keeper(
        lambda: open_faulty(open_memory(store), faults),
        retention=retention,
        clock=lambda: now[0],
        interval=5.0,
    )
    specs = [ChildSpec("journal", keeper.run, shutdown=0)]
    async with open_supervisor("root", specs, intensity=Intensity(99, 1.0)) as supervisor:
        await wait_all_tasks_blocked()
        yield House(keeper, store, faults, supervisor, clock, now)


async def test_it_is_the_journal_while_it_is_open(mock_clock: MockClock) -> None:
    async with open_house(mock_clock) as house:
        await write(house.keeper, *HISTORY[:3])
        assert (await house.keeper.bounds()) == house.store.bounds
        assert house.keeper.location == "memory (nothing is kept)"
        assert house.keeper.failure is None
        (node,) = house.supervisor.tree.snapshot().root.children
        assert node.stats == {"appends": 1, "messages_handled": 3, "failure": None}


# Every call of the port, how it is made, and whether it waits for the journal to be open again.
READS: dict[str, Callable[[Journal], Awaitable[object]]] = {
    "bounds": lambda j: j.bounds(),
    "read_after": lambda j: j.read_after(0, 9),
    "incident": lambda j: j.incident(make_incident(1).id),
    "incidents": lambda j: j.incidents(IncidentQuery()),
    "search": lambda j: j.search(SearchQuery("checkout")),
    "stats": lambda j: j.stats(IncidentQuery()),
    "alert": lambda j: j.alert("1"),
    "alerts": lambda j: j.alerts(AlertQuery()),
    "incidents_by_id": lambda j: j.incidents_by_id(iter([make_incident(1).id])),
    "related": lambda j: j.related(iter([make_incident(1).id]), 1),
    "alerts_of": lambda j: j.alerts_of(iter([make_incident(1).id]), 1),
    "comments_of": lambda j: j.comments_of(iter([make_incident(1).id]), 1),
    "timeline_of": lambda j: j.timeline_of(iter([make_incident(1).id]), 1),
    "trim": lambda j: j.trim(keep=0, before=0, limit=9),
    "audit": lambda j: j.audit(AuditQuery()),
    "alerts_by_id": lambda j: j.alerts_by_id(iter(["1"])),
    "read_bearing": lambda j: j.read_bearing((("a", "1"),), 0, 9),
    "secret": lambda j: j.secret(),
    "trim_audit": lambda j: j.trim_audit(before=0, limit=9),
}
WRITES: dict[str, Callable[[Journal], Awaitable[object]]] = {
    "load": lambda j: j.load(Needs(), 0, 0),
    "append": lambda j: j.append(Append(0, HISTORY[:1])),
    "note": lambda j: j.note(()),
    "probe": lambda j: j.probe(),
    "tidy": lambda j: j.tidy(),
}


def test_every_call_of_the_port_is_here() -> None:
    calls = {
        name
        for name in dir(Journal)
        if iscoroutinefunction(getattr(Journal, name)) and not name.startswith("_")
    }
    assert calls == READS.keys() | WRITES.keys()


async def down(house: House, nursery: trio.Nursery) -> trio.Event:
    """Crash the journal, and hold its restart until the event is set."""
    gate = house.faults.gate("before", "open")
    house.faults.doom.set()
    await gate.reached.wait()
    assert house.keeper.failure == "the journal is not open"
    assert house.keeper.location == ""
    return gate.opened


@pytest.mark.parametrize("call", READS)
async def test_reads_wait_while_it_is_down(
    call: str, mock_clock: MockClock, nursery: trio.Nursery
) -> None:
    async with open_house(mock_clock) as house:
        await write(house.keeper, *HISTORY[:3])
        expected = await READS[call](house.keeper)
        up = await down(house, nursery)
        found: list[object] = []

        async def read() -> None:
            found.append(await READS[call](house.keeper))

        nursery.start_soon(read)
        await wait_all_tasks_blocked()
        assert not found
        up.set()
        await wait_all_tasks_blocked()
        assert found == [expected]


@pytest.mark.parametrize("call", READS)
async def test_reads_that_a_crash_meets_are_made_again(call: str, mock_clock: MockClock) -> None:
    async with open_house(mock_clock) as house:
        await write(house.keeper, *HISTORY[:3])
        expected = await READS[call](house.keeper)
        gate = house.faults.gate("before", call)
        found: list[object] = []

        async def read() -> None:
            found.append(await READS[call](house.keeper))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(read)
            await gate.reached.wait()
            await house.faults.crash_journal()
            gate.opened.set()
        assert found == [expected]
        assert house.faults.calls.count(call) >= 3  # once in vain


@pytest.mark.parametrize("call", WRITES)
async def test_writes_are_refused_while_it_is_down(
    call: str, mock_clock: MockClock, nursery: trio.Nursery
) -> None:
    async with open_house(mock_clock) as house:
        up = await down(house, nursery)
        with pytest.raises(JournalUnavailable, match="restarting") as caught:
            await WRITES[call](house.keeper)
        assert caught.value.written is False
        up.set()
        await wait_all_tasks_blocked()
        await WRITES[call](house.keeper)
        assert house.keeper.failure is None


async def test_a_read_that_the_open_journal_refuses_is_refused(mock_clock: MockClock) -> None:
    async with open_house(mock_clock) as house:
        house.faults.add("before", "read_after", refusing())
        with pytest.raises(JournalUnavailable, match="disk is full"):
            await house.keeper.read_after(0, 9)


async def test_it_counts_what_incidents_come_to(mock_clock: MockClock) -> None:
    incident = make_incident(severity=Severity.P1)
    began = make_record(1, incident)
    named = change(2, incident, assignees=("ann",))
    solved = change(3, named.incident or incident, state=IncidentState.RESOLVED)
    alert = make_alert(status=AlertStatus.DEDUPLICATED)
    joined = evolve(change(4, incident, Kind.ALERT), alert=alert)
    nobodys = evolve(make_record(5), incident=None, alert=make_alert(2, incident_id=None))
    async with open_house(mock_clock) as house:
        keeper = house.keeper
        await write(keeper, began, named)
        await write(keeper, solved)
        house.faults.add("before", "append", refusing())
        with pytest.raises(JournalUnavailable):
            await write(keeper, joined)
        assert keeper.entered == {
            (Severity.P1, IncidentState.NEW): 1,
            (Severity.P1, IncidentState.RESOLVED): 1,
        }
        assert (keeper.joined, keeper.append_seconds.count) == (0, 2)
        await write(keeper, joined, nobodys)
        assert keeper.joined == 1
        assert keeper.append_seconds.count == 3


async def test_a_failed_append_turns_it_red_and_a_good_probe_green(
    mock_clock: MockClock, caplog: pytest.LogCaptureFixture
) -> None:
    async with open_house(mock_clock) as house:
        for _ in range(2):
            house.faults.add("before", "append", refusing())
            with pytest.raises(JournalUnavailable):
                await write(house.keeper, *HISTORY[:1])
        assert house.keeper.failure == house.failure_in_tree() == "The disk is full."
        house.faults.add("before", "probe", refusing())
        await house.an_interval_later()
        assert house.keeper.failure == "The disk is full."
        await house.an_interval_later()
        assert house.keeper.failure is None
        assert house.failure_in_tree() is None
        assert [r.levelname for r in caplog.records] == ["ERROR"]  # said once, not each time


async def test_a_failed_probe_turns_it_red_before_anybody_writes(mock_clock: MockClock) -> None:
    async with open_house(mock_clock) as house:
        house.faults.add("before", "probe", refusing())
        await house.an_interval_later()
        assert house.keeper.failure == "The disk is full."
        await house.an_interval_later()
        assert house.keeper.failure is None


async def test_it_probes_again_and_again(mock_clock: MockClock) -> None:
    async with open_house(mock_clock) as house:
        assert house.faults.calls.count("probe") == 1
        mock_clock.jump(4.9)
        await wait_all_tasks_blocked()
        assert house.faults.calls.count("probe") == 1
        mock_clock.jump(0.2)
        await wait_all_tasks_blocked()
        assert house.faults.calls.count("probe") == 2


async def test_a_trim_that_fails_is_survived(mock_clock: MockClock) -> None:
    async with open_house(mock_clock) as house:
        house.faults.add("before", "trim", refusing())
        await house.an_interval_later()
        assert house.keeper.failure == "The disk is full."
        await house.an_interval_later()
        assert house.keeper.failure is None


async def test_events_are_trimmed_by_number(mock_clock: MockClock) -> None:
    async with open_house(mock_clock, Retention(days=0, events=4)) as house:
        house.now[0] += 1000 * DAY
        await write(house.keeper, *HISTORY)
        await house.an_interval_later()
        assert [record.offset for record in house.store.records] == [6, 7, 8, 9]


async def test_events_are_trimmed_by_age(mock_clock: MockClock) -> None:
    async with open_house(mock_clock, Retention(days=1.5, events=0)) as house:
        await write(house.keeper, *HISTORY)
        house.now[0] = HISTORY[3].time + DAY * 3 // 2
        await house.an_interval_later()
        assert [record.offset for record in house.store.records] == [4, 5, 6, 7, 8, 9]


async def test_without_bounds_nothing_is_trimmed(mock_clock: MockClock) -> None:
    async with open_house(mock_clock, UNBOUNDED) as house:
        await write(house.keeper, *HISTORY)
        house.now[0] += 10_000 * DAY
        await house.an_interval_later()
        assert len(house.store.records) == 9


async def test_answers_go_when_they_have_expired_whether_or_not_anybody_asks(
    mock_clock: MockClock,
) -> None:
    async with open_house(mock_clock) as house:
        answers = tuple(Answer(f"key{n}", "digest", b"", START + n * DAY) for n in (1, 2, 3))
        await house.keeper.append(Append(0, (), answers))
        for later, left in ((DAY - 1, 3), (DAY, 2), (2 * DAY + 1, 1)):
            house.now[0] = START + later
            await house.an_interval_later()
            assert len(house.store.answers) == left


async def test_it_trims_in_bounded_steps_and_lets_others_in_between(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_TRIM_STEP", 2)
    async with open_house(mock_clock, Retention(days=0, events=4)) as house:
        await write(house.keeper, *HISTORY)
        calls = house.faults.calls.count("trim")
        gates = [house.faults.gate("before", "trim") for _ in range(3)]
        mock_clock.jump(5)
        for gate, left in zip(gates, (9, 7, 5), strict=True):
            await wait_all_tasks_blocked()
            assert gate.reached.is_set()
            assert len(house.store.records) == left
            gate.opened.set()
        await wait_all_tasks_blocked()
        assert len(house.store.records) == 4
        assert house.faults.calls.count("trim") == calls + 4  # the last finds nothing


async def test_the_audit_is_trimmed_by_its_own_age(mock_clock: MockClock) -> None:
    async with open_house(mock_clock, Retention(days=0, events=0, audit_days=2)) as house:
        await write(house.keeper, *HISTORY)
        house.now[0] = HISTORY[3].time + 2 * DAY
        await house.an_interval_later()
        assert [entry.id for entry in house.store.audit] == [4, 5, 6, 7, 8, 9]
        assert len(house.store.records) == 9


async def test_an_audit_without_a_bound_is_kept(mock_clock: MockClock) -> None:
    async with open_house(mock_clock, Retention(days=0, events=0, audit_days=0)) as house:
        await write(house.keeper, *HISTORY)
        house.now[0] += 10_000 * DAY
        await house.an_interval_later()
        assert len(house.store.audit) == 9


async def test_refused_sign_ins_come_into_the_audit_in_one_entry_each_round(
    mock_clock: MockClock,
) -> None:
    async with open_house(mock_clock) as house:
        for _ in range(50):
            house.keeper.refusals.add("10.0.0.1", "expired", START)
        await house.an_interval_later()
        await house.an_interval_later()
        house.keeper.refusals.add("10.0.0.1", "expired", START)
        await house.an_interval_later()
        assert [entry.detail["count"] for entry in house.store.audit] == ["50", "1"]


async def test_refusals_that_cannot_be_written_are_counted_on(mock_clock: MockClock) -> None:
    async with open_house(mock_clock) as house:
        house.keeper.refusals.add("10.0.0.1", "expired", START)
        house.faults.add("before", "note", refusing())
        await house.an_interval_later()
        assert house.keeper.failure == "The disk is full."
        assert house.store.audit == []
        house.keeper.refusals.add("10.0.0.1", "expired", START)
        await house.an_interval_later()
        assert [entry.detail["count"] for entry in house.store.audit] == ["2"]


async def test_the_last_refusals_are_written_at_the_end(mock_clock: MockClock) -> None:
    async with open_house(mock_clock) as house:
        house.keeper.refusals.add("10.0.0.1", "expired", START)
    assert [entry.detail["count"] for entry in house.store.audit] == ["1"]


async def test_where_the_last_refusals_cannot_be_written_it_is_not_lent_any_more(
    mock_clock: MockClock,
) -> None:
    async with open_house(mock_clock) as house:
        house.keeper.refusals.add("10.0.0.1", "expired", START)
        house.faults.add("before", "note", crashing())
        gate = house.faults.gate("before", "open")
        house.faults.doom.set()
        await gate.reached.wait()
        assert house.keeper.failure == "the journal is not open"
        gate.opened.set()
        assert await house.keeper.bounds() == house.store.bounds
        assert house.keeper.failure is None


async def test_what_is_no_refusal_is_a_crash(mock_clock: MockClock) -> None:
    async with open_house(mock_clock) as house:
        await write(house.keeper, *HISTORY[:2])
        house.faults.add("before", "probe", crashing())
        await house.an_interval_later()
        assert house.faults.opens == 2
        assert (await house.keeper.bounds()).head == 2


def test_the_defaults_are_thirty_days_and_a_million() -> None:
    assert Retention() == Retention(days=30.0, events=1_000_000, audit_days=365.0)


async def test_what_appends_put_off_is_done_beside_them(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_UNTIDY", 4)
    async with open_house(mock_clock) as house:  # which has probed
        await write(house.keeper, *HISTORY[:2])
        await wait_all_tasks_blocked()
        assert "tidy" not in house.faults.calls
        gate = house.faults.gate("before", "tidy")
        await write(house.keeper, *HISTORY[2:4])
        await gate.reached.wait()
        await write(house.keeper, *HISTORY[4:6])  # it waits for nothing
        gate.opened.set()
        await wait_all_tasks_blocked()
        assert house.faults.calls.count("tidy") == 1
        await write(house.keeper, *HISTORY[6:8])
        await wait_all_tasks_blocked()
        assert house.faults.calls.count("tidy") == 2
        probes = house.faults.calls.count("probe")
        await house.an_interval_later()
        assert house.faults.calls.count("probe") == probes + 1


async def test_what_probes_write_is_tidied_up_where_nothing_happens_too(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_UNTIDY", 3)
    async with open_house(mock_clock) as house:
        for tidied in (0, 1, 1, 1, 2):
            await house.an_interval_later()
            assert house.faults.calls.count("tidy") == tidied


async def test_a_journal_that_cannot_tidy_up_says_so_until_it_can(
    mock_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeper_module, "_UNTIDY", 1)
    async with open_house(mock_clock) as house:
        house.faults.add("before", "tidy", refusing())
        await write(house.keeper, *HISTORY[:1])
        await wait_all_tasks_blocked()
        assert house.keeper.failure == "The disk is full."
        await write(house.keeper, *HISTORY[1:2])
        await wait_all_tasks_blocked()
        assert house.keeper.failure is None
