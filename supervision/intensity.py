"""Restart intensity: how many restarts a supervisor bears within a period (pure values)."""

from __future__ import annotations

from attrs import evolve, field, frozen, validators

__all__ = ["Intensity", "Window"]


@frozen
class Intensity:
    """At most ``restarts`` (>= 0) restarts within any ``period`` (> 0, seconds).

    Same meaning as ``intensity`` and ``period`` of Erlang/OTP's ``supervisor``.

    Raises:
        ValueError: a figure is out of range.
    """

    restarts: int = field(default=3, validator=validators.ge(0))
    period: float = field(default=5.0, validator=validators.gt(0))


@frozen
class Window:
    """The restarts that still count, oldest first.

    Never longer than ``intensity.restarts + 1`` times, whatever happens. A restart exactly
    ``period`` seconds old still counts, as in OTP.
    """

    intensity: Intensity = Intensity()
    times: tuple[float, ...] = ()

    def record(self, now: float) -> Window:
        """Return the window after one more restart at ``now`` (seconds, never going back)."""
        times = (*self._counting(now), now)
        return evolve(self, times=times[-(self.intensity.restarts + 1) :])

    @property
    def exceeded(self) -> bool:
        """True if the last recorded restart was one too many."""
        return len(self.times) > self.intensity.restarts

    def left(self, now: float) -> int:
        """Return how many restarts would be borne at ``now``."""
        return max(0, self.intensity.restarts - len(self._counting(now)))

    def _counting(self, now: float) -> tuple[float, ...]:
        return tuple(time for time in self.times if now - time <= self.intensity.period)
