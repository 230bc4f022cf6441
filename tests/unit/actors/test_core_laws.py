"""A state machine over lifecycle, registry and journal, with crashes between any two steps."""

import tempfile
import time
from collections import defaultdict
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import ClassVar

import trio
import trio.testing
from attrs import Factory, define, evolve, frozen
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from incident_manager.actors import commands as c
from incident_manager.actors.answers import Caller, IdempotencyKey
from incident_manager.actors.commands import Command
from incident_manager.actors.errors import IdempotencyMismatch, Refused, Unavailable
from incident_manager.actors.journal.base import Append, Needs, OpenJournal
from incident_manager.actors.journal.keeper import Retention
from incident_manager.actors.journal.memory import MemoryStore, open_memory
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.model import Ack, Incident, Record
from incident_manager.actors.registry import Answered
from incident_manager.actors.system import System, SystemSettings, open_system
from incident_manager.actors.vocabulary import (
    AlertStatus,
    IncidentState,
    ResolutionMethod,
    Severity,
)
from unit.actors.builders import SECOND, START
from unit.actors.fakes import FakeProjector
from unit.actors.faults import Act, Faults, crashing, losing, open_faulty, refusing
from unit.actors.portal import Portal
from unit.actors.support import WINDOW, Desk, fold, load, make_create, make_submit

# --- what is asked ---

PATIENCE = 60.0  # seconds


@frozen
class Wish:
    """A command before it is known which incidents there are."""

    what: str
    which: int = 0
    other: int = 0
    key: int | None = None

    def command(self, ids: Sequence[str]) -> Command:
        one = ids[self.which % len(ids)] if ids else "no-such"
        two = ids[self.other % len(ids)] if ids else "no-such"
        match self.what:
            case "fire" | "gone":
                return make_submit(
                    title=f"alert {self.which % 3}",
                    source_key=None if self.key is None else f"key {self.key}",
                    resolved=self.what == "gone",
                )
            case "create":  # of the fingerprint of an alert
                kind = make_submit().incident_type
                title = f"alert {self.which % 3}"
                return make_create(title=title, source="prometheus", incident_type=kind)
            case "resolve":
                return c.ResolveIncident(one, ResolutionMethod.MANUAL, "done")
            case "close":
                return c.CloseIncident(one)
            case "reopen":
                return c.ReopenIncident(one)
            case "update":
                state = list(IncidentState)[self.other % 6]
                return c.UpdateIncident(one, state=state, add_labels={"n": str(self.other)})
            case "expect":
                return c.AssignIncident(one, ("kim",), expected_version=self.other)
            case "escalate":
                return c.EscalateIncident(one, list(Severity)[self.other % 5], "worse")
            case "link":
                return c.LinkIncidents(one, two)
            case "acknowledge":
                return c.AcknowledgeIncident(one)
            case "comment":
                return c.AddComment(one, "hello")
        return c.AddComment(one, "\0")  # what no journal should be asked to keep


WHATS = (
    *("fire", "fire", "create", "resolve", "resolve", "close", "reopen", "update", "expect"),
    *("escalate", "link", "acknowledge", "comment", "nonsense"),
)
NUMBERS = st.integers(0, 7)
ALERTS = st.builds(Wish, st.sampled_from(["fire", "gone"]), NUMBERS, key=st.integers(0, 2))
WISHES = ALERTS | st.builds(Wish, st.sampled_from(WHATS), NUMBERS, NUMBERS)
REQUESTS = st.tuples(st.lists(WISHES, min_size=1, max_size=3), st.booleans())
BATCHES = st.lists(REQUESTS, min_size=1, max_size=4)

# --- what goes wrong: (when, what, how) ---

ANYWHERE = ("crash", "restart registry", "restart journal", "crash journal", "halt", "cancel")
FAULTS = st.tuples(
    st.sampled_from(["before", "after"]),
    st.sampled_from(["load", "append", "append", "append", "bounds"]),
    st.sampled_from(ANYWHERE),
) | st.sampled_from(
    [
        ("before", "load", "refuse"),
        ("before", "append", "refuse"),
        ("before", "append", "overtake"),
        ("after", "append", "lose"),
        ("before", "bounds", "refuse"),
    ]
)
TROUBLE = st.lists(FAULTS, max_size=3)


@define
class Sent:
    """A request, and what its sender knows of it."""

    name: str
    commands: tuple[Command, ...]
    key: IdempotencyKey | None
    ends: list[str] = Factory(list)
    answers: list[Answered] = Factory(list)


