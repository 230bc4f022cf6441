"""Registry, journal and hub under a supervisor, and clients whose subscriptions they feed."""

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, suppress

import trio
from attrs import Factory, define
from trio.testing import MockClock, wait_all_tasks_blocked

from incident_manager.actors.answers import Caller
from incident_manager.actors.commands import Command
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.errors import Unavailable
from incident_manager.actors.hub import Hub
from incident_manager.actors.journal.keeper import Keeper, Retention
from incident_manager.actors.journal.memory import MemoryStore, open_memory
from incident_manager.actors.model import Record
from incident_manager.actors.ports import Gap
from incident_manager.actors.projections import Projections
from incident_manager.actors.registry import Registry
from incident_manager.actors.streams import StreamFilter, matches
from incident_manager.actors.subscription import Streams, Subscription
from incident_manager.supervision import (
    Child,
    ChildSpec,
    Intensity,
    StartFailed,
    Supervisor,
    open_dynamic,
    open_supervisor,
)
from unit.actors.builders import START
from unit.actors.fakes import Event, FakeProjector, FakeShape, FakeSink, Unprojectable
from unit.actors.faults import Crash, Faults, open_faulty
from unit.actors.support import WINDOW


@define(eq=False)
class Client:
    """One subscription, and what is known of where it must start."""

    sub: Subscription
    sink: FakeSink
    shape: FakeShape
    wanted: StreamFilter
    cursor: Cursor | None
    earliest: int
    latest: int | None
    rests: bool = False
    scope: trio.CancelScope = Factory(trio.CancelScope)
    dead: bool = False


@define(eq=False)
class Stage:
    clock: MockClock
    store: MemoryStore
    faults: Faults
    keeper: Keeper
    registry: Registry
    hub: Hub
    projector: FakeProjector
    streams: Streams
    supervisor: Supervisor
    nursery: trio.Nursery
    clients: list[Client] = Factory(list)
    clock_broken: bool = False

    @property
    def history(self) -> list[Record]:
        """Every event there ever was, trimmed or not."""
        return [record for batch in self.faults.appends for record in batch.records]

    async def ask(self, *commands: Command) -> None:
        with suppress(Unavailable):
            await self.registry.ask(commands, Caller("rae", "rae"))

    def subscribe(
        self,
        sink: FakeSink | None = None,
        shape: FakeShape | None = None,
        wanted: StreamFilter | None = None,
        cursor: Cursor | None = None,
        heartbeat: int | None = None,
        *,
        rests: bool = False,
    ) -> Client:
        """``rests``: it has a task only while there is something to do."""
        sink = FakeSink() if sink is None else sink
        shape = FakeShape() if shape is None else shape
        wanted = StreamFilter() if wanted is None else wanted
        sub = Subscription(self.streams, sink, shape, wanted, cursor=cursor, heartbeat=heartbeat)
        head = self.store.bounds.head
        # Without a hub a stream starts when it first finds the journal.
        client = Client(sub, sink, shape, wanted, cursor, head, None, rests)
        if self.hub.running:
            client.earliest = client.latest = self.hub.head
        self.clients.append(client)
        self.nursery.start_soon(self._run, client)
        return client

    async def _run(self, client: Client) -> None:
        with client.scope:
            if client.rests:
                await self._run_when_needed(client)
            else:
                await self._stream(client, None)

    async def _stream(self, client: Client, wake: Callable[[], object] | None) -> bool:
        try:
            return await client.sub.run(wake)
        except Unprojectable:
            client.dead = True
            return False

    async def _run_when_needed(self, client: Client) -> None:
        """As a connection does it with its subscriptions."""
        ended = trio.Event()

        async def run(
            child: Child,
            /,
            *,
            task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
        ) -> None:
            if await self._stream(client, wake):
                child.rest(leave)
            else:
                ended.set()

        def leave() -> None:
            client.sub.leave()

        def wake() -> None:
            children.wake(child, run)

        async with open_dynamic("one", shutdown=0) as children:
            child = children.rest_child("stream", "subscription", leave)
            if not client.sub.rest(wake):
                wake()
            await ended.wait()

    async def restart(self, child: str) -> None:
        with suppress(StartFailed):  # it crashed just then, and is tried again
            await self.supervisor.restart_child(child)

    async def settle(self) -> None:
        """Wait until nothing moves by itself."""
        await wait_all_tasks_blocked()
        for client in self.clients:
            if client.latest is None and client.sub.position >= 0:
                client.latest = self.store.bounds.head

    async def read_all(self) -> None:
        """Every client reads until there is nothing more."""
        await self.settle()
        while any(client.sink.outbox for client in self.clients if client.sink.flushed):
            for client in self.clients:
                client.sink.read()
            await self.settle()


