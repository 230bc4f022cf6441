"""The outbox: in order, bounded, one task on demand, and it ends when it is told to."""

from collections.abc import Awaitable, Callable, Sequence

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.batch import Batch
from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.model import Record
from incident_manager.actors.vocabulary import Kind
from incident_manager.http.counters import Counters
from incident_manager.http.frame_writer import AsgiWriter
from incident_manager.http.outbox import Outbox
from incident_manager.http.websocket_writer import WebSocketWriter


class Wire:
    """An ASGI ``send`` that can be held up, and the spawning of its one task."""

    def __init__(self, nursery: trio.Nursery) -> None:
        self.nursery = nursery
        self.sent: list[dict[str, object]] = []
        self.gate = trio.Event()
        self.gate.set()
        self.spawned = 0

    async def send(self, message: dict[str, object]) -> None:
        await self.gate.wait()
        self.sent.append(message)

    def spawn(self, task: Callable[[], Awaitable[None]]) -> None:
        self.spawned += 1
        self.nursery.start_soon(task)

    @property
    def texts(self) -> list[object]:
        return [message["text"] for message in self.sent if message["type"] == "websocket.send"]


def outbox(
    wire: Wire,
    limit: int = 10,
    counters: Counters | None = None,
    latency: Deliveries | None = None,
) -> Outbox:
    writer = AsgiWriter(wire.send, wire.spawn)
    counters = Counters() if counters is None else counters
    latency = Deliveries() if latency is None else latency
    return Outbox(writer, wire.send, wire.spawn, limit, counters, latency)


async def test_what_is_offered_leaves_in_order_after_a_flush(nursery: trio.Nursery) -> None:
    wire = Wire(nursery)
    box = outbox(wire)
    assert box.offer(b"one")
    assert box.offer(b"two")
    await trio.testing.wait_all_tasks_blocked()
    assert wire.sent == []
    box.flush()
    box.flush()
    await trio.testing.wait_all_tasks_blocked()
    assert wire.texts == ["one", "two"]
    assert wire.spawned == 1
    assert (box.size, box.bytes_out) == (0, 6)


async def test_a_payload_is_offered_with_what_stands_before_it(nursery: trio.Nursery) -> None:
    wire = Wire(nursery)
    box = outbox(wire, limit=8)
    assert box.offer_next(b"{1:", b"two")
    assert box.size == 7
    assert not box.offer_next(b"{1:", b"three")
    box.flush()
    await box.room()
    assert box.offer_next(b"{1:", b"three")  # one fits into an empty one
    box.flush()
    await trio.testing.wait_all_tasks_blocked()
    assert wire.texts == ["{1:two}", "{1:three}"]
    box.close()
    assert not box.offer_next(b"{1:", b"2")
    assert not box.offer_all(b"{1:", Batch([b"2"]))


async def test_an_offer_is_refused_when_it_is_full_but_never_when_it_is_empty(
    nursery: trio.Nursery,
) -> None:
    box = outbox(Wire(nursery), limit=10)
    assert box.offer(b"x" * 50)
    assert not box.offer(b"y")
    box.close()
    assert not box.offer(b"z")


async def test_a_batch_is_taken_whole_or_not_at_all(nursery: trio.Nursery) -> None:
    wire = Wire(nursery)
    box = outbox(wire, limit=20)
    batch = Batch([b"one", b"two"])
    assert box.offer_all(b"{", batch)  # 10 bytes
    assert box.offer_all(b"[", batch)
    assert not box.offer_all(b"(", batch)
    assert (len(box), box.size) == (4, 20)
    box.flush()
    await trio.testing.wait_all_tasks_blocked()
    assert wire.texts == ["{one}", "{two}", "[one}", "[two}"]
    assert not box.offer_all(b"x" * 9, batch)  # too large for an empty one: one by one, then
    box.close()
    assert not box.offer_all(b"{", batch)


@pytest.mark.parametrize("whole", [False, True])
async def test_a_batch_that_cannot_fit_is_not_even_made(nursery: trio.Nursery, whole: bool) -> None:
    """Whether it is known what becomes of payloads, or only what stands before them."""
    made: list[bytes] = []

    class Writer(AsgiWriter):
        plain = whole

        def frames(self, prefix: bytes, batch: Batch) -> Sequence[bytes]:
            made.append(prefix)
            return super().frames(prefix, batch)

    wire = Wire(nursery)
    box = Outbox(Writer(wire.send, wire.spawn), wire.send, wire.spawn, 20, Counters(), Deliveries())
    batch = Batch([b"1", b"2", b"3"])
    assert not box.offer_all(b"1234567", batch)
    assert made == []
    assert box.offer_all(b"123", batch)
    assert made == [b"123"]
    assert (len(box), box.size) == (3, 15)
    assert not box.offer_all(b"12", batch)  # as much again is too much
    assert made == [b"123"]
    assert box.offer_all(b"", Batch([b"1234"]))
    assert not box.offer_all(b"", Batch([b"5"]))
    assert made == ([b"123", b""] if whole else [b"123", b"", b""])


