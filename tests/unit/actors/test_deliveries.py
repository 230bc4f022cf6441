"""How long deliveries take: one measure for many frames, with the trace that it belongs to."""

import pytest

from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.histogram import Example
from incident_manager.actors.model import Record
from incident_manager.actors.vocabulary import Kind

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


def test_by_default_it_has_the_clock_of_the_events() -> None:
    deliveries = Deliveries()
    deliveries.sent(event(0), 1)
    assert deliveries.latency.total > 1_700_000_000
