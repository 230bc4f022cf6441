"""Durations in buckets, as the compiled load client has them: 0.8 % wide at most."""

from collections import Counter

__all__ = ["Histogram", "bucket", "floor"]

_SUB = 128  # buckets to a power of two


def bucket(value: int) -> int:
    """The bucket of a duration of ``value`` ns (0 or more)."""
    if value < _SUB:
        return value
    shift = value.bit_length() - _SUB.bit_length()
    return (shift + 1) * _SUB + (value >> shift) - _SUB


def floor(number: int) -> int:
    """The least duration, in ns, that falls into a bucket."""
    if number < _SUB:
        return number
    return (number % _SUB + _SUB) << (number // _SUB - 1)


class Histogram:
    """Counts durations in ns."""

    def __init__(self) -> None:
        self._buckets: Counter[int] = Counter()
        self.count = 0
        self.max = 0

    def record(self, value: int) -> None:
        """Count one duration."""
        self._buckets[bucket(value)] += 1
        self.count += 1
        self.max = max(self.max, value)

    def quantile(self, share: float) -> int:
        """The duration in ns that ``share`` (0 to 1) of all do not exceed; 0 without any."""
        rank, seen = share * self.count, 0
        for number in sorted(self._buckets):
            seen += self._buckets[number]
            if seen >= rank:
                return floor(number)
        return self.max

    def report(self) -> dict[str, float]:
        """What the load client prints of it, in µs."""
        shares = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "p999": 0.999}
        quantiles = {name: self.quantile(share) / 1e3 for name, share in shares.items()}
        return {"count": self.count, **quantiles, "max": self.max / 1e3}