@asynccontextmanager
async def open_stage(
    clock: MockClock, *, ring: int = 4096, kept: int = 4096
) -> AsyncIterator[Stage]:
    """The children are those of the whole system; payloads are kept as ``kept`` says."""
    store, faults = MemoryStore(), Faults()
    stage: Stage

    def now() -> int:
        if stage.clock_broken:
            stage.clock_broken = False
            raise Crash("the registry")
        return START + round(clock.current_time() * 1_000_000)

    def wall() -> int:
        return START + round(clock.current_time() * 1_000_000)

    keeper = Keeper(
        lambda: open_faulty(open_memory(store), faults), retention=Retention(0, 0), clock=wall
    )
    projector = FakeProjector()
    projections = Projections(projector, capacity=kept)
    hub = Hub(keeper, projections, ring=ring)
    registry = Registry(keeper, hub.announce, window=WINDOW, clock=now, batch=4)
    specs = [
        ChildSpec("journal", keeper.run, shutdown=0),
        ChildSpec("registry", registry.run, shutdown=0),
        ChildSpec("hub", hub.run, shutdown=0),
    ]
    streams = Streams(hub, keeper, projector, projections, wall)
    async with (
        open_supervisor("root", specs, intensity=Intensity(100_000, 1.0)) as supervisor,
        trio.open_nursery() as nursery,
    ):
        stage = Stage(
            clock, store, faults, keeper, registry, hub, projector, streams, supervisor, nursery
        )
        yield stage
        nursery.cancel_scope.cancel()


def check_client(
    client: Client, history: Sequence[Record], epoch: str, oldest: int, *, whole: bool = True
) -> None:
    """Each matching event once and in order, or a gap that was said.

    ``whole`` is False for one that was cut off: what it got is a beginning.
    """
    log = [*client.sink.log, *client.sink.outbox]
    # It goes on from the oldest event there is, and no event but a trimmed one is skipped.
    assert all(each.until.offset < oldest for each in log if isinstance(each, Gap))
    starts: Sequence[int]
    if client.cursor is None:
        latest = len(history) if client.latest is None else client.latest
        starts = range(client.earliest, latest + 1)
        assert "recovered" not in log
    else:
        starts = [client.cursor.offset]
        if log:
            resumed = client.cursor.epoch == epoch and client.cursor.offset <= len(history)
            assert isinstance(log[0], Gap) or (log[0] == "recovered" and resumed)
            assert log[1:].count("recovered") == 0
            log = log[1:] if log[0] == "recovered" else log
    problems = [_walk(client, start, log, history, epoch, whole=whole) for start in starts]
    assert None in problems, problems[0]


def _walk(
    client: Client,
    at: int,
    log: Sequence[Event | Gap | str],
    history: Sequence[Record],
    epoch: str,
    *,
    whole: bool,
) -> str | None:
    """What is wrong with a stream that starts after ``at``, or None."""

    def wanted(after: int, upto: int) -> list[int]:
        return [
            record.offset
            for record in history[after:upto]
            if matches(client.shape.field, client.wanted, record)
        ]

    for number, each in enumerate(log):
        if isinstance(each, Gap):
            if number == 0 and each.since == client.cursor:
                at = each.until.offset
                continue
            since = each.since.offset
            if each.since.epoch != epoch or each.until.epoch != epoch:
                return f"{each} is of another journal"
            if since < at or wanted(at, since):
                return f"{each} after {at} leaves out {wanted(at, since)}"
            if each.until.offset <= since:
                return f"{each} is none"
            at = each.until.offset
            continue
        assert isinstance(each, Event)
        cursor = Cursor.parse(each.cursor)
        if cursor.epoch != epoch or each.shape != client.shape.name:
            return f"{each} is not of this stream"
        if each.offset is None:  # a heartbeat says: nothing for you up to here
            if cursor.offset < at or wanted(at, cursor.offset):
                return f"{each} after {at} leaves out {wanted(at, cursor.offset)}"
            at = cursor.offset
            continue
        if cursor.offset != each.offset:
            return f"{each} has another's cursor"
        if each.offset <= at:
            return f"{each} again, or out of order, after {at}"
        if wanted(at, each.offset) != [each.offset]:
            return f"{each} after {at} where {wanted(at, each.offset)} was to come"
        at = each.offset
    missing = wanted(at, len(history))
    return f"{missing} never came" if whole and missing else None
