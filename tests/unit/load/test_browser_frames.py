"""The quantiles of frames."""

from hypothesis import given
from hypothesis import strategies as st

from system.browser.frames import LONG, Frames


@given(st.lists(st.floats(0.1, 1_000), min_size=1))
def test_quantiles_are_of_the_frames_and_in_order(taken: list[float]) -> None:
    frames = Frames.of(taken)
    assert frames.count == len(taken)
    assert {frames.median, frames.p99, frames.worst} <= set(taken)
    assert frames.median <= frames.p99 <= frames.worst == max(taken)
    assert frames.long == len([each for each in taken if each >= LONG])