@define
class World:
    """The system on one store, with everything that may befall it."""

    opener: Callable[[], OpenJournal]
    portal: Portal
    faults: Faults = Factory(Faults)
    now: int = START
    overtakers: int = 0
    scopes: list[trio.CancelScope] = Factory(list)
    system: System = None  # type: ignore[assignment]
    halted: bool = False
    _halt: trio.Event = None  # type: ignore[assignment]
    _ended: trio.Event = None  # type: ignore[assignment]

    async def start(self) -> None:
        self.halted = False
        self.faults.clear()
        await self.portal.nursery.start(self._run)

    async def _run(self, *, task_status: trio.TaskStatus[None]) -> None:
        self._halt, self._ended = trio.Event(), trio.Event()
        async with open_system(
            lambda: open_faulty(self.opener(), self.faults),
            lambda _: FakeProjector(),
            SystemSettings(window=WINDOW, retention=Retention(0, 0)),
            clock=lambda: self.now,
        ) as self.system:
            task_status.started()
            await self._halt.wait()
        self._ended.set()

    async def restart(self) -> None:
        self.halted = True
        self._halt.set()
        await self._ended.wait()
        await self.start()

    async def send(self, sent: Sequence[Sent]) -> None:
        """Ask all at once, wait until each has ended, and let the system recover."""
        async with trio.open_nursery() as nursery:
            for each in sent:
                nursery.start_soon(self._ask, each)
        self.scopes.clear()
        self.faults.clear()
        if self.halted:
            await self.restart()
        await self._settle()
        self.portal.clock.jump(31)  # crashes of different steps do not add up

    async def _settle(self) -> None:
        """Who was cancelled may have been taken already: let the registry come to its end."""
        nothing = (c.AcknowledgeIncident("no-such"),)
        end = time.monotonic() + PATIENCE
        while time.monotonic() < end:  # threads take their time, which is not the loop's
            try:
                await self.system.ask(nothing, Caller("rae", "rae"))
            except Unavailable:
                await trio.testing.wait_all_tasks_blocked()
            else:
                return
        raise AssertionError("it does not recover")

    async def _ask(self, sent: Sent) -> None:
        caller = Caller("rae", "rae", trace=sent.name)
        scope = trio.CancelScope()
        self.scopes.append(scope)
        end = "cancelled"
        with scope:
            try:
                sent.answers.append(await self.system.ask(sent.commands, caller, key=sent.key))
                end = "answered"
            except Unavailable as error:
                end = "not done" if error.known else "unknown"
        sent.ends.append(end)

    def act(self, how: str) -> Act:
        match how:
            case "crash":
                return crashing()
            case "refuse":
                return refusing()
            case "lose":
                return losing()
            case "overtake":
                return self._overtake
            case "restart registry" | "restart journal":
                child = how.split()[1]
                return lambda: self.system.supervisor.restart_child(child)
            case "crash journal":
                return self.faults.crash_journal
            case "halt":
                return self._halt_here
        return self._cancel

    async def _overtake(self) -> None:
        """Another writer is faster."""
        self.overtakers += 1
        journal = self.system.journal
        head = (await journal.bounds()).head
        desk = Desk(now=self.now)
        foreign = evolve(
            desk.decide(make_create(title=f"foreign {self.overtakers}")).records[0],
            offset=head + 1,
            trace="foreign",
        )
        assert foreign.incident is not None
        incident = evolve(foreign.incident, id=f"foreign-{self.overtakers}")
        await journal._journal.inner.append(  # type: ignore[union-attr]
            Append(head, (evolve(foreign, incident=incident),))
        )

    async def _halt_here(self) -> None:
        self.halted = True
        self._halt.set()
        await self._cancel()
        await trio.sleep_forever()

    async def _cancel(self) -> None:
        for scope in self.scopes:
            scope.cancel()

    async def records(self) -> list[Record]:
        records: list[Record] = []
        while chunk := (await self.system.journal.read_after(len(records), 1000)).records:
            records += chunk
        return records


