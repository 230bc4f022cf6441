"""One subscription: live, reading, resuming, beating, failing."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
import trio
from trio.testing import MockClock

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.model import Record
from incident_manager.actors.ports import Gap
from incident_manager.actors.streams import StreamField, StreamFilter
from incident_manager.actors.subscription import Subscription
from incident_manager.actors.vocabulary import Severity
from unit.actors.fakes import Event, FakeShape, FakeSink, Unprojectable
from unit.actors.faults import losing, refusing
from unit.actors.stage import Stage, open_stage
from unit.actors.support import make_submit

DEEP = FakeShape(name="deep", deep=True)
SEVERE = StreamFilter(severities=frozenset({Severity.P0}))


@pytest.fixture
async def stage(mock_clock: MockClock) -> AsyncIterator[Stage]:
    async with open_stage(mock_clock) as opened:  # a test that lets time pass asks for it, too
        yield opened


async def post(stage: Stage, number: int = 1, severity: Severity = Severity.P2) -> None:
    """So many new incidents, and everything that follows from them."""
    head = stage.store.bounds.head
    titles = [f"alert {head + each}" for each in range(number)]
    await stage.ask(*(make_submit(title=title, severity=severity) for title in titles))
    await stage.settle()


async def test_without_a_cursor_a_stream_is_what_comes_from_now_on(stage: Stage) -> None:
    await post(stage, 2)
    client = stage.subscribe()
    await post(stage, 2)
    assert client.sub.live
    await stage.read_all()
    assert client.sink.log == [Event(3, f"{stage.store.epoch}:3"), Event(4, f"{stage.hub.epoch}:4")]
    assert (client.sub.position, client.sub.lag) == (4, 0)


async def test_it_starts_when_it_is_made_not_when_its_task_first_runs(stage: Stage) -> None:
    client = stage.subscribe()
    stage.nursery.start_soon(stage.ask, make_submit())
    await stage.read_all()
    assert client.sink.offsets == [1]


async def test_with_a_cursor_it_reads_what_was_missed_and_goes_live(stage: Stage) -> None:
    await post(stage, 5)
    client = stage.subscribe(cursor=Cursor(stage.store.epoch, 2))
    await stage.settle()
    assert client.sub.live
    await post(stage)
    await stage.read_all()
    assert client.sink.log[0] == "recovered"
    assert client.sink.offsets == [3, 4, 5, 6]
    assert (stage.hub.recovered, stage.hub.gaps) == (1, 0)


@pytest.mark.parametrize("kind", ["old", "elsewhere", "ahead"])
async def test_a_cursor_that_cannot_be_had_is_a_gap_that_is_said(stage: Stage, kind: str) -> None:
    await post(stage, 5)
    await stage.keeper.trim(keep=2, before=0, limit=100)
    epoch = stage.store.epoch
    cursor = {
        "old": Cursor(epoch, 1),
        "elsewhere": Cursor("elsewhere", 4),
        "ahead": Cursor(epoch, 6),
    }[kind]
    client = stage.subscribe(cursor=cursor)
    await stage.read_all()
    assert client.sink.log[0] == Gap(cursor, Cursor(epoch, 3))
    assert client.sink.offsets == [4, 5]
    assert "recovered" not in client.sink.log
    assert (stage.hub.recovered, stage.hub.gaps) == (0, 1)


async def test_a_slow_reader_leaves_the_fan_out_reads_on_and_comes_back(stage: Stage) -> None:
    slow, quick = stage.subscribe(FakeSink(room=2)), stage.subscribe()
    await post(stage, 9)
    assert (slow.sub.live, quick.sub.live) == (False, True)
    assert (slow.sub.position, slow.sub.lag) == (2, 7)
    assert len(slow.sink.outbox) == 2
    quick.sink.read()
    assert quick.sink.offsets == [*range(1, 10)]
    slow.sink.read(1)
    await stage.settle()
    assert not slow.sub.live
    assert len(slow.sink.outbox) == 2
    await stage.read_all()
    assert slow.sink.offsets == [*range(1, 10)]
    assert slow.sub.live
    assert stage.hub.catchups == 1
    assert set(stage.projector.made.values()) == {1}


async def test_what_is_redacted_while_it_is_read_is_read_again(stage: Stage) -> None:
    async with open_stage(stage.clock, ring=1) as small:
        client = small.subscribe(FakeSink(room=1))
        await post(small, 4)
        gate = small.faults.gate("after", "read_after")
        small.keeper.shared.forget()
        before = small.faults.calls.count("read_after")
        client.sink.read()
        await gate.reached.wait()
        small.hub.forget()  # what was read says what it said before
        small.keeper.shared.forget()
        gate.opened.set()
        await small.settle()
        assert small.faults.calls.count("read_after") == before + 2
        await small.read_all()
        assert client.sink.offsets == [1, 2, 3, 4]


async def test_what_is_redacted_while_it_is_made_is_made_again(stage: Stage) -> None:
    stage.projector.gate = trio.Event()
    client = stage.subscribe(shape=DEEP)
    await post(stage, 2)
    stage.hub.forget()
    stage.projector.gate.set()
    await stage.read_all()
    assert client.sink.offsets == [1, 2]
    assert stage.projector.made == {(DEEP, 1): 2, (DEEP, 2): 1}


async def test_one_who_falls_behind_retention_is_told(stage: Stage) -> None:
    epoch = stage.store.epoch
    async with open_stage(stage.clock, ring=1) as small:
        epoch = small.store.epoch
        client = small.subscribe(FakeSink(room=1))
        await post(small, 6)
        await small.keeper.trim(keep=2, before=0, limit=100)
        await small.read_all()
        assert client.sink.offsets == [1, 5, 6]
        assert client.sink.log[1] == Gap(Cursor(epoch, 1), Cursor(epoch, 4))
        assert small.hub.gaps == 1


async def test_a_deep_shape_is_read_never_live_and_made_once_for_all(stage: Stage) -> None:
    clients = [stage.subscribe(shape=DEEP) for _ in range(3)]
    await post(stage, 3)
    await stage.read_all()
    for client in clients:
        assert client.sink.offsets == [1, 2, 3]
        assert not client.sub.live
        assert client.sub.lag == 0
    assert stage.projector.made == {(DEEP, offset): 1 for offset in (1, 2, 3)}
    assert stage.hub.seats == 0


def count_reads(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts how often anybody looks for what follows its position."""
    recent, reads = stage.hub.recent, [0]

    def counted(offset: int, limit: int) -> list[Record] | None:
        reads[0] += 1
        return recent(offset, limit)

    monkeypatch.setattr(stage.hub, "recent", counted)
    return reads


