"""Which children to stop and to start, and when: pure functions over phases.

A supervisor's children are in start order; each is in one :class:`Phase`. A supervisor is a loop
that does what these functions allow, then waits for something to change.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from .child_spec import Strategy

__all__ = ["LIVE", "Phase", "affected", "may_start", "may_stop"]


class Phase(Enum):
    """Where a child stands in its supervisor's plan."""

    WAITING = auto()  # to be started, when its turn comes
    STARTING = auto()  # runs, not ready yet
    RUNNING = auto()  # runs, ready
    DOOMED = auto()  # runs, to be asked to stop when its turn comes
    STOPPING = auto()  # runs, asked to stop
    ENDED = auto()  # does not run and is not to be started


LIVE = frozenset({Phase.STARTING, Phase.RUNNING, Phase.DOOMED, Phase.STOPPING})
_SETTLED = frozenset({Phase.RUNNING, Phase.ENDED})
_GOING = frozenset({Phase.DOOMED, Phase.STOPPING})


def affected(strategy: Strategy, ids: Sequence[str], failed: str) -> Sequence[str]:
    """Return the ids, in start order, that are restarted when ``failed`` is."""
    match strategy:
        case Strategy.ONE_FOR_ONE:
            return (failed,)
        case Strategy.ONE_FOR_ALL:
            return ids
        case Strategy.REST_FOR_ONE:
            return ids[ids.index(failed) :]


def may_stop(phases: Sequence[Phase], *, ordered: bool) -> Sequence[int]:
    """Return the indexes that may be asked to stop now.

    ``ordered``: one at a time, the last first, each after the one before it has left.
    Else all that are to stop.
    """
    if not ordered:
        return [index for index, phase in enumerate(phases) if phase is Phase.DOOMED]
    for index in reversed(range(len(phases))):
        if phases[index] is Phase.STOPPING:
            return []
        if phases[index] is Phase.DOOMED:
            return [index]
    return []


def may_start(phases: Sequence[Phase], first: Sequence[bool], *, ordered: bool) -> Sequence[int]:
    """Return the indexes that may be started now, if their backoff is over.

    A child that never was ready (``first``), or any one if ``ordered``, waits until all before it
    are ready (or ended for good). If ``ordered``, it also waits until none is stopping any more.
    """
    if ordered and not _GOING.isdisjoint(phases):
        return []
    starting: list[int] = []
    settled = True
    for index, phase in enumerate(phases):
        if phase is Phase.WAITING and (settled or not (ordered or first[index])):
            starting.append(index)
        settled = settled and phase in _SETTLED
    return starting
