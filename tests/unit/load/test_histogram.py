"""Laws of the histogram that latencies are counted in."""

from hypothesis import given
from hypothesis import strategies as st

from load.histogram import Histogram, bucket, floor

durations = st.integers(0, 2**50)


@given(durations)
def test_a_bucket_holds_its_floor_and_is_narrow(value: int) -> None:
    least, beyond = floor(bucket(value)), floor(bucket(value) + 1)
    assert least <= value < beyond
    assert beyond - least <= max(1, value / 128)


@given(durations, durations)
def test_buckets_keep_the_order(one: int, other: int) -> None:
    assert (bucket(one) <= bucket(other)) or one > other


@given(st.lists(durations, min_size=1), st.sampled_from([0.5, 0.9, 0.99, 1.0]))
def test_a_quantile_is_that_of_the_sorted_list(values: list[int], share: float) -> None:
    histogram = Histogram()
    for value in values:
        histogram.record(value)
    rank = next(n for n in range(1, len(values) + 1) if n >= share * len(values))
    assert histogram.quantile(share) == floor(bucket(sorted(values)[rank - 1]))


def test_the_report_is_in_microseconds() -> None:
    histogram = Histogram()
    histogram.record(100)
    assert histogram.report() == {
        "count": 1, "p50": 0.1, "p90": 0.1, "p99": 0.1, "p999": 0.1, "max": 0.1
    }  # fmt: skip


def test_without_durations_every_quantile_is_zero() -> None:
    assert Histogram().quantile(0.99) == 0
