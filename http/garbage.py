"""Python's garbage collector, set to what a server with ten thousand connections is.

Its own rule is to look at the young after so many new objects, less those freed: where as many come
as go, as with a ring of recent events, the young become a hundred thousand, and a look at them a
stop of 60 ms. And it looks at all when a quarter has been added: with ten thousand connections that
is a second. So a sweeper looks at the young often, which takes a millisecond, and at all only when
it is worth it.
"""

import gc
import time
from collections.abc import Callable
from typing import Final

import trio
from attrs import define, field

from incident_manager.supervision import Child, ChildSpec

__all__ = ["THRESHOLDS", "Sweeper", "is_worth_it", "next_pause"]

THRESHOLDS: Final = (10_000, 50, 20_000)
"""New objects (less those freed) before Python itself looks at the youngest; how many times that
before it looks at the middle ones, and of those before at all: in case the sweeper does not.
"""
_SHORTEST, _LONGEST = 0.01, 0.25  # seconds between two sweeps
_LONG: Final = 0.001  # seconds that a sweep should not take
_FEW: Final = 250  # ended connections that are not worth a look at everything


def next_pause(pause: float, took: float) -> float:
    """Seconds until the next sweep, after one that took so many."""
    if took > _LONG:
        return max(_SHORTEST, pause / 2)
    if took < _LONG / 4:
        return min(_LONGEST, pause * 2)
    return pause


def is_worth_it(ended: int, live: int) -> bool:
    """Whether to look at everything, when so many connections have ended since the last time, and
    so many are there: each leaves what only the collector can free, over TLS some 50 KB.
    """
    return ended >= max(_FEW, live // 4)


@define(eq=False)
class Sweeper:
    """Frees what only the collector can, a little at a time; ``ended`` and ``live`` say how many
    connections have ended since the start, and how many there are.
    """

    ended: Callable[[], int]
    live: Callable[[], int]
    sweeps: int = 0
    whole: int = 0
    pause: float = _LONGEST
    _begun: trio.Event = field(factory=trio.Event, init=False)

    def begin(self) -> None:
        """Call it once the server has started, where the process is the server's alone: what is
        there now is never looked at again.
        """
        gc.collect()
        gc.freeze()
        gc.set_threshold(*THRESHOLDS)
        self._begun.set()

    def statistics(self) -> dict[str, object]:
        """The live figures of the actor tree."""
        return {"sweeps": self.sweeps, "whole": self.whole, "pause_seconds": self.pause}

    async def run(
        self, child: Child, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """The actor."""
        child.observe(self.statistics)
        task_status.started()
        await self._begun.wait()
        seen = self.ended()
        while True:
            await trio.sleep(self.pause)
            begun = time.perf_counter()
            gc.collect(1)
            self.sweeps += 1
            self.pause = next_pause(self.pause, time.perf_counter() - begun)
            if is_worth_it(self.ended() - seen, self.live()):
                seen = self.ended()
                gc.collect()
                self.whole += 1

    def children(self) -> tuple[ChildSpec, ...]:
        """The actor, for a supervisor to run."""
        return (ChildSpec("sweeper", self.run, kind="sweeper", shutdown=0),)
