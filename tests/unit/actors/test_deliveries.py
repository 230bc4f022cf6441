"""How long deliveries take: one measure for many frames, with the trace that it belongs to."""

import pytest
from trio.testing import MockClock

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.histogram import Example
from incident_manager.actors.model import Record
from incident_manager.actors.vocabulary import Kind
from unit.actors.fakes import FakeShape, FakeSink
from unit.actors.stage import Client, Stage, open_stage
from unit.actors.support import make_submit

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
SAMPLED = f"00-{TRACE_ID}-00f067aa0ba902b7-01"


def event(time: int, trace: str | None = None) -> Record:
    return Record(1, time, "ann", "ann", Kind.ALERT, None, trace=trace)


def test_frames_are_counted_with_the_delay_of_the_oldest_event() -> None:
    deliveries = Deliveries(lambda: 1_030_000)
    deliveries.sent(event(1_000_000), 7)
    assert deliveries.latency.count == 7
    assert deliveries.latency.total == pytest.approx(7 * 0.03)
    assert deliveries.latency.examples == {}


def test_a_clock_that_was_set_back_counts_as_no_delay() -> None:
    deliveries = Deliveries(lambda: 5)
    deliveries.sent(event(1_000_000), 1)
    assert deliveries.latency.counts[0] == 1
    assert deliveries.latency.total == 0


@pytest.mark.parametrize("flags", ["01", "03", "ff"])
def test_a_sampled_trace_is_an_example(flags: str) -> None:
    deliveries = Deliveries(lambda: 3_000_000)
    deliveries.sent(event(1_000_000, SAMPLED[:-2] + flags), 1)
    [example] = deliveries.latency.examples.values()
    assert example == Example(TRACE_ID, 2.0, 3.0)


def test_one_that_is_not_sampled_is_none() -> None:
    deliveries = Deliveries(lambda: 3_000_000)
    deliveries.sent(event(1_000_000, SAMPLED[:-2] + "00"), 1)
    assert deliveries.latency.examples == {}


def test_frames_of_one_event_are_counted_together_by_one_look_at_the_clock() -> None:
    looks: list[int] = []

    def clock() -> int:
        looks.append(1)
        return 2_000_000

    deliveries = Deliveries(clock)
    first, second = event(1_000_000), event(1_500_000)
    with deliveries.together():
        for oldest in (first, first, second, second):
            deliveries.sent(oldest, 3)
        assert deliveries.latency.count == 6  # those of the first, as another came
    assert deliveries.latency.count == 12
    assert deliveries.latency.total == 6 * 1.0 + 6 * 0.5
    assert len(looks) == 2


def test_of_very_many_frames_some_are_counted_before_the_end() -> None:
    deliveries = Deliveries(lambda: 2_000_000)
    one = event(1_000_000)
    with deliveries.together():
        for _ in range(300):
            deliveries.sent(one, 1)
        assert deliveries.latency.count == 256
    assert deliveries.latency.count == 300


def test_by_default_it_has_the_clock_of_the_events() -> None:
    deliveries = Deliveries()
    deliveries.sent(event(0), 1)
    assert deliveries.latency.total > 1_700_000_000


def subjects(stage: Stage, client: Client) -> list[int | None]:
    """The offset of the event that each payload from now on is offered for; None: of no news."""
    found: list[int | None] = []
    offer = client.sink.offer

    def noting(payload: bytes) -> bool:
        subject = stage.hub.latency.subject
        found.append(None if subject is None else subject.offset)
        return offer(payload)

    client.sink.offer = noting  # type: ignore[method-assign]
    return found


@pytest.mark.parametrize("deep", [False, True])
async def test_what_a_client_has_missed_is_no_news_and_what_comes_then_is(
    mock_clock: MockClock, deep: bool
) -> None:
    async with open_stage(mock_clock) as stage:
        await stage.ask(*(make_submit(title=title) for title in "ab"))
        client = stage.subscribe(shape=FakeShape(deep=deep), cursor=Cursor(stage.store.epoch, 0))
        found = subjects(stage, client)
        await stage.settle()
        assert found == [None, None]
        await stage.ask(*(make_submit(title=title) for title in "cd"))
        await stage.settle()
        # What the fan-out offers together is as late as the oldest of it.
        assert found == [None, None, 3, 4 if deep else 3]
        assert stage.hub.latency.subject is None


async def test_what_a_slow_client_reads_late_is_news_all_the_same(mock_clock: MockClock) -> None:
    async with open_stage(mock_clock) as stage:
        client = stage.subscribe(FakeSink(room=1))
        found = subjects(stage, client)
        await stage.ask(*(make_submit(title=title) for title in "abc"))
        await stage.settle()
        assert not client.sub.live
        await stage.read_all()
        assert found[-1] == 3
        assert None not in found


async def test_a_heartbeat_is_no_news(mock_clock: MockClock) -> None:
    async with open_stage(mock_clock) as stage:
        client = stage.subscribe(heartbeat=5)
        found = subjects(stage, client)
        await stage.settle()
        mock_clock.jump(6)
        await stage.settle()
        assert found == [None]
