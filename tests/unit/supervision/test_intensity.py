"""The restart window against a plain count over all restarts there ever were."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.supervision import Intensity, Window

steps = st.lists(st.integers(0, 6), max_size=40)


def clock(gaps: list[int]) -> list[float]:
    times, now = [], 0.0
    for gap in gaps:
        now += gap
        times.append(now)
    return times


@given(steps, st.integers(0, 5), st.integers(1, 12))
def test_exceeded_and_left_agree_with_a_plain_count(
    gaps: list[int], restarts: int, period: int
) -> None:
    window = Window(Intensity(restarts, period))
    past: list[float] = []
    for now in clock(gaps):
        counting = sum(1 for time in past if now - time <= period)
        assert window.left(now) == max(0, restarts - counting)
        window = window.record(now)
        past.append(now)
        assert window.exceeded == (counting + 1 > restarts)
        assert len(window.times) <= restarts + 1


def test_a_restart_exactly_a_period_ago_still_counts() -> None:
    window = Window(Intensity(1, 5.0)).record(0.0)
    assert window.record(5.0).exceeded
    assert not window.record(5.001).exceeded


def test_recording_leaves_the_old_value_alone() -> None:
    window = Window(Intensity(1, 5.0))
    window.record(1.0)
    assert window.left(1.0) == 1


@pytest.mark.parametrize(("restarts", "period"), [(-1, 5.0), (1, 0.0), (1, -1.0)])
def test_out_of_range_is_refused(restarts: int, period: float) -> None:
    with pytest.raises(ValueError, match="restarts" if restarts < 0 else "period"):
        Intensity(restarts, period)
