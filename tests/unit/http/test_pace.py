"""A token bucket: a burst, then the rate."""

import math

from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.pace import Pace


def test_a_second_of_it_may_come_at_once_and_then_one_after_the_other() -> None:
    pace = Pace(4)
    told = [pace.spend(10.0) for _ in range(6)]
    assert told == [9.5, 9.75, 10.0, 10.25, 10.5, 10.75]


def test_what_was_spent_comes_back_with_time_and_no_more_than_that() -> None:
    pace = Pace(2)
    assert [pace.spend(0.0), pace.spend(0.0)] == [0.0, 0.5]
    assert pace.spend(0.5) == 1.0
    assert [pace.spend(100.0), pace.spend(100.0), pace.spend(100.0)] == [100.0, 100.5, 101.0]


def test_no_limit() -> None:
    pace = Pace(0)
    assert all(pace.spend(1.0) <= 1.0 for _ in range(1000))


@given(st.integers(1, 1000), st.lists(st.floats(0, 2), max_size=200))
def test_who_waits_as_told_never_has_more_than_a_burst_and_the_rate(
    rate: int, gaps: list[float]
) -> None:
    pace, now, times = Pace(rate), 0.0, []
    for gap in gaps:
        now += gap
        times.append(now)
        now = max(now, pace.spend(now))
    for first in range(0, len(times), 7):
        for last in range(first, len(times), 5):
            span = times[last] - times[first]
            assert last - first + 1 <= math.floor(rate * (span + 1) + 1e-6)


@given(st.integers(1, 1000), st.lists(st.integers(0, 3), max_size=100))
def test_who_keeps_to_the_rate_never_waits(rate: int, skipped: list[int]) -> None:
    pace, now = Pace(rate), 0.0
    for skip in skipped:
        told = pace.spend(now)
        now += (1 + skip) / rate
        assert told <= now + 1e-6
