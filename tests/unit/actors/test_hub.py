"""The fan-out at a table: seats, shapes, flushes, restarts, and failures that stay small."""

from collections.abc import Sequence

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from incident_manager.actors import hub as hub_module
from incident_manager.actors.hub import Hub, Seat
from incident_manager.actors.journal.memory import MemoryJournal, MemoryStore
from incident_manager.actors.model import Record
from incident_manager.actors.projections import Projections
from incident_manager.actors.streams import StreamField, StreamFilter
from incident_manager.actors.vocabulary import Severity
from incident_manager.supervision import Child, Tree
from unit.actors.builders import make_history, make_incident, make_record, write
from unit.actors.fakes import FakeOutlet, FakeProjector, FakeShape, FakeSink, Unprojectable
from unit.actors.faults import Faults, FaultyJournal, crashing
from unit.actors.stage import open_stage
from unit.actors.support import make_submit


class Table:
    """A hub with its journal, run by hand; ``left`` says who lost a seat, and why."""

    def __init__(self, ring: int = 4096) -> None:
        self.store = MemoryStore()
        self.faults = Faults()
        self.journal = FaultyJournal(MemoryJournal(self.store), self.faults)
        self.projector = FakeProjector()
        self.projections = Projections(self.projector)
        self.hub = Hub(self.journal, self.projections, ring=ring)
        self.left: list[tuple[Seat, Exception | None]] = []
        self.child = Child(Tree().place("root", "hub", None))

    async def start(self, nursery: trio.Nursery) -> None:
        await nursery.start(self.hub.run, self.child)

    def seat(
        self,
        sink: FakeSink | None = None,
        shape: FakeShape | None = None,
        wanted: StreamFilter | None = None,
        position: int | None = None,
    ) -> Seat:
        position = self.hub.position if position is None else position
        sink = FakeSink() if sink is None else sink
        shape = FakeShape() if shape is None else shape
        wanted = StreamFilter() if wanted is None else wanted
        seat = Seat(sink, shape, wanted, position, lambda cause: self.left.append((seat, cause)))
        return seat

    async def publish(self, *records: Record, known: bool = True) -> None:
        await write(self.journal, *records)
        self.announce(records if known else (), records[-1].offset)
        await wait_all_tasks_blocked()

    async def die(self, seats: Sequence[Seat], *records: Record) -> Exception | None:
        """What the hub dies of when it fans these out to those."""
        died: Exception | None = None

        async def run(*, task_status: trio.TaskStatus[object]) -> None:
            nonlocal died
            try:
                await self.hub.run(self.child, task_status=task_status)
            except BrokenPipeError as error:
                died = error

        async with trio.open_nursery() as nursery:
            await nursery.start(run)
            assert all(map(self.hub.join, seats))
            await self.publish(*records)
        return died

    def announce(self, records: Sequence[Record], head: int) -> None:
        self.hub.announce(head, records)


def offered(seat: Seat) -> list[int]:
    sink = seat.sink
    assert isinstance(sink, FakeSink)
    sink.read()
    assert not sink.outbox, "offered and never flushed"
    return sink.offsets


HISTORY = make_history(20)


async def test_what_is_announced_goes_to_all_who_want_it(nursery: trio.Nursery) -> None:
    table = Table()
    await table.start(nursery)
    all_, few = table.seat(), table.seat(wanted=StreamFilter(severities=frozenset({Severity.P0})))
    assert table.hub.join(all_)
    assert table.hub.join(few)
    severe = make_record(2, make_incident(2, severity=Severity.P0))
    await table.publish(HISTORY[0], severe, HISTORY[2])
    assert offered(all_) == [1, 2, 3]
    assert offered(few) == [2]
    assert (all_.position, few.position) == (3, 2)
    assert (table.hub.head, table.hub.position, table.hub.events) == (3, 3, 3)
    assert table.hub.deliveries == 4
    assert "read_after" not in table.faults.calls


async def test_one_execution_for_each_event_and_shape_whatever_the_subscribers(
    nursery: trio.Nursery,
) -> None:
    table = Table()
    await table.start(nursery)
    for number in range(50):
        for name in ("one", "two"):
            wanted = StreamFilter(labels={str(number): "x"} if number % 2 else {})
            assert table.hub.join(table.seat(shape=FakeShape(name=name), wanted=wanted))
    labels = {str(number): "x" for number in range(50)}
    await table.publish(make_record(1, make_incident(1, labels=labels)), HISTORY[1])
    assert set(table.projector.made.values()) == {1}
    assert table.projections.made == 4  # two shapes, two events
    assert table.hub.deliveries == 2 * (50 + 25)


