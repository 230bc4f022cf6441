"""Children that live by a script on a mock clock, and the log of what they did."""

from __future__ import annotations

import math
from collections.abc import Sequence

import trio
from attrs import Factory, define, frozen

from incident_manager.supervision import Child, ChildSpec


class Crash(Exception):
    """What a script raises."""


async def pass_time(seconds: float) -> None:
    """Let the mock clock run so far; the child's own life, not a wait for somebody else."""
    with trio.move_on_after(seconds):
        await trio.Event().wait()


@frozen
class Life:
    """One run: ready after ``ready`` s; then after ``after`` s it does ``then``; and how it stops.

    then: stay, fail, end, interrupt.
    stop: obey, ignore (leaves only when cancelled), shield (stays ``linger`` s more, cancelled or
    not), fail (raises while it is being stopped).
    """

    ready: float = 0.0
    then: str = "stay"
    after: float = 0.0
    stop: str = "obey"
    linger: float = 0.0
    fail_before_ready: bool = False


@define
class Log:
    """What happened, in order: (what, who, when)."""

    events: list[tuple[str, str, float]] = Factory(list)
    live: set[str] = Factory(set)
    runs: dict[str, int] = Factory(dict)

    def add(self, what: str, who: str) -> None:
        self.events.append((what, who, trio.current_time()))

    def names(self, what: str) -> list[str]:
        return [who for event, who, _ in self.events if event == what]

    def times(self, what: str, who: str) -> list[float]:
        return [when for event, name, when in self.events if (event, name) == (what, who)]


@frozen
class Actor:
    """A body that lives the n-th life in its n-th run, and the last one ever after."""

    name: str
    log: Log
    lives: Sequence[Life] = (Life(),)

    async def __call__(
        self, child: Child, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        log, name = self.log, self.name
        run = log.runs.get(name, 0)
        log.runs[name] = run + 1
        life = self.lives[min(run, len(self.lives) - 1)]
        assert name not in log.live, f"two runs of {name} at once"
        log.live.add(name)
        log.add("start", name)
        try:
            await self._live(child, life, task_status)
        except trio.Cancelled:
            log.add("cancelled", name)
            if life.stop == "shield":
                with trio.CancelScope(shield=True):
                    await pass_time(life.linger)
            raise
        finally:
            log.live.discard(name)
            log.add("leave", name)

    async def _live(self, child: Child, life: Life, task_status: trio.TaskStatus[object]) -> None:
        log, name = self.log, self.name
        if await self._asked_within(child, life.ready, life):
            return
        if life.fail_before_ready:
            log.add("died", name)
            raise Crash(name)
        log.add("ready", name)
        task_status.started()
        if await self._asked_within(child, math.inf if life.then == "stay" else life.after, life):
            return
        log.add("ended" if life.then == "end" else "died", name)
        if life.then == "fail":
            raise Crash(name)
        if life.then == "interrupt":
            raise KeyboardInterrupt(name)

    async def _asked_within(self, child: Child, seconds: float, life: Life) -> bool:
        asked = False
        with trio.move_on_after(seconds):
            await child.stopping.wait()
            asked = True
        if not asked:
            return False
        self.log.add("asked", self.name)
        if life.stop == "fail":
            raise Crash(self.name)
        if life.stop in ("ignore", "shield"):
            await trio.Event().wait()
        return True


STAY = Life()
FAIL_AT_1 = Life(then="fail", after=1.0)


def spec(log: Log, name: str, *lives: Life, **more: object) -> ChildSpec:
    """Return the spec of a scripted child; ``more`` are fields of ChildSpec."""
    return ChildSpec(name, Actor(name, log, lives or (STAY,)), **more)  # type: ignore[arg-type]