class CoreMachine(RuleBasedStateMachine):
    """Every step sends requests, or sends one again, while something goes wrong."""

    opener: ClassVar[Callable[[], Callable[[], OpenJournal]]]

    def __init__(self) -> None:
        super().__init__()
        self.portal = Portal()
        self.world = World(type(self).opener(), self.portal)
        self.sent: list[Sent] = []
        self.records: list[Record] = []
        self.call(self.world.start)

    def call(self, function: Callable[..., Awaitable[object]], *args: object) -> None:
        self.portal.call(function, *args)
        self.records = self.portal.call(self.world.records)

    def teardown(self) -> None:
        self.portal.close()

    # --- steps ---

    @rule(batch=BATCHES, trouble=TROUBLE)
    def send(
        self, batch: list[tuple[list[Wish], bool]], trouble: list[tuple[str, str, str]]
    ) -> None:
        ids = [*fold(self.records).incidents]
        new = []
        for wishes, keyed in batch:
            name = f"request {len(self.sent) + len(new)}"
            key = IdempotencyKey(name, "digest") if keyed else None
            new.append(Sent(name, tuple(wish.command(ids) for wish in wishes), key))
        self.sent += new
        self._send(new, trouble)

    @precondition(lambda self: any(sent.key for sent in self.sent))
    @rule(which=st.lists(st.integers(0, 99), min_size=1, max_size=3), trouble=TROUBLE)
    def send_again(self, which: list[int], trouble: list[tuple[str, str, str]]) -> None:
        keyed = [sent for sent in self.sent if sent.key is not None]
        self._send([keyed[-1 - number % len(keyed)] for number in which], trouble)

    def _send(self, sent: list[Sent], trouble: list[tuple[str, str, str]]) -> None:
        for when, what, how in trouble:
            self.world.faults.add(when, what, self.world.act(how))
        self.call(self.world.send, sent)

    @precondition(lambda self: any(s.key and "answered" in s.ends for s in self.sent))
    @rule(which=st.integers(0, 99))
    def use_a_key_for_something_else(self, which: int) -> None:
        answered = [s for s in self.sent if s.key is not None and "answered" in s.ends]
        used = answered[which % len(answered)].key
        assert used is not None

        async def ask() -> None:
            key = evolve(used, digest="another")
            try:
                await self.world.system.ask([make_create()], Caller("rae", "rae"), key=key)
            except IdempotencyMismatch:
                return
            raise AssertionError("a key was used for something else")

        before = len(self.records)
        self.call(ask)
        assert len(self.records) == before

    @rule(seconds=st.sampled_from([0.000001, 1, 450, 899, 900, 901]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += round(seconds * SECOND)

    @rule()
    def the_system_restarts(self) -> None:
        self.call(self.world.restart)

    @rule(child=st.sampled_from(["journal", "registry", "hub"]))
    def a_child_restarts(self, child: str) -> None:
        self.call(self.world.system.supervisor.restart_child, child)

    # --- what always holds ---

    @invariant()
    def offsets_have_no_hole(self) -> None:
        assert [r.offset for r in self.records] == [*range(1, len(self.records) + 1)]

    @invariant()
    def what_was_acknowledged_is_there_once_and_what_was_not_done_is_not(self) -> None:
        events: defaultdict[str | None, list[Record]] = defaultdict(list)
        for record in self.records:
            events[record.trace].append(record)
        assert events.keys() <= {None, "foreign", *(sent.name for sent in self.sent)}
        assert len(events[None]) == 0
        assert len(events["foreign"]) <= self.world.overtakers
        for sent in self.sent:
            check_sent(sent, events[sent.name])

    @invariant()
    def every_event_follows_from_those_before(self) -> None:
        for number, record in enumerate(self.records):
            check_event(self.records[:number], record)

    @invariant()
    def the_tables_are_the_fold_of_the_events(self) -> None:
        tables = fold(self.records)
        wanted = Needs(
            incidents=frozenset(tables.incidents) | {"no-such"},
            fingerprints=frozenset((i.scope, i.fingerprint) for i in tables.incidents.values()),
            keys=frozenset(tables.keys) | {("", "no-such")},
        )
        loaded = self.portal.call(self.world.system.journal.load, wanted, 0, 0)
        expected = load(self.records, wanted, 0, 0)
        assert loaded.incidents == expected.incidents
        assert loaded.fingerprints == expected.fingerprints
        assert loaded.keys == expected.keys
        assert {i: loaded.firing.get(i, 0) for i in expected.firing} == expected.firing


def check_sent(sent: Sent, events: list[Record]) -> None:
    # A request is one transaction: its events are together.
    offsets = [record.offset for record in events]
    assert offsets == [*range(offsets[0], offsets[0] + len(offsets))] if offsets else True
    if set(sent.ends) == {"not done"}:
        assert not events
    if not sent.answers:
        return
    # However often it was sent, it was carried out once at the most.
    assert sum(not answer.replayed for answer in sent.answers) <= 1
    first, *others = sent.answers
    assert len(first.results) == len(sent.commands)
    for again in others:
        assert list(map(plain, again.results)) == list(map(plain, first.results))
    left = iter(events)
    for command, result in zip(sent.commands, first.results, strict=True):
        if isinstance(result, Refused):
            continue
        record = next(left)
        assert record.offset <= first.cursor.offset
        if isinstance(result, Ack):
            assert isinstance(command, c.SubmitAlert)
            assert record.alert is not None
            assert record.alert.id == result.alert_id
            assert record.alert.incident_id == result.incident_id
            assert (record.incident and record.incident.id) == result.incident_id
        else:
            assert record.incident == result
        if isinstance(command, c.LinkIncidents):
            assert next(left).related_id == command.id
    assert next(left, None) is None


def plain(result: object) -> object:
    if isinstance(result, Refused):
        return result.code, result.message, result.field
    return result


def check_event(earlier: list[Record], record: Record) -> None:
    tables = fold(earlier)
    alert, after = record.alert, record.incident
    if after is None:
        assert alert is not None
        assert alert.status is AlertStatus.IGNORED
    else:
        check_image(tables.incidents.get(after.id), record, after, earlier)
    if alert is None:
        return
    known = None if alert.source_key is None else tables.keys.get((alert.scope, alert.source_key))
    keyed = None if known is None else tables.incidents[known.incident_id]
    state = None if keyed is None else keyed.state
    before = None if after is None else tables.incidents.get(after.id)
    changed = before is not None and after is not None and before.state is not after.state
    if alert.status in (AlertStatus.RESOLVED, AlertStatus.IGNORED):
        assert (after and after.id) == (keyed and keyed.id)
        if keyed is not None and after is not None and known is not None:
            last = known.firing and tables.firing(keyed.id) == 1 and keyed.is_active
            assert changed is last
            assert after.state is (IncidentState.RESOLVED if last else keyed.state)
        return
    assert after is not None
    twins = tables.active(alert.scope, alert.fingerprint, record.time - WINDOW)
    reopens = (
        keyed is not None
        and state is IncidentState.RESOLVED
        and keyed.resolved_at is not None
        and record.time - keyed.resolved_at <= WINDOW
    )
    if keyed is not None and (keyed.is_active or reopens):
        assert after.id == keyed.id
        assert changed is reopens
    elif twins:
        assert after.id == twins[0]
        assert not changed
    else:
        assert record.created
        assert after.id not in tables.incidents


def check_image(
    before: Incident | None, record: Record, after: Incident, earlier: list[Record]
) -> None:
    """Images follow each other, versions and counts are those of the contract's section 2."""
    alerts = sum(1 for r in earlier if r.alert and r.incident and r.incident.id == after.id)
    assert after.alert_count == alerts + (record.alert is not None)
    if before is None:
        assert record.before is None
        assert after.version == 1
        return
    assert record.before is not None
    assert (record.before.state, record.before.severity, record.before.assignees) == (
        before.state,
        before.severity,
        before.assignees,
    )
    joins = record.alert is not None and before.state is after.state
    assert after.version == before.version + (0 if joins else 1)
    assert after.created_at == before.created_at
    assert after.updated_at >= before.updated_at
    names = {f for f in Incident.__annotations__ if getattr(before, f) != getattr(after, f)}
    assert set(record.changed) == names - {"version", "updated_at"}
    if joins:
        assert set(record.changed) == {"alert_count"}


def test_on_the_memory_journal() -> None:
    def opener() -> Callable[[], OpenJournal]:
        store = MemoryStore()
        return lambda: open_memory(store)

    run(opener, examples=80, steps=40)


def test_on_the_sqlite_journal(tmp_path: Path) -> None:
    def opener() -> Callable[[], OpenJournal]:
        path = Path(tempfile.mkdtemp(dir=tmp_path)) / "incidents.db"
        return lambda: open_sqlite(path, readers=1)

    run(opener, examples=8, steps=15)


def run(opener: Callable[[], Callable[[], OpenJournal]], *, examples: int, steps: int) -> None:
    machine = type("Machine", (CoreMachine,), {"opener": staticmethod(opener)})
    limits = settings(settings(), stateful_step_count=steps)
    if limits.max_examples == 100:  # the default profile; fuzz asks for as many as it says
        limits = settings(limits, max_examples=examples)
    run_state_machine_as_test(machine, settings=limits)