async def test_messages_are_taken_together_or_not_at_all(nursery: trio.Nursery) -> None:
    wire = Wire(nursery)
    box = outbox(wire)
    assert box.take([b"12345", b"6789"])
    assert not box.take([b"x", b"y"])
    assert (len(box), box.size) == (2, 9)
    box.flush()
    await trio.testing.wait_all_tasks_blocked()
    assert wire.texts == ["12345", "6789"]
    box.close()
    assert not box.take([b"z"])


async def test_what_waits_is_counted_until_it_has_left(nursery: trio.Nursery) -> None:
    wire = Wire(nursery)
    wire.gate = trio.Event()
    box = outbox(wire, limit=100)
    assert box.offer_all(b"{", Batch([b"one", b"two"]))
    box.flush()
    assert box.offer(b"three")
    assert len(box) == 3
    box.flush()
    wire.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert (len(box), box.size) == (0, 0)


async def test_control_frames_are_taken_even_when_it_is_full(nursery: trio.Nursery) -> None:
    wire = Wire(nursery)
    wire.gate = trio.Event()
    box = outbox(wire)
    assert box.offer(b"x" * 10)
    box.write(b"pong")
    assert box.size == 14
    wire.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert wire.texts == ["x" * 10, "pong"]


async def test_room_comes_when_half_of_it_has_left(nursery: trio.Nursery) -> None:
    wire = Wire(nursery)
    wire.gate = trio.Event()
    box = outbox(wire)
    await box.room()
    assert box.offer(b"x" * 8)
    box.flush()
    waited = trio.Event()

    async def wait() -> None:
        await box.room()
        waited.set()

    nursery.start_soon(wait)
    await trio.testing.wait_all_tasks_blocked()
    assert not waited.is_set()
    wire.gate.set()
    await waited.wait()
    assert box.size == 0


async def test_room_is_for_the_frame_that_was_refused(nursery: trio.Nursery) -> None:
    """Else a stream would offer it again and again while the client takes nothing."""
    wire = Wire(nursery)
    wire.gate = trio.Event()
    box = outbox(wire)
    assert box.offer(b"xxxx")
    assert not box.offer(b"y" * 8)
    waited = trio.Event()

    async def wait() -> None:
        await box.room()
        waited.set()

    nursery.start_soon(wait)
    box.flush()
    await trio.testing.wait_all_tasks_blocked()
    assert not waited.is_set()
    wire.gate.set()
    await waited.wait()
    assert box.offer(b"y" * 8)
    box.flush()
    await box.room()
    assert wire.texts == ["xxxx", "y" * 8]


class Kernel:
    """A lane that takes everything at once."""

    size = 0

    def watch(self, progressed: Callable[[], None]) -> None:
        del progressed  # nothing ever waits

    def write(self, data: bytes) -> int:
        del data
        return 0


async def test_whoever_waits_for_room_is_let_go_by_what_is_taken_at_once(
    nursery: trio.Nursery,
) -> None:
    writer = WebSocketWriter(Kernel())
    writer.open = True
    wire = Wire(nursery)
    box = Outbox(writer, wire.send, wire.spawn, 10, Counters(), Deliveries())
    assert box.offer(b"123456")
    async with trio.open_nursery() as waiting:
        waiting.start_soon(box.room)
        waiting.start_soon(box.room)
        await trio.testing.wait_all_tasks_blocked()
        assert len(waiting.child_tasks) == 2
        box.flush()
        await trio.testing.wait_all_tasks_blocked()
        assert not waiting.child_tasks
        waiting.cancel_scope.cancel()


async def test_whoever_waits_for_room_is_let_go_when_it_closes(nursery: trio.Nursery) -> None:
    wire = Wire(nursery)
    wire.gate = trio.Event()
    box = outbox(wire)
    assert box.offer(b"x" * 10)
    nursery.start_soon(box.room)
    await trio.testing.wait_all_tasks_blocked()
    box.close()
    await box.room()
    box.write(b"late")
    box.end(1000, "late")
    assert wire.sent == []


