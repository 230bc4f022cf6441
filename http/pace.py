"""How fast one client may go on: a token bucket, as a virtual clock (GCRA, ITU-T I.371)."""

__all__ = ["Pace"]

_BURST = 1.0  # seconds' worth that may come at once


class Pace:
    """``rate`` things a second in the long run, and as many at once; 0 is no limit.

    Times are seconds of any clock that does not go backwards.
    """

    __slots__ = ("_due", "_interval")

    def __init__(self, rate: float) -> None:
        self._interval = 1.0 / rate if rate else 0.0
        self._due = float("-inf")

    def spend(self, now: float) -> float:
        """Something has come: when the next may, at the earliest.

        It is not after ``now`` while there is something left to spend.
        """
        self._due = max(self._due, now) + self._interval
        return self._due + self._interval - _BURST
