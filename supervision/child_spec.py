"""What a supervisor needs to know of a child before it starts it (values)."""

from __future__ import annotations

from enum import StrEnum

from attrs import Attribute, field, frozen, validators

from .child import Body

__all__ = ["Backoff", "ChildSpec", "Restart", "Strategy", "check_name"]


class Restart(StrEnum):
    """When a child that ended by itself is started again (as in Erlang/OTP)."""

    PERMANENT = "permanent"
    TRANSIENT = "transient"
    TEMPORARY = "temporary"

    def again(self, *, failed: bool) -> bool:
        """Return whether to start it again: always, only after a failure, never."""
        return self is Restart.PERMANENT or (self is Restart.TRANSIENT and failed)


class Strategy(StrEnum):
    """Which siblings are restarted with a child: none, all, those started after it."""

    ONE_FOR_ONE = "one_for_one"
    ONE_FOR_ALL = "one_for_all"
    REST_FOR_ONE = "rest_for_one"


@frozen
class Backoff:
    """Seconds to wait before a restart: ``initial * factor ** (n - 1)``, at most ``maximum``.

    n counts the failures in a row; a run that stayed ready for the supervisor's whole intensity
    period starts the count again. The default waits not at all.

    Raises:
        ValueError: a figure is out of range.
    """

    initial: float = field(default=0.0, validator=validators.ge(0))
    factor: float = field(default=2.0, validator=validators.ge(1))
    maximum: float = field(default=5.0, validator=validators.ge(0))

    def delay(self, consecutive: int) -> float:
        """Return the wait (seconds) after ``consecutive`` (>= 1) failures in a row."""
        try:
            return min(self.maximum, self.initial * self.factor ** (consecutive - 1))
        except OverflowError:
            return self.maximum if self.initial else 0.0


def check_name(name: str) -> str:
    """Return ``name`` if it can be part of a node id.

    Raises:
        ValueError: it is empty or has a dot, which separates the parts of an id.
    """
    if not name or "." in name:
        raise ValueError(f"a child's id must not be empty nor have a dot: {name!r}")
    return name


def _valid_name(_spec: ChildSpec, _attribute: Attribute[str], value: str) -> None:
    check_name(value)


@frozen
class ChildSpec:
    """How to start, stop and restart one child.

    Attributes:
        id: its name among its siblings: not empty, no dot.
        start: its body; called anew for every start.
        restart: when it is started again after it ended by itself.
        shutdown: seconds between being asked to stop and being cancelled; 0 cancels at once,
            ``math.inf`` never (right for most supervisors).
        kind: what the tree shows it as.
        backoff: the wait before a restart.

    Raises:
        ValueError: a field is out of range.
    """

    id: str = field(validator=_valid_name)
    start: Body
    restart: Restart = Restart.PERMANENT
    shutdown: float = field(default=5.0, validator=validators.ge(0))
    kind: str = "worker"
    backoff: Backoff = Backoff()