async def test_the_close_leaves_after_the_frames_and_once(nursery: trio.Nursery) -> None:
    wire = Wire(nursery)
    box = outbox(wire)
    assert box.offer(b"last")
    box.end(1001, "Going away")
    box.end(4400, "too late")
    assert not box.offer(b"no more")
    box.write(b"no more")
    await trio.testing.wait_all_tasks_blocked()
    assert wire.texts == ["last"]
    assert wire.sent[-1] == {"type": "websocket.close", "code": 1001, "reason": "Going away"}
    assert box.closed


async def test_a_send_that_never_waits_leaves_the_loop_to_others(nursery: trio.Nursery) -> None:
    """As Hypercorn's does after a disconnect."""
    turns: list[int] = []

    async def send(message: dict[str, object]) -> None:
        turns.append(len(turns))

    writer = AsgiWriter(send, nursery.start_soon)
    box = Outbox(writer, send, nursery.start_soon, 1000, Counters(), Deliveries())
    for _ in range(50):
        assert box.offer(b"x")
    box.flush()
    seen = 0
    while len(turns) < 50:
        await trio.lowlevel.checkpoint()
        seen += 1
    assert seen > 10


@given(st.lists(st.binary(min_size=1, max_size=6).map(lambda raw: raw.hex().encode()), max_size=40))
def test_what_it_takes_is_what_leaves(frames: list[bytes]) -> None:
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            wire = Wire(nursery)
            box = outbox(wire, limit=30)
            taken = []
            for index, frame in enumerate(frames):
                if box.offer(frame):
                    taken.append(frame.decode())
                assert box.size <= 30
                if index % 3 == 0:
                    box.flush()
                if index % 5 == 0:
                    await trio.testing.wait_all_tasks_blocked()
            box.flush()
            await trio.testing.wait_all_tasks_blocked()
            assert wire.texts == taken
            assert box.size == 0

    trio.run(run)


def test_the_counters_are_of_all_connections() -> None:
    counters = Counters()

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                wire = Wire(nursery)
                outbox(wire, counters=counters).write(b"abc")

    trio.run(run)
    assert (counters.messages_out, counters.bytes_out) == (2, 6)


def event(time: int) -> Record:
    return Record(1, time, "ann", "ann", Kind.ALERT, None)


async def test_what_is_sent_is_timed_once_for_each_flush(nursery: trio.Nursery) -> None:
    now = 2_000_000
    latency = Deliveries(lambda: now)
    wire = Wire(nursery)
    box = outbox(wire, 1_000, latency=latency)
    for moment in (1_000_000, 1_500_000):
        latency.subject = event(moment)
        box.offer(b"news")
    latency.subject = None
    box.offer(b"a heartbeat")
    box.write(b"pong")
    await trio.testing.wait_all_tasks_blocked()
    assert len(wire.texts) == 4
    assert (latency.latency.count, latency.latency.total) == (2, 2.0)  # both as the oldest
    box.write(b"pong")
    await trio.testing.wait_all_tasks_blocked()
    assert latency.latency.count == 2


async def test_what_comes_during_a_flush_is_timed_with_the_next(nursery: trio.Nursery) -> None:
    now = 1_000_000
    latency = Deliveries(lambda: now)
    wire = Wire(nursery)
    wire.gate = trio.Event()
    box = outbox(wire, 1_000, latency=latency)
    latency.subject = event(0)
    box.offer(b"one")
    box.flush()
    await trio.testing.wait_all_tasks_blocked()
    latency.subject = event(900_000)
    box.offer(b"two")
    latency.subject = None
    box.flush()
    wire.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert latency.latency.count == 2
    assert latency.latency.total == pytest.approx(1.1)


async def test_what_was_dropped_is_not_timed(nursery: trio.Nursery) -> None:
    latency = Deliveries()
    wire = Wire(nursery)
    wire.gate = trio.Event()
    box = outbox(wire, 1_000, latency=latency)
    latency.subject = event(0)
    box.offer(b"one")
    box.offer(b"two")
    box.flush()
    await trio.testing.wait_all_tasks_blocked()
    box.close()
    wire.gate.set()
    await trio.testing.wait_all_tasks_blocked()
    assert latency.latency.count == 0
    assert len(box) == 0


async def test_it_has_slots_only(nursery: trio.Nursery) -> None:
    """There are ten thousand of these."""
    assert not hasattr(outbox(Wire(nursery)), "__dict__")
