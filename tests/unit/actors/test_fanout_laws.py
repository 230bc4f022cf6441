"""Whatever happens in whatever order, each subscription gets each of its events once."""

from unittest.mock import patch

import trio
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from incident_manager.actors import commands as c
from incident_manager.actors import hub as hub_module
from incident_manager.actors import replays as replays_module
from incident_manager.actors import subscription as subscription_module
from incident_manager.actors.commands import Command
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal import shared as shared_module
from incident_manager.actors.streams import StreamField, StreamFilter, matches
from incident_manager.actors.vocabulary import ResolutionMethod, Severity
from unit.actors.fakes import Event, FakeShape, FakeSink
from unit.actors.faults import Gate, losing, refusing
from unit.actors.stage import Client, Stage, check_client, open_stage
from unit.actors.strategies import LABELS, SEVERITIES, SOURCES, filters
from unit.actors.support import make_submit

Steps = list[tuple[object, int | None]]


@frozen
class Ask:
    commands: tuple[tuple[str, int, Severity, str, dict[str, str]], ...]


@frozen
class Subscribe:
    shape: FakeShape
    wanted: StreamFilter
    room: int
    cursor: str | None
    place: int
    heartbeat: int | None
    rests: bool
    drilled: int


@frozen
class Read:
    client: int
    number: int


@frozen
class ComeBack:
    """A client leaves and resumes from the last cursor that it has read."""

    client: int


@frozen
class Happen:
    what: str


ASKS = st.builds(
    Ask,
    st.lists(
        st.tuples(
            st.sampled_from(["alert", "alert", "alert", "resolve", "escalate"]),
            st.integers(0, 5),
            SEVERITIES,
            st.sampled_from(SOURCES),
            LABELS,
        ),
        min_size=1,
        max_size=5,
    ).map(tuple),
)
UPDATES = [
    FakeShape(),
    FakeShape(name="another"),
    FakeShape(name="incidentUpdates-deep", deep=True),
]
SHAPES = st.sampled_from(UPDATES) | st.sampled_from(
    [
        FakeShape(stream, f"{stream.value}{suffix}", deep=deep)
        for stream in StreamField
        for suffix, deep in (("", False), ("-deep", True))
    ]
)
SUBSCRIBES = st.builds(
    Subscribe,
    SHAPES,
    st.just(StreamFilter()) | filters(),
    st.sampled_from([1, 2, 5, 1000]),
    st.sampled_from([None, None, "here", "here", "elsewhere", "ahead"]),
    st.integers(0, 12),
    st.sampled_from([None, None, 1]),
    st.booleans(),
    st.sampled_from([0, 2, 100, 100]),
)
HAPPENINGS = st.builds(
    Happen,
    st.sampled_from(
        [
            "restart hub",
            "restart hub",
            "restart registry",
            "restart journal",
            "crash registry",
            "crash journal",
            "trim to 1",
            "trim to 3",
            "lose an answer",
            "refuse a batch",
            "refuse a read",
            "hold a read",
            "hold the hub",
            "hold the hub",
            "have no hub",
            "have no hub",
            "let go",
            "a second",
            "a second",
            "leave",
        ]
    ),
)
BREAKS = st.builds(Happen, st.sampled_from(["break a shape"]))
READS = st.builds(Read, st.integers(0, 9), st.integers(1, 3)) | st.builds(
    ComeBack, st.integers(0, 9)
)
PAUSES = st.sampled_from([None, None, 0, 1, 2, 5])
STEPS = ASKS | ASKS | SUBSCRIBES | READS | HAPPENINGS


def programs(steps: st.SearchStrategy[object]) -> st.SearchStrategy[Steps]:
    return st.lists(st.tuples(steps, PAUSES), min_size=12, max_size=40)


