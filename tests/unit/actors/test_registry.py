"""The registry on a journal in memory: batches, backpressure, crashes, idempotency."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import pytest
import trio
from attrs import define, field
from trio.testing import wait_all_tasks_blocked

from incident_manager.actors import commands as c
from incident_manager.actors import request as request_module
from incident_manager.actors.answers import ANSWER_LIFETIME, Caller, IdempotencyKey
from incident_manager.actors.commands import Command
from incident_manager.actors.errors import (
    ErrorCode,
    IdempotencyMismatch,
    Refused,
    Unavailable,
)
from incident_manager.actors.journal.memory import MemoryStore, open_memory
from incident_manager.actors.model import Ack, Incident, Record
from incident_manager.actors.registry import Answered, Registry, wall_clock
from incident_manager.actors.vocabulary import AckStatus, Kind, ResolutionMethod
from incident_manager.supervision import ChildSpec, Intensity, Supervisor, open_supervisor
from unit.actors.builders import START, make_record, write
from unit.actors.faults import (
    Act,
    Faults,
    FaultyJournal,
    crashing,
    losing,
    refusing,
    stale,
)
from unit.actors.support import WINDOW, make_create, make_submit

RAE = Caller("rae", "rae")


@define
class Office:
    registry: Registry
    store: MemoryStore
    journal: FaultyJournal
    faults: Faults
    supervisor: Supervisor
    announced: list[tuple[int, int]]
    now: list[int]
    forgotten: list[int]
    watchers: list[trio.Event]
    """Woken by what is announced, as the hub is."""
    ended: dict[str, object] = field(factory=dict)

    async def ask(self, *commands: Command, key: IdempotencyKey | None = None) -> Answered:
        return await self.registry.ask(commands, RAE, key=key)

    async def note(self, name: str, *commands: Command, key: IdempotencyKey | None = None) -> None:
        """Ask, and note how it ended."""
        try:
            self.ended[name] = await self.ask(*commands, key=key)
        except (Refused, Unavailable) as error:
            self.ended[name] = error

    def known(self, name: str) -> bool:
        error = self.ended[name]
        assert isinstance(error, Unavailable)
        assert error.message
        return error.known

    @property
    def records(self) -> list[Record]:
        return self.store.records

    @property
    def restarts(self) -> int:
        node = self.supervisor.tree.find("root.registry")
        assert node is not None
        return node.restarts


@asynccontextmanager
async def open_office(
    store: MemoryStore | None = None, *, mailbox: int = 1024, batch: int = 512
) -> AsyncIterator[Office]:
    store = MemoryStore() if store is None else store
    faults = Faults()
    announced: list[tuple[int, int]] = []
    forgotten: list[int] = []
    watchers: list[trio.Event] = []
    now = [START]

    def announce(head: int, records: Sequence[Record]) -> None:
        announced.append((head, len(records)))
        for each in watchers:
            each.set()

    async with open_memory(store) as inner:
        journal = FaultyJournal(inner, faults)
        registry = Registry(
            journal,
            announce,
            window=WINDOW,
            forget=lambda: forgotten.append(store.bounds.head),
            clock=lambda: now[0],
            mailbox=mailbox,
            batch=batch,
        )
        specs = [ChildSpec("registry", registry.run, shutdown=0)]
        async with open_supervisor("root", specs, intensity=Intensity(99, 1.0)) as supervisor:
            yield Office(
                registry, store, journal, faults, supervisor, announced, now, forgotten, watchers
            )


def title(number: int) -> c.SubmitAlert:
    return make_submit(title=f"alert {number}")


def keyed(number: int) -> c.SubmitAlert:
    """One that the journal is always asked about: keys are followed at any age."""
    return make_submit(title=f"alert {number}", source_key=f"key {number}")


def ack_of(answered: object) -> Ack:
    assert isinstance(answered, Answered)
    (ack,) = answered.results
    assert isinstance(ack, Ack)
    return ack


# --- one ask ---


async def test_who_watches_is_told_before_who_asked() -> None:
    # Trio shuffles those who may go on at one moment: once would be luck.
    async with open_office() as office:
        told: list[str] = []

        async def watch(*, task_status: trio.TaskStatus[None]) -> None:
            office.watchers[:] = [trio.Event()]
            task_status.started()
            await office.watchers[0].wait()
            told.append("watcher")

        for number in range(30):
            async with trio.open_nursery() as nursery:
                await nursery.start(watch)
                await office.ask(title(number))
                told.append("asker")
        assert told == ["watcher", "asker"] * 30


async def test_the_answer_comes_after_the_commit_with_its_place() -> None:
    async with open_office() as office:
        answered = await office.ask(make_create())
        (incident,) = answered.results
        assert isinstance(incident, Incident)
        assert office.store.incidents == {incident.id: incident}
        assert answered.cursor == office.store.bounds.cursor
        assert str(answered.cursor) == f"{office.store.epoch}:1"
        assert not answered.replayed
        assert office.announced == [(0, 0), (1, 1)]


async def test_nothing_is_said_before_the_commit() -> None:
    async with open_office() as office, trio.open_nursery() as nursery:
        gate = office.faults.gate("before", "append")
        nursery.start_soon(office.note, "a", make_create())
        await gate.reached.wait()
        await wait_all_tasks_blocked()
        assert not office.ended
        assert office.announced == [(0, 0)]
        gate.opened.set()


async def test_results_are_in_the_order_of_the_commands_and_a_refusal_stops_no_other() -> None:
    async with open_office() as office:
        created = await office.ask(make_create())
        (incident,) = created.results
        assert isinstance(incident, Incident)
        answered = await office.ask(
            c.CloseIncident(incident.id),
            make_submit(title=""),
            c.AddComment(incident.id, "hello"),
            c.ResolveIncident(incident.id, ResolutionMethod.MANUAL, ""),
            c.CloseIncident(incident.id),
        )
        first, second, *others = answered.results
        assert isinstance(first, Refused)
        assert isinstance(second, Refused)
        assert first.code is ErrorCode.INVALID_STATE_TRANSITION
        assert (second.code, second.field) == (ErrorCode.BAD_USER_INPUT, "title")
        assert [i.version for i in others if isinstance(i, Incident)] == [2, 3, 4]
        assert [record.kind for record in office.records] == [
            Kind.CREATE,
            Kind.COMMENT,
            Kind.RESOLVE,
            Kind.CLOSE,
        ]
        assert answered.cursor.offset == 4


async def test_a_request_of_refusals_or_of_nothing_writes_nothing() -> None:
    async with open_office() as office:
        refused = await office.ask(c.CloseIncident("no-such"))
        assert isinstance(refused.results[0], Refused)
        nothing = await office.ask()
        assert nothing.results == ()
        assert nothing.cursor.offset == 0
        assert "append" not in office.faults.calls
        assert office.announced == [(0, 0)]


async def test_events_bear_the_caller() -> None:
    async with open_office() as office:
        caller = Caller("Kim", "sub-1", {"tenant": "acme"}, "00-aa-bb-01")
        await office.registry.ask([make_create()], caller)
        (record,) = office.records
        assert (record.actor, record.principal, record.trace) == ("Kim", "sub-1", "00-aa-bb-01")
        assert record.incident is not None
        assert record.incident.labels == {"tenant": "acme"}
        assert record.time == START


async def test_the_window_is_the_registrys() -> None:
    async with open_office() as office:
        first = ack_of(await office.ask(make_submit()))
        office.now[0] += WINDOW
        assert ack_of(await office.ask(make_submit())).incident_id == first.incident_id
        office.now[0] += 1
        assert ack_of(await office.ask(make_submit())).incident_id != first.incident_id


def test_the_wall_clock_is_in_microseconds() -> None:
    assert 1_600_000_000_000_000 < wall_clock() < 16_000_000_000_000_000


# --- group commit ---


async def test_many_asks_are_few_appends() -> None:
    async with open_office() as office:
        async with trio.open_nursery() as nursery:
            gate = office.faults.gate("before", "append")
            nursery.start_soon(office.note, "first", title(0))
            await gate.reached.wait()
            for number in range(1, 51):
                nursery.start_soon(office.note, str(number), title(number))
            await wait_all_tasks_blocked()
            gate.opened.set()
        assert [len(batch.records) for batch in office.faults.appends] == [1, 50]
        assert office.announced == [(0, 0), (1, 1), (51, 50)]
        assert len({ack_of(end).incident_id for end in office.ended.values()}) == 51


async def test_a_batch_has_a_bound_but_a_request_is_never_parted() -> None:
    async with open_office(batch=4) as office:
        async with trio.open_nursery() as nursery:
            gate = office.faults.gate("before", "append")
            nursery.start_soon(office.note, "first", title(0))
            await gate.reached.wait()
            for number in range(1, 7):
                nursery.start_soon(office.note, str(number), title(number))
            await wait_all_tasks_blocked()
            gate.opened.set()
        await office.ask(*map(title, range(10, 19)))
        assert [len(batch.records) for batch in office.faults.appends] == [1, 4, 2, 9]


async def test_two_equal_alerts_in_one_batch_are_one_incident() -> None:
    async with open_office() as office:
        async with trio.open_nursery() as nursery:
            gate = office.faults.gate("before", "append")
            nursery.start_soon(office.note, "first", title(0))
            await gate.reached.wait()
            for name in "abc":
                nursery.start_soon(office.note, name, title(1))
            await wait_all_tasks_blocked()
            gate.opened.set()
        assert len({ack_of(office.ended[name]).incident_id for name in "abc"}) == 1
        assert sorted(ack_of(office.ended[name]).status for name in "abc") == [
            AckStatus.ACCEPTED,
            AckStatus.DUPLICATE,
            AckStatus.DUPLICATE,
        ]
        assert len(office.faults.appends) == 2


async def test_what_is_known_is_not_loaded_again() -> None:
    async with open_office() as office:
        for _ in range(3):
            await office.ask(make_submit(source_key="k"))
        assert office.faults.calls.count("load") == 1


async def test_what_is_certainly_new_is_not_asked_of_the_journal() -> None:
    async with open_office() as office:
        await office.ask(title(1), title(2))
        assert ack_of(await office.ask(title(1))).status is AckStatus.DUPLICATE
        assert "load" not in office.faults.calls
    async with open_office(office.store) as again:  # it does not know what there was
        assert ack_of(await again.ask(title(1))).status is AckStatus.DUPLICATE
        assert again.faults.calls.count("load") == 1
        again.now[0] += WINDOW + 1
        assert ack_of(await again.ask(title(3))).status is AckStatus.ACCEPTED
        assert again.faults.calls.count("load") == 1


async def test_what_a_clock_that_was_set_back_since_has_seen_is_known() -> None:
    async with open_office() as office:
        office.now[0] += 9 * WINDOW
        await office.ask(title(1))
        office.now[0] = START
        await office.ask(title(2))  # the newest event is not what is created last
    for later in (0, WINDOW + 1, 9 * WINDOW, 10 * WINDOW):
        async with open_office(office.store) as again:
            again.now[0] = START + later
            assert ack_of(await again.ask(title(1))).status is AckStatus.DUPLICATE
    async with open_office(office.store) as again:
        again.now[0] = START + 10 * WINDOW + 1
        assert ack_of(await again.ask(title(3))).status is AckStatus.ACCEPTED
        assert "load" not in again.faults.calls


# --- backpressure and cancellation ---


async def test_a_full_mailbox_makes_askers_wait_and_loses_nobody() -> None:
    async with open_office(mailbox=2) as office:
        async with trio.open_nursery() as nursery:
            gate = office.faults.gate("before", "append")
            nursery.start_soon(office.note, "first", title(0))
            await gate.reached.wait()
            for number in range(1, 10):
                nursery.start_soon(office.note, str(number), title(number))
            await wait_all_tasks_blocked()
            assert not office.ended
            gate.opened.set()
        assert len({ack_of(end).incident_id for end in office.ended.values()}) == 10


async def test_an_ask_that_is_cancelled_while_it_waits_leaves_nothing() -> None:
    async with open_office() as office:
        async with trio.open_nursery() as nursery:
            gate = office.faults.gate("before", "append")
            nursery.start_soon(office.note, "first", title(0))
            await gate.reached.wait()
            scope = trio.CancelScope()

            async def give_up() -> None:
                with scope:
                    await office.note("given up", title(1))

            nursery.start_soon(give_up)
            nursery.start_soon(office.note, "second", title(2))
            await wait_all_tasks_blocked()
            scope.cancel()
            await wait_all_tasks_blocked()
            gate.opened.set()
        assert office.ended.keys() == {"first", "second"}
        assert [r.incident and r.incident.title for r in office.records] == ["alert 0", "alert 2"]


async def test_an_ask_that_is_cancelled_while_it_is_written_is_written() -> None:
    async with open_office() as office:
        async with trio.open_nursery() as nursery:
            gate = office.faults.gate("before", "append")
            scope = trio.CancelScope()

            async def give_up() -> None:
                with scope:
                    await office.note("given up", title(1))

            nursery.start_soon(give_up)
            await gate.reached.wait()
            scope.cancel()
            await wait_all_tasks_blocked()
            gate.opened.set()
        assert not office.ended
        assert ack_of(await office.ask(title(1))).status is AckStatus.DUPLICATE
        assert len(office.records) == 2


# --- failures ---


@pytest.mark.parametrize("what", ["load", "append"])
async def test_what_the_journal_refuses_is_known_not_to_be_done(what: str) -> None:
    async with open_office() as office:
        office.faults.add("before", what, refusing())
        await office.note("a", make_submit(source_key="k"))
        assert office.known("a")
        assert not office.records
        # What was decided meanwhile is forgotten: the same alert makes its incident now.
        ack = ack_of(await office.ask(make_submit(source_key="k")))
        assert ack.status is AckStatus.ACCEPTED
        assert office.restarts == 0
        assert office.announced == [(0, 0), (1, 1)]


async def test_an_answer_that_is_lost_is_unknown_and_the_journal_is_asked_again() -> None:
    async with open_office() as office:
        office.faults.add("after", "append", losing())
        await office.note("a", make_submit())
        assert not office.known("a")
        assert office.restarts == 0
        ack = ack_of(await office.ask(make_submit()))
        assert ack.status is AckStatus.DUPLICATE
        assert office.announced == [(0, 0), (1, 0), (2, 1)]


async def test_a_faster_writer_is_known_and_the_journal_is_asked_again() -> None:
    async with open_office() as office:

        async def overtake() -> None:
            await write(office.journal.inner, make_record(1))

        office.faults.add("before", "append", overtake)
        await office.note("a", make_submit())
        assert office.known("a")
        assert [record.kind for record in office.records] == [Kind.CREATE]
        answered = await office.ask(make_submit())
        assert answered.cursor.offset == 2
        assert office.announced == [(0, 0), (1, 0), (2, 1)]
        assert office.restarts == 0


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("what", ["load", "append"])
async def test_a_crash_leaves_asks_in_flight_unknown_and_queued_ones_waiting(
    when: str, what: str
) -> None:
    async with open_office() as office:
        async with trio.open_nursery() as nursery:
            gate = office.faults.gate(when, what)
            office.faults.add(when, what, crashing())
            nursery.start_soon(office.note, "one", keyed(0))
            await gate.reached.wait()
            nursery.start_soon(office.note, "two", keyed(2))
            nursery.start_soon(office.note, "three", keyed(3))
            await wait_all_tasks_blocked()
            bounds = office.faults.gate("before", "bounds")
            gate.opened.set()
            await bounds.reached.wait()
            assert office.ended.keys() == {"one", "two", "three"}
            nursery.start_soon(office.note, "four", keyed(4))
            await wait_all_tasks_blocked()
            assert "four" not in office.ended
            assert not office.registry.running
            bounds.opened.set()
        assert isinstance(office.ended["one"], Answered)
        assert (office.known("two"), office.known("three")) == (False, False)
        assert ack_of(office.ended["four"]).status is AckStatus.ACCEPTED
        assert office.restarts == 1
        assert office.registry.running
        written = (what, when) == ("append", "after")
        assert len(office.records) == (4 if written else 2)


async def test_a_command_that_nobody_can_decide_takes_only_its_batch_along(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    decide = request_module.decide

    def poisoned(state: object, command: Command, ctx: object) -> object:
        if command == title(13):
            raise ZeroDivisionError
        return decide(state, command, ctx)  # type: ignore[arg-type]

    monkeypatch.setattr(request_module, "decide", poisoned)
    async with open_office() as office:
        await office.note("a", title(1), title(13))
        assert not office.known("a")
        assert not office.records
        ack = ack_of(await office.ask(title(1)))
        assert ack.status is AckStatus.ACCEPTED
        assert office.restarts == 1


async def test_a_restart_by_an_operator_answers_those_in_flight() -> None:
    async with open_office() as office:
        async with trio.open_nursery() as nursery:
            gate = office.faults.gate("before", "append")
            nursery.start_soon(office.note, "a", title(1))
            await gate.reached.wait()
            nursery.start_soon(office.note, "b", title(2))
            await wait_all_tasks_blocked()
            await office.supervisor.restart_child("registry")
        assert not office.known("a")
        assert ack_of(office.ended["b"]).status is AckStatus.ACCEPTED
        assert len(office.records) == 1


async def test_its_figures_are_in_the_tree() -> None:
    async with open_office(mailbox=7) as office, trio.open_nursery() as nursery:
        await office.ask(title(0))
        gate = office.faults.gate("before", "append")
        nursery.start_soon(office.note, "a", title(1))
        await gate.reached.wait()
        nursery.start_soon(office.note, "b", title(2))
        await wait_all_tasks_blocked()
        (node,) = office.supervisor.tree.snapshot().root.children
        assert node.stats == {
            "mailbox_depth": 1,
            "mailbox_capacity": 7,
            "oldest_message_seconds": node.stats["oldest_message_seconds"],
            "messages_handled": 2,
        }
        gate.opened.set()


# --- idempotency keys ---

KEY = IdempotencyKey("rae POST /v1/alerts k1", "digest-1")


async def test_a_key_that_comes_again_gets_the_same_answer_and_no_second_event() -> None:
    async with open_office() as office:
        first = await office.ask(make_submit(), title(2), key=KEY)
        await office.ask(make_create())
        again = await office.ask(make_submit(), title(2), key=KEY)
        assert again.results == first.results
        assert (first.replayed, again.replayed) == (False, True)
        assert len(office.records) == 3
        assert again.cursor.offset == 3


async def test_a_key_holds_after_a_restart() -> None:
    store = MemoryStore()
    async with open_office(store) as office:
        first = await office.ask(make_create(), key=KEY)
    async with open_office(store) as office:
        again = await office.ask(make_create(), key=KEY)
        assert again.results == first.results
        assert again.replayed
        assert len(office.records) == 1


async def test_a_key_twice_in_one_batch_is_done_once() -> None:
    async with open_office() as office:
        async with trio.open_nursery() as nursery:
            gate = office.faults.gate("before", "append")
            nursery.start_soon(office.note, "first", title(0))
            await gate.reached.wait()
            for name in "ab":

                async def ask(name: str = name) -> None:
                    await office.note(name, make_create(), key=KEY)

                nursery.start_soon(ask)
            await wait_all_tasks_blocked()
            gate.opened.set()
        one, two = office.ended["a"], office.ended["b"]
        assert isinstance(one, Answered)
        assert isinstance(two, Answered)
        assert one.results == two.results
        assert {one.replayed, two.replayed} == {False, True}
        assert len(office.records) == 2


async def test_a_key_with_another_body_is_refused_and_stays_the_first_ones() -> None:
    async with open_office() as office:
        first = await office.ask(make_create(), key=KEY)
        other = IdempotencyKey(KEY.name, "digest-2")
        with pytest.raises(IdempotencyMismatch) as caught:
            await office.ask(title(1), key=other)
        assert (caught.value.code, caught.value.field) == (ErrorCode.CONFLICT, "Idempotency-Key")
        assert len(office.records) == 1
        assert (await office.ask(make_create(), key=KEY)).results == first.results


async def test_a_refusal_is_an_answer_that_is_kept_too() -> None:
    async with open_office() as office:
        first = await office.ask(c.CloseIncident("no-such"), make_submit(title=""), key=KEY)
        again = await office.ask(c.CloseIncident("no-such"), make_submit(title=""), key=KEY)
        assert again.replayed
        pairs = [*zip(first.results, again.results, strict=True)]
        assert len(pairs) == 2
        for one, two in pairs:
            assert isinstance(one, Refused)
            assert isinstance(two, Refused)
            assert (one.code, one.message, one.field) == (two.code, two.message, two.field)
        assert not office.records


async def test_a_key_is_forgotten_after_a_day() -> None:
    async with open_office() as office:
        await office.ask(make_create(), key=KEY)
        office.now[0] += ANSWER_LIFETIME - 1
        assert (await office.ask(make_create(), key=KEY)).replayed
        office.now[0] += 1
        again = await office.ask(make_create(), key=KEY)
        assert not again.replayed
        assert len(office.records) == 2
        office.now[0] += ANSWER_LIFETIME - 1
        assert (await office.ask(make_create(), key=KEY)).results == again.results


async def test_a_key_is_forgotten_by_a_registry_that_finds_it_too_old() -> None:
    store = MemoryStore()
    async with open_office(store) as office:
        await office.ask(make_create(), key=KEY)
    async with open_office(store) as office:
        office.now[0] += ANSWER_LIFETIME
        assert not (await office.ask(make_create(), key=KEY)).replayed


async def test_what_was_not_written_is_not_kept_for_its_key() -> None:
    async with open_office() as office:
        office.faults.add("before", "append", refusing())
        await office.note("a", make_create(), key=KEY)
        assert office.known("a")
        again = await office.ask(make_create(), key=KEY)
        assert not again.replayed
        assert len(office.records) == 1


async def test_a_key_makes_the_retry_of_an_unknown_outcome_safe() -> None:
    async with open_office() as office:
        office.faults.add("after", "append", losing())
        await office.note("a", make_create(), key=KEY)
        assert not office.known("a")
        again = await office.ask(make_create(), key=KEY)
        assert again.replayed
        assert len(office.records) == 1


async def test_a_stale_head_that_is_only_said_is_survived() -> None:
    async with open_office() as office:
        office.faults.add("before", "append", stale())
        await office.note("a", make_create(), key=KEY)
        assert office.known("a")
        assert not (await office.ask(make_create(), key=KEY)).replayed
        assert len(office.records) == 1


async def test_after_a_redaction_nothing_of_the_text_is_held() -> None:
    async with open_office() as office:
        secret = make_submit(title="Xanthippe", labels={"user": "Xanthippe"})
        key = IdempotencyKey("once", "digest")
        incident = ack_of(await office.ask(secret, key=key)).incident_id
        assert incident is not None
        redact = c.RedactIncident(incident, "asked for", ("title",), ("user",))
        [after] = (await office.ask(redact)).results
        assert isinstance(after, Incident)
        assert (after.title, after.labels) == ("[redacted]", {"user": "[redacted]"})
        assert office.forgotten == [2]
        assert office.announced[2] == (2, 0)
        assert [each.kind for each in office.records] == [Kind.ALERT, Kind.REDACT]
        assert office.records[0].incident is not None
        assert office.records[0].incident.title == "[redacted]"
        [commented] = (await office.ask(c.AddComment(incident, "done"))).results
        assert isinstance(commented, Incident)
        assert (commented.title, commented.version) == ("[redacted]", 3)
        assert office.restarts == 0


async def test_a_redaction_that_is_not_written_changes_nothing() -> None:
    async with open_office() as office:
        incident = ack_of(await office.ask(make_submit(title="Xanthippe"))).incident_id
        assert incident is not None
        office.faults.add("before", "append", refusing())
        await office.note("lost", c.RedactIncident(incident, "asked for"))
        assert office.known("lost")
        assert office.forgotten == []
        [commented] = (await office.ask(c.AddComment(incident, "still there"))).results
        assert isinstance(commented, Incident)
        assert commented.title == "Xanthippe"


@pytest.mark.parametrize("fault", [losing, crashing])
async def test_of_a_redaction_that_may_be_written_the_old_text_is_not_held(
    fault: Callable[[], Act],
) -> None:
    async with open_office() as office:
        incident = ack_of(await office.ask(make_submit(title="Xanthippe"))).incident_id
        assert incident is not None
        office.faults.add("after", "append", fault())
        await office.note("lost", c.RedactIncident(incident, "asked for"))
        assert not office.known("lost")
        assert office.forgotten == [2]


async def test_a_field_that_cannot_be_redacted_is_refused() -> None:
    async with open_office() as office:
        incident = ack_of(await office.ask(title(1))).incident_id
        assert incident is not None
        [refused] = (await office.ask(c.RedactIncident(incident, "x", ("nothing",)))).results
        assert isinstance(refused, Refused)
        assert (refused.code, refused.field) == (ErrorCode.BAD_USER_INPUT, "fields")
        assert office.forgotten == []
