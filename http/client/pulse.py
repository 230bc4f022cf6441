"""Whether the other side still lives: a ping after silence, and a time for the answer."""

from enum import Enum

from attrs import frozen

__all__ = ["Act", "Pulse", "Step"]


class Act(Enum):
    """What the pulse asks for."""

    WAIT = "wait"
    PING = "ping"
    DEAD = "dead"


@frozen
class Step:
    """What to do now, and at which time to ask again."""

    act: Act
    again: float


class Pulse:
    """Times in and times out, no clock.

    After ``interval`` seconds of silence a ping is due; if ``timeout`` seconds later nothing at all
    has come, the connection is dead. While the client itself does not read (its consumer is
    behind), silence says nothing: :meth:`pause`.
    """

    __slots__ = ("_asked", "_heard", "_interval", "_paused", "_timeout")

    def __init__(self, interval: float, timeout: float, now: float) -> None:
        self._interval = interval
        self._timeout = timeout
        self._heard = now
        self._asked: float | None = None
        self._paused = False

    def heard(self, now: float) -> None:
        """Something came."""
        self._heard = now
        self._asked = None

    def pause(self) -> None:
        """Nothing is being read."""
        self._paused = True

    def resume(self, now: float) -> None:
        """Reading goes on: what is in the buffers of the kernel has not been seen yet."""
        self._paused = False
        self.heard(now)

    def step(self, now: float) -> Step:
        """What there is to do now."""
        if self._paused:
            return Step(Act.WAIT, now + self._interval)
        if self._asked is not None:
            late = self._asked + self._timeout
            return Step(Act.DEAD if now >= late else Act.WAIT, late)
        due = self._heard + self._interval
        if now < due:
            return Step(Act.WAIT, due)
        self._asked = now
        return Step(Act.PING, now + self._timeout)