class Play:
    """Carries out a program on a stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.gates: list[Gate] = []
        self.left: list[Client] = []

    async def do(self, step: object) -> None:
        stage = self.stage
        match step:
            case Ask(commands):
                made = [self.command(*each) for each in commands]
                stage.nursery.start_soon(stage.ask, *made)
            case Subscribe(shape, wanted, room, cursor, place, heartbeat, rests, drilled):
                start = self.cursor(cursor, place)
                sink = FakeSink(room, drilled=drilled)
                stage.subscribe(sink, shape, wanted, start, heartbeat, rests=rests)
            case Read(number, limit):
                for client in self.pick(number):
                    client.sink.read(limit)
            case ComeBack(number):
                for client in self.pick(number):
                    self.come_back(client)
            case Happen(what):
                await self.happen(what)

    def pick(self, number: int) -> list[Client]:
        clients = self.stage.clients
        return [clients[number % len(clients)]] if clients else []

    def command(
        self, what: str, number: int, severity: Severity, source: str, labels: dict[str, str]
    ) -> Command:
        ids = [*self.stage.store.incidents]
        if what == "alert" or not ids:
            return make_submit(
                title=f"alert {number}", severity=severity, source=source, labels=labels
            )
        if what == "resolve":
            return c.ResolveIncident(ids[number % len(ids)], ResolutionMethod.MANUAL, "")
        return c.UpdateIncident(ids[number % len(ids)], severity=severity, assignees=("kim",))

    def cursor(self, kind: str | None, place: int) -> Cursor | None:
        head = self.stage.store.bounds.head
        match kind:
            case "here":
                return Cursor(self.stage.store.epoch, min(place, head))
            case "elsewhere":
                return Cursor("elsewhere", place)
            case "ahead":
                return Cursor(self.stage.store.epoch, head + 1000 + place)
        return None

    def come_back(self, client: Client) -> None:
        stage = self.stage
        client.scope.cancel()
        room = client.sink.room
        client.sink.close()
        stage.clients.remove(client)
        self.left.append(client)
        cursors = [each.cursor for each in client.sink.log if hasattr(each, "cursor")]
        cursor = Cursor.parse(cursors[-1]) if cursors else client.cursor
        sink = FakeSink(room, drilled=client.sink.most)
        stage.subscribe(sink, client.shape, client.wanted, cursor, rests=client.rests)

    async def happen(self, what: str) -> None:
        stage, faults = self.stage, self.stage.faults
        match what.split():
            case ["restart", child]:
                stage.nursery.start_soon(stage.restart, child)
            case ["crash", "registry"]:
                stage.clock_broken = True
            case ["crash", "journal"]:
                faults.doom.set()
            case ["trim", "to", keep]:
                stage.nursery.start_soon(self.trim, int(keep))
            case ["lose", *_]:
                faults.add("after", "append", losing())
            case ["refuse", "a", "batch"]:
                faults.add("before", "append", refusing())
            case ["refuse", "a", "read"]:
                faults.add("before", "read_after", refusing())
            case ["hold", "a", "read"]:
                self.gates.append(faults.gate("before", "read_after"))
            case ["hold", "the", "hub"]:  # it learns only that the head moved, and reads slowly
                faults.add("after", "append", losing())
                self.gates.append(faults.gate("before", "read_after"))
            case ["have", "no", "hub"]:  # until somebody lets go
                self.gates.append(faults.gate("before", "bounds"))
                stage.nursery.start_soon(stage.restart, "hub")
            case ["let", "go"]:
                self.let_go()
            case ["a", "second"]:
                stage.clock.jump(1)
            case ["break", *_]:
                for shape in ("plain", "incidentUpdates-deep", "alerts-deep"):
                    stage.projector.broken.add((shape, stage.store.bounds.head + 2))
            case ["leave"]:
                for client in self.pick(0):
                    client.scope.cancel()
                    stage.clients.remove(client)
                    self.left.append(client)

    async def trim(self, keep: int) -> None:
        await self.stage.keeper.trim(keep=keep, before=0, limit=1000)

    def let_go(self) -> None:
        for gate in self.gates:
            gate.opened.set()

    async def finish(self) -> None:
        self.stage.faults.clear()
        self.let_go()
        await self.stage.settle()
        self.stage.clock.jump(60)  # those whom the journal has refused try again
        await self.stage.read_all()


async def play(program: Steps, clock: MockClock) -> None:
    async with open_stage(clock, ring=6) as stage:
        show = Play(stage)
        for step, pause in program:
            await show.do(step)
            if pause is None:
                await stage.settle()
            else:
                for _ in range(pause):
                    await trio.lowlevel.checkpoint()
        await show.finish()
        history, epoch, oldest = stage.history, stage.store.epoch, stage.store.oldest
        assert [record.offset for record in history] == [*range(1, len(history) + 1)]
        for client in stage.clients:
            check_client(client, history, epoch, oldest, whole=not client.dead)
            if client.dead:
                assert any(
                    name == client.shape.name
                    and offset <= len(history)
                    and matches(client.shape.field, client.wanted, history[offset - 1])
                    for name, offset in stage.projector.broken
                )
            else:
                assert client.sub.lag == 0
                assert not any(isinstance(each, Event) for each in client.sink.outbox)
                assert client.sub.live is not client.shape.deep
        for client in show.left:
            check_client(client, history, epoch, oldest, whole=False)
        # One execution for each event and shape, however many subscribers and whatever happened;
        # of a deep shape one for each delivery, as its relations are as of then.
        broken = stage.projector.broken
        assert all(
            number == 1
            for (shape, offset), number in stage.projector.made.items()
            if (shape.name, offset) not in broken and not shape.deep
        )
        seats = sum(client.sub.live for client in stage.clients)
        assert stage.hub.seats == seats


def run(program: Steps) -> None:
    clock = MockClock()
    with (
        patch.object(hub_module, "_READ", 3),
        patch.object(shared_module, "CHUNK", 4),
        patch.object(replays_module, "CHUNK", 4),
        patch.object(subscription_module, "CHUNK", 2),
    ):
        trio.run(play, program, clock, clock=clock)


@given(programs(STEPS))
def test_each_subscription_gets_each_of_its_events_once_or_is_told_of_a_gap(
    program: Steps,
) -> None:
    run(program)


@given(programs(STEPS | BREAKS))
def test_what_cannot_be_projected_ends_only_those_who_wanted_it(program: Steps) -> None:
    run(program)
