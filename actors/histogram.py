"""How often a measure fell where: plain numbers, cheap enough to be counted on the hot path."""

from bisect import bisect_left
from collections.abc import Sequence
from math import isfinite

from attrs import frozen

__all__ = ["DELAYS", "Example", "Histogram"]

DELAYS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds for what a client waits for, in seconds."""


@frozen
class Example:
    """One measure and the trace it belongs to (an exemplar of OpenMetrics); ``time`` in seconds
    since 1970.
    """

    trace_id: str
    value: float
    time: float


class Histogram:
    """Counts of measures by fixed upper bounds, which belong to their bucket.

    ``counts`` has one number for each bound and one for what is beyond them all; ``total`` is the
    sum of all measures; ``examples`` the latest of each bucket.

    Raises:
        ValueError: the bounds are not finite, ascending numbers.
    """

    __slots__ = ("bounds", "counts", "examples", "total")

    def __init__(self, bounds: Sequence[float] = DELAYS) -> None:
        self.bounds = tuple(bounds)
        if not self.bounds or list(self.bounds) != sorted(set(self.bounds)):
            raise ValueError(f"the bounds must ascend: {self.bounds}")
        if not all(map(isfinite, self.bounds)):
            raise ValueError(f"the bounds must be finite: {self.bounds}")
        self.counts = [0] * (len(self.bounds) + 1)
        self.examples: dict[int, Example] = {}
        self.total = 0.0

    def observe(self, value: float, times: int = 1) -> int:
        """Count a measure, ``times`` over; the number of its bucket."""
        bucket = bisect_left(self.bounds, value)
        self.counts[bucket] += times
        self.total += value * times
        return bucket

    def illustrate(self, bucket: int, example: Example) -> None:
        """Keep a measure as the example of its bucket; the latest stays."""
        self.examples[bucket] = example

    @property
    def count(self) -> int:
        """How many measures there were."""
        return sum(self.counts)