async def test_a_reader_that_stalls_costs_nothing_with_the_events_that_follow(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    stalled, quick = [stage.subscribe(FakeSink(room=1)) for _ in range(9)], stage.subscribe()
    await post(stage, 5)
    refused = [client.sink.refused for client in stalled]
    reads = count_reads(stage, monkeypatch)
    await post(stage, 50)
    assert reads == [0]
    assert [client.sink.refused for client in stalled] == refused
    assert stage.hub.seats == 1
    await stage.read_all()
    for client in (*stalled, quick):
        assert client.sink.offsets == [*range(1, 56)]
        assert client.sub.live


@pytest.mark.parametrize("shape", [FakeShape(), DEEP], ids=["flat", "deep"])
async def test_who_waits_for_other_events_costs_nothing(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, shape: FakeShape
) -> None:
    idle = [
        stage.subscribe(shape=shape, wanted=StreamFilter(incident_ids=frozenset({str(number)})))
        for number in range(20)
    ]
    await stage.settle()
    reads = count_reads(stage, monkeypatch)
    await post(stage, 9)
    assert reads == [0]
    assert {(client.sub.position, client.sub.lag) for client in idle} == {(9, 0)}
    assert stage.projector.made == {}


async def test_what_is_deep_is_read_when_there_is_something_to_read(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    severe, idle = stage.subscribe(shape=DEEP, wanted=SEVERE), stage.subscribe(shape=DEEP)
    idle.scope.cancel()
    await stage.settle()
    reads = count_reads(stage, monkeypatch)
    await post(stage, 4)
    await post(stage, severity=Severity.P0)
    await post(stage, 4)
    await stage.read_all()
    assert severe.sink.offsets == [5]
    assert reads == [1]
    assert stage.hub.catchups == 0


@pytest.mark.parametrize("child", ["hub", "registry", "journal"])
@pytest.mark.parametrize("shape", [FakeShape(), DEEP], ids=["flat", "deep"])
async def test_it_outlives_a_restart_of_the_others(
    stage: Stage, child: str, shape: FakeShape
) -> None:
    client = stage.subscribe(shape=shape)
    await post(stage, 2)
    await stage.restart(child)
    await post(stage, 2)
    await stage.read_all()
    assert client.sink.offsets == [1, 2, 3, 4]
    assert client.sub.live is not shape.deep


async def test_a_journal_that_crashes_during_a_read_is_read_again(stage: Stage) -> None:
    async with open_stage(stage.clock, ring=1) as small:
        client = small.subscribe(FakeSink(room=1))
        await post(small, 4)
        gate = small.faults.gate("before", "read_after")
        small.keeper.shared.forget()  # what it has read already
        client.sink.read()
        await gate.reached.wait()
        await small.faults.crash_journal()
        gate.opened.set()
        await small.read_all()
        assert client.sink.offsets == [1, 2, 3, 4]


async def test_without_a_hub_it_starts_at_the_head_of_the_journal(stage: Stage) -> None:
    await post(stage, 3)
    gate = stage.faults.gate("before", "bounds")
    stage.nursery.start_soon(stage.restart, "hub")
    await gate.reached.wait()
    client = stage.subscribe()
    await stage.settle()
    assert client.sub.position == 3
    await post(stage)
    assert client.sink.offsets == []
    gate.opened.set()
    await stage.settle()
    assert client.sub.live
    await stage.read_all()
    assert client.sink.offsets == [4]


async def test_a_hub_that_comes_up_during_a_read_is_joined(stage: Stage) -> None:
    bounds = stage.faults.gate("before", "bounds")
    read = stage.faults.gate("before", "read_after")
    stage.nursery.start_soon(stage.restart, "hub")
    await bounds.reached.wait()
    client = stage.subscribe()
    await read.reached.wait()
    bounds.opened.set()
    await stage.settle()
    read.opened.set()
    await stage.settle()
    assert client.sub.live


async def test_it_leaves_nothing_behind(stage: Stage) -> None:
    client = stage.subscribe()
    await stage.settle()
    assert stage.hub.seats == 1
    client.scope.cancel()
    await stage.settle()
    assert stage.hub.seats == 0
    assert not client.sub.live
    await post(stage)
    assert not client.sink.outbox


@pytest.mark.parametrize("shape", [FakeShape(), DEEP], ids=["flat", "deep"])
async def test_what_cannot_be_projected_ends_it_and_no_other(
    stage: Stage, shape: FakeShape
) -> None:
    client, other = stage.subscribe(shape=shape), stage.subscribe(shape=FakeShape(name="other"))
    idle = stage.subscribe(shape=shape, wanted=SEVERE)
    stage.projector.broken.add((shape.name, 2))
    await post(stage, 3)
    await stage.read_all()
    assert (client.dead, other.dead, idle.dead) == (True, False, False)
    assert client.sink.offsets == [1]
    assert other.sink.offsets == [1, 2, 3]


async def test_what_cannot_be_projected_ends_a_reader_too(stage: Stage) -> None:
    await post(stage, 3)
    stage.projector.broken.add(("plain", 2))
    client = stage.subscribe(cursor=Cursor(stage.store.epoch, 0))
    await stage.read_all()
    assert client.dead
    assert client.sink.offsets == [1]


# --- heartbeats ---


def beats(sink: FakeSink) -> list[str]:
    return [e.cursor for e in sink.log if isinstance(e, Event) and e.offset is None]


@pytest.mark.parametrize("shape", [FakeShape(), DEEP], ids=["live", "reading"])
async def test_heartbeats_come_every_so_often_with_the_last_offset_examined(
    stage: Stage, shape: FakeShape, mock_clock: MockClock
) -> None:
    epoch = stage.store.epoch
    client = stage.subscribe(shape=shape, wanted=SEVERE, heartbeat=10)
    await post(stage, 3)
    assert beats(client.sink) == []
    mock_clock.jump(9)
    await stage.read_all()
    assert beats(client.sink) == []
    mock_clock.jump(1)
    await stage.read_all()
    assert beats(client.sink) == [f"{epoch}:3"]
    await post(stage)
    mock_clock.jump(10)
    await stage.read_all()
    assert beats(client.sink) == [f"{epoch}:3", f"{epoch}:4"]
    assert client.sink.offsets == []


async def test_beats_that_were_missed_are_not_made_up_for(
    stage: Stage, mock_clock: MockClock
) -> None:
    client = stage.subscribe(heartbeat=1)
    await stage.settle()
    mock_clock.jump(100)
    await stage.read_all()
    assert len(beats(client.sink)) == 1


async def test_a_beat_finds_no_room_and_is_left_out(stage: Stage, mock_clock: MockClock) -> None:
    client = stage.subscribe(FakeSink(room=1), heartbeat=1)
    await post(stage, 3)
    mock_clock.jump(1)
    await stage.read_all()
    assert client.sink.offsets == [1, 2, 3]
    for each in client.sink.log:
        assert isinstance(each, Event)
    await stage.settle()


async def test_a_beat_never_runs_ahead_of_a_seat_that_was_taken_away(
    stage: Stage, mock_clock: MockClock
) -> None:
    client = stage.subscribe(FakeSink(room=1), heartbeat=1)
    await post(stage)
    seat = client.sub._seat
    assert seat is not None
    # Its client reads, and the hub takes the seat away, before its task runs again.
    stage.hub._unseat(seat, None)
    stage.hub.position = 7
    assert client.sub.live
    assert client.sub.position == 1


async def test_without_an_interval_there_are_no_beats(stage: Stage, mock_clock: MockClock) -> None:
    client = stage.subscribe(shape=FakeShape(StreamField.ALERTS))
    await stage.settle()
    mock_clock.jump(1000)
    await stage.read_all()
    assert client.sink.log == []


@pytest.mark.parametrize("what", ["read_after", "bounds"])
async def test_a_journal_that_cannot_be_read_now_is_tried_again_and_nothing_is_skipped(
    what: str, mock_clock: MockClock
) -> None:
    async with open_stage(mock_clock, ring=1) as stage:
        await post(stage, 4)
        stage.keeper.shared.forget()  # what the journal was known to hold
        for _ in range(2):
            stage.faults.add("before", what, refusing())
        client = stage.subscribe(cursor=Cursor(stage.store.epoch, 0))
        await stage.read_all()
        assert client.sink.offsets == []
        for _ in range(2):
            mock_clock.jump(60)
            await stage.read_all()
        assert client.sink.offsets == [1, 2, 3, 4]
        assert client.sub.live


async def test_a_hub_that_cannot_read_now_tries_again_and_keeps_its_seats(
    mock_clock: MockClock,
) -> None:
    async with open_stage(mock_clock) as stage:
        client = stage.subscribe()
        await stage.settle()
        stage.faults.add("after", "append", losing())
        stage.faults.add("before", "read_after", refusing())
        await post(stage, 2)
        assert client.sub.live
        mock_clock.jump(60)
        await stage.read_all()
        assert client.sink.offsets == [1, 2]
        assert stage.hub.catchups == 0


def rest(stage: Stage, sub: Subscription) -> list[bool]:
    """Have it rest whenever it can; how its tasks ended, True for one that then rested."""
    ended: list[bool] = []

    async def run() -> None:
        ended.append(await sub.run(wake))

    def wake() -> None:
        stage.nursery.start_soon(run)

    if not sub.rest(wake):
        wake()
    return ended


def resting(stage: Stage, sink: FakeSink, **kwargs: Any) -> tuple[Subscription, list[bool]]:
    sub = Subscription(stage.streams, sink, FakeShape(), StreamFilter(), **kwargs)
    return sub, rest(stage, sub)


async def test_a_live_one_needs_no_task(stage: Stage) -> None:
    sink = FakeSink()
    sub, ended = resting(stage, sink)
    await post(stage, 3)
    sink.read()
    assert sink.offsets == [1, 2, 3]
    assert (sub.live, sub.position, ended) == (True, 3, [])


async def test_one_that_rests_wakes_to_read_what_was_too_much_and_rests_again(stage: Stage) -> None:
    sink = FakeSink(room=2)
    sub, ended = resting(stage, sink)
    await post(stage, 9)
    assert (sub.live, sub.position, ended) == (False, 2, [])
    while sink.outbox:
        sink.read()
        await stage.settle()
    assert sink.offsets == [*range(1, 10)]
    assert (sub.live, ended, stage.hub.catchups) == (True, [True], 1)
    await post(stage)
    sink.read()
    assert sink.offsets[-1] == 10


async def test_one_that_rests_outlives_the_hub(stage: Stage) -> None:
    sink = FakeSink()
    sub, ended = resting(stage, sink)
    await stage.restart("hub")
    await post(stage, 2)
    await stage.settle()
    sink.read()
    assert sink.offsets == [1, 2]
    assert (sub.live, ended) == (True, [True])


async def test_one_that_comes_back_reads_first_and_rests_then(stage: Stage) -> None:
    await post(stage, 3)
    sink = FakeSink()
    sub, ended = resting(stage, sink, cursor=Cursor(stage.store.epoch, 1))
    assert not sub.live
    await stage.settle()
    sink.read()
    assert sink.offsets == [2, 3]
    assert (sub.live, ended) == (True, [True])


async def test_one_that_beats_keeps_its_task(stage: Stage) -> None:
    sub, ended = resting(stage, FakeSink(), heartbeat=5)
    await stage.settle()
    assert (sub.live, ended) == (True, [])


async def test_one_that_leaves_while_it_rests_gives_its_seat_back(stage: Stage) -> None:
    sink = FakeSink()
    sub, ended = resting(stage, sink)
    await post(stage)
    sub.leave()
    sub.leave()
    assert (stage.hub.seats, sub.live, sub.position) == (0, False, 1)
    await post(stage)
    sink.read()
    assert (sink.offsets, ended) == ([1], [])


async def test_what_cannot_be_projected_is_raised_where_one_wakes(stage: Stage) -> None:
    failed: list[Exception] = []
    shape = FakeShape()
    sub = Subscription(stage.streams, FakeSink(), shape, StreamFilter())

    async def run() -> None:
        try:
            await sub.run(wake)
        except Unprojectable as failure:
            failed.append(failure)

    def wake() -> None:
        stage.nursery.start_soon(run)

    assert sub.rest(wake)
    stage.projector.broken.add((shape.name, 1))
    await post(stage)
    await stage.settle()
    assert len(failed) == 1
    assert (stage.hub.seats, sub.live) == (0, False)
