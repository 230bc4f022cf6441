"""Histograms: counts by bound, the sum, and the latest example of each bucket."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.histogram import DELAYS, Example, Histogram

measures = st.lists(
    st.tuples(st.floats(-1, 20, allow_nan=False), st.integers(1, 1000)), max_size=50
)


@given(measures)
def test_a_bucket_counts_what_is_not_above_its_bound_and_above_the_one_before(
    given: list[tuple[float, int]],
) -> None:
    histogram = Histogram(DELAYS)
    for value, times in given:
        histogram.observe(value, times)
    for bound, below in zip(DELAYS, range(1, len(DELAYS) + 1), strict=True):
        assert sum(histogram.counts[:below]) == sum(n for value, n in given if value <= bound)
    assert histogram.count == sum(n for _, n in given)
    exact = sum((Fraction(value) * n for value, n in given), Fraction())
    assert histogram.total == pytest.approx(float(exact), rel=1e-9, abs=1e-9)


def test_a_measure_on_a_bound_belongs_to_it() -> None:
    histogram = Histogram((1.0, 2.0))
    assert [histogram.observe(value) for value in (0.5, 1.0, 1.5, 2.0, 2.5)] == [0, 0, 1, 1, 2]
    assert histogram.counts == [2, 2, 1]


def test_the_latest_example_of_a_bucket_stays() -> None:
    histogram = Histogram((1.0, 2.0))
    for trace, value in (("a", 0.5), ("b", 0.7), ("c", 9.0)):
        histogram.illustrate(histogram.observe(value), Example(trace, value, 1.0))
    assert [(bucket, histogram.examples[bucket].trace_id) for bucket in (0, 2)] == [
        (0, "b"),
        (2, "c"),
    ]
    assert len(histogram.examples) == 2


@pytest.mark.parametrize("bounds", [(), (2.0, 1.0), (1.0, 1.0), (1.0, float("inf"))])
def test_bounds_that_cannot_be(bounds: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="the bounds must"):
        Histogram(bounds)