async def test_what_is_foretold_is_made_before_it_is_announced(nursery: trio.Nursery) -> None:
    table = Table()
    table.hub.foretell(HISTORY[:1])
    await table.start(nursery)
    deep = FakeShape(name="deep", deep=True)
    for shape in (FakeShape(), FakeShape(name="other"), deep):
        assert table.hub.join(table.seat(shape=shape))
    seat = table.seat(wanted=StreamFilter(severities=frozenset()))
    table.hub.foretell(HISTORY[:3])
    assert table.projections.made == 6
    assert offered(seat) == []
    await table.publish(*HISTORY[:3])
    assert set(table.projector.made.values()) == {1}


async def test_only_the_first_of_many_are_foretold(nursery: trio.Nursery) -> None:
    table = Table()
    await table.start(nursery)
    for number in range(50):
        assert table.hub.join(table.seat(shape=FakeShape(name=str(number))))
    table.hub.foretell(HISTORY[:2])
    assert 0 < table.projections.made < 50
    await table.publish(*HISTORY[:2])
    assert set(table.projector.made.values()) == {1}
    assert table.projections.made == 100


async def test_an_outlet_is_flushed_once_for_a_batch(nursery: trio.Nursery) -> None:
    table = Table()
    await table.start(nursery)
    outlet, other = FakeOutlet(), FakeOutlet()
    for _ in range(3):
        assert table.hub.join(table.seat(FakeSink(outlet=outlet)))
    idle = StreamFilter(assigned_to="nobody")
    assert table.hub.join(table.seat(FakeSink(outlet=other), wanted=idle))
    await table.publish(*HISTORY[:5])
    assert (outlet.flushes, other.flushes) == (1, 0)


async def test_many_outlets_are_flushed_in_parts(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_READ", 2)
    table = Table()
    await table.start(nursery)
    seats = [table.seat() for _ in range(5)]
    assert all(map(table.hub.join, seats))
    await table.publish(*HISTORY[:5])
    assert [offered(seat) for seat in seats] == [[1, 2, 3, 4, 5]] * 5


async def test_a_jump_is_read_from_the_journal(nursery: trio.Nursery) -> None:
    table = Table()
    await table.start(nursery)
    seat = table.seat()
    assert table.hub.join(seat)
    await table.publish(*HISTORY[:2], known=False)
    await table.publish(*HISTORY[2:4])
    assert offered(seat) == [1, 2, 3, 4]
    assert table.faults.calls.count("read_after") == 1


async def test_a_burst_larger_than_the_ring_loses_nothing(nursery: trio.Nursery) -> None:
    table = Table(ring=3)
    await table.start(nursery)
    seat = table.seat()
    assert table.hub.join(seat)
    await table.publish(*HISTORY)
    assert offered(seat) == [*range(1, 21)]


async def test_a_hub_starts_at_the_head_and_knows_the_epoch(nursery: trio.Nursery) -> None:
    table = Table()
    await write(table.journal, *HISTORY[:5])
    assert not table.hub.join(table.seat(position=5))
    await table.start(nursery)
    assert (table.hub.head, table.hub.position, table.hub.epoch) == (5, 5, table.store.epoch)
    behind, there, ahead = (table.seat(position=position) for position in (4, 5, 7))
    assert [table.hub.join(seat) for seat in (behind, there, ahead)] == [False, True, True]
    await table.publish(*HISTORY[5:8])
    assert (offered(there), offered(ahead)) == ([6, 7, 8], [8])


async def test_what_is_written_while_a_hub_starts_is_not_lost(nursery: trio.Nursery) -> None:
    table = Table()
    gate = table.faults.gate("after", "bounds")
    nursery.start_soon(table.hub.run, table.child)
    await gate.reached.wait()
    await table.publish(*HISTORY[:3])
    gate.opened.set()
    await wait_all_tasks_blocked()
    assert table.hub.position == 3


async def test_a_seat_whose_sink_is_full_is_taken_away_before_the_event(
    nursery: trio.Nursery,
) -> None:
    table = Table()
    await table.start(nursery)
    slow, quick = table.seat(FakeSink(room=2)), table.seat()
    assert table.hub.join(slow)
    assert table.hub.join(quick)
    await table.publish(*HISTORY[:5])
    assert offered(slow) == [1, 2]
    assert offered(quick) == [1, 2, 3, 4, 5]
    assert table.left == [(slow, None)]
    assert (slow.position, slow.taken) == (2, False)
    assert table.hub.seats == 1
    assert table.hub.depart(slow) == 2


async def test_giving_a_seat_back_says_where_to_read_on(nursery: trio.Nursery) -> None:
    table = Table()
    await table.start(nursery)
    idle = table.seat(wanted=StreamFilter(assigned_to="nobody"))
    ahead = table.seat(position=9)
    assert table.hub.join(idle)
    assert table.hub.join(ahead)
    await table.publish(*HISTORY[:3])
    assert table.hub.depart(idle) == 3
    assert table.hub.depart(idle) == 3
    assert table.hub.depart(ahead) == 9
    assert table.hub.seats == 0
    assert table.left == []
    assert not any(table.hub._lanes.values())


async def test_a_hub_that_ends_gives_every_seat_back(nursery: trio.Nursery) -> None:
    table = Table()
    inner = await nursery.start(open_nursery)
    await table.start(inner)
    seats = [table.seat(shape=FakeShape(stream)) for stream in StreamField]
    assert all(map(table.hub.join, seats))
    await table.publish(*HISTORY[:2])
    inner.cancel_scope.cancel()
    await wait_all_tasks_blocked()
    assert table.left == [(seat, None) for seat in seats]
    assert {seat.position for seat in seats} == {2}
    assert not table.hub.running
    assert not table.hub.join(table.seat())
    await write(table.journal, *HISTORY[2:4])
    await table.start(nursery)
    assert table.hub.position == 4
    assert table.hub.join(seats[0]) is False


async def open_nursery(*, task_status: trio.TaskStatus[trio.Nursery]) -> None:
    async with trio.open_nursery() as nursery:
        task_status.started(nursery)
        await trio.sleep_forever()


async def test_a_projection_that_fails_takes_only_its_shape_along(nursery: trio.Nursery) -> None:
    table = Table()
    await table.start(nursery)
    broken = [table.seat(shape=FakeShape(name="broken")) for _ in range(2)]
    whole = table.seat()
    ahead = table.seat(shape=FakeShape(name="broken"), position=2)
    assert all(map(table.hub.join, [*broken, whole, ahead]))
    table.projector.broken.add(("broken", 2))
    await table.publish(*HISTORY[:3])
    assert [offered(seat) for seat in broken] == [[1], [1]]
    assert offered(whole) == [1, 2, 3]
    assert offered(ahead) == [3]  # it had that event already
    assert {seat for seat, _ in table.left} == set(broken)
    assert all(isinstance(cause, Unprojectable) for _, cause in table.left)
    assert {seat.position for seat in broken} == {1}


async def test_a_hub_that_dies_of_a_flush_gives_every_seat_back_and_flushes_the_others() -> None:
    table = Table()
    outlets = [FakeOutlet() for _ in range(3)]
    seats = [table.seat(FakeSink(outlet=outlet)) for outlet in outlets]
    outlets[1].broken = True
    assert isinstance(await table.die(seats, HISTORY[0]), BrokenPipeError)
    assert {seat for seat, _ in table.left} == set(seats)
    assert [outlet.flushes for outlet in outlets] == [1, 0, 1]
    assert table.hub.seats == 0
    assert {seat.position for seat in seats} == {1}


async def test_a_hub_that_dies_amid_an_event_knows_who_has_it() -> None:
    class Broken(FakeSink):
        def offer(self, payload: bytes) -> bool:
            raise BrokenPipeError

    table = Table()
    seats = [table.seat(), table.seat(Broken()), table.seat()]
    assert isinstance(await table.die(seats, *HISTORY[:2]), BrokenPipeError)
    assert [seat.position for seat in seats] == [2, 0, 0]
    assert offered(seats[0]) == [1, 2]
    assert {seat for seat, _ in table.left} == set(seats)


async def test_a_hub_that_is_outrun_by_retention_hands_its_seats_to_the_readers(
    nursery: trio.Nursery,
) -> None:
    table = Table()
    await table.start(nursery)
    seat = table.seat()
    assert table.hub.join(seat)
    waiting: list[int] = []

    async def wait() -> None:
        await table.hub.moved(0)
        waiting.append(table.hub.position)

    nursery.start_soon(wait)
    await wait_all_tasks_blocked()
    await write(table.journal, *HISTORY[:5])
    await table.journal.trim(keep=2, before=0, limit=100)
    table.announce((), 5)
    await wait_all_tasks_blocked()
    assert table.left == [(seat, None)]
    assert seat.position == 0
    assert table.hub.position == 5
    assert waiting == [5]


async def test_readers_hear_that_something_came_or_that_a_hub_is_up(nursery: trio.Nursery) -> None:
    table = Table()
    heard: list[str] = []

    async def wait(name: str, position: int) -> None:
        await table.hub.moved(position)
        heard.append(name)

    nursery.start_soon(wait, "up", 0)
    await wait_all_tasks_blocked()
    assert heard == []
    await table.start(nursery)
    await wait_all_tasks_blocked()
    assert heard == ["up"]
    nursery.start_soon(wait, "news", 0)
    await wait_all_tasks_blocked()
    assert heard == ["up"]
    await table.publish(HISTORY[0])
    assert heard == ["up", "news"]
    await wait("there already", 0)
    assert heard == ["up", "news", "there already"]


async def test_recent_events_come_from_memory(nursery: trio.Nursery) -> None:
    table = Table(ring=3)
    await table.start(nursery)
    await table.publish(*HISTORY[:5])
    assert table.hub.recent(2, 2) == [*HISTORY[2:4]]
    assert table.hub.recent(1, 9) is None


async def test_a_journal_that_fails_is_the_supervisors_affair() -> None:
    async with open_stage(MockClock()) as stage:
        client = stage.subscribe()
        await stage.settle()
        assert client.sub.live
        stage.faults.add("after", "append", crashing())  # written, and never announced
        stage.faults.add("before", "bounds", crashing())
        await stage.ask(make_submit())
        await stage.settle()
        await stage.restart("hub")
        await stage.read_all()
        assert client.sink.offsets == [1]


async def test_its_figures_are_in_the_tree(nursery: trio.Nursery) -> None:
    table = Table()
    await table.start(nursery)
    assert table.hub.join(table.seat())
    assert table.hub.join(table.seat())
    await table.publish(*HISTORY[:3])
    assert table.child.node.stats is not None
    figures = table.child.node.stats()
    expected = {
        "messages_handled": 3,
        "deliveries": 6,
        "seats": 2,
        "filters": 1,
        "lag": 0,
        "projections": 3,
    }
    assert {name: figures[name] for name in expected} == expected


async def test_what_it_forgets_it_reads_from_the_journal(nursery: trio.Nursery) -> None:
    table = Table()
    await table.start(nursery)
    await table.publish(*make_history(3))
    assert table.hub.recent(0, 9) == list(make_history(3))
    reads = table.faults.calls.count("read_after")
    table.hub.forget()
    assert table.hub.recent(0, 9) is None
    seat = table.seat()
    assert table.hub.join(seat)
    await table.publish(make_record(4), known=False)
    assert seat.position == 4
    assert table.faults.calls.count("read_after") > reads


async def test_what_is_redacted_amid_a_batch_is_read_again(
    nursery: trio.Nursery, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub_module, "_OFFERS", 1)
    table = Table()
    await table.start(nursery)

    class Changing(FakeOutlet):
        def flush(self) -> None:
            super().flush()
            if self.flushes == 1:
                table.hub.forget()

    seat = table.seat(FakeSink(outlet=Changing()))
    assert table.hub.join(seat)
    await table.publish(*HISTORY[:3])
    assert table.faults.calls.count("read_after") == 1
    assert offered(seat) == [1, 2, 3]


async def test_what_is_redacted_while_it_is_read_is_read_again(nursery: trio.Nursery) -> None:
    table = Table()
    await table.start(nursery)
    seat = table.seat()
    assert table.hub.join(seat)
    gate = table.faults.gate("after", "read_after")
    await table.publish(*HISTORY[:3], known=False)
    await gate.reached.wait()
    table.hub.forget()
    gate.opened.set()
    await wait_all_tasks_blocked()
    assert table.faults.calls.count("read_after") == 2
    assert offered(seat) == [1, 2, 3]
