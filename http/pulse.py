"""Whether clients are there: pings, and who does not answer. One task for all connections."""

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from enum import Enum
from typing import Final, Protocol

import trio
from attrs import define, field

from incident_manager.supervision import Child, ChildSpec

__all__ = ["Heart", "Pulse", "Verdict", "look"]

_OFTEN: Final = 1.0  # seconds between two looks, at most
_TURNS: Final = 50  # parts, at most, of one look at all
_FEW: Final = 64  # clients that are not worth a part
_TURN: Final = 32  # pings before others have a turn: less than a millisecond
_SPREAD: Final = 3  # one part of so many of the interval is each client's own
_GOLDEN: Final = 0.6180339887498949  # its multiples are spread evenly between whole numbers
_SHARE: Final = 4  # and at most this part of the time that is measured


class Heart(Protocol):
    """A WebSocket, as far as it matters whether its client is there.

    ``heard`` is when the client was last heard of, ``asked`` when it was asked and has not
    answered since (None: it was not), both in Trio's time.
    """

    heard: float
    asked: float | None

    def ping(self) -> None:
        """Ask the client (RFC 6455, section 5.5.2)."""
        ...

    def is_slow(self) -> bool:
        """Whether there is another reason for its silence than that it is gone: it still takes
        what is sent to it, or what it has sent is not being read.
        """
        ...

    def cut_off(self) -> None:
        """Close its connection as it is."""
        ...


class Verdict(Enum):
    """What to do about a client."""

    WAIT = "wait"
    PING = "ping"
    GONE = "gone"


def look(heart: Heart, now: float, interval: float, patience: float) -> Verdict:
    """What to do about a client, at ``now``.

    It is asked when nothing was heard of it for ``interval`` seconds, and is gone when it has not
    answered for ``patience`` seconds more. Who is slow has its time anew: others watch over that.
    """
    if heart.asked is not None and heart.heard < heart.asked:
        if now - heart.asked < patience:
            return Verdict.WAIT
        if not heart.is_slow():
            return Verdict.GONE
        heart.asked = now
        return Verdict.WAIT
    heart.asked = None
    return Verdict.PING if now - heart.heard >= interval else Verdict.WAIT


@define(eq=False)
class Pulse:
    """The clients to watch over, and how: a ping after ``interval`` seconds without a sign of
    life (0: none at all), and ``patience`` seconds for the answer. ``silent`` counts those that
    gave none. What is sent inside a block of ``together`` leaves at its end.

    Each has an interval of its own, of at least two thirds: those that came together part.
    """

    interval: float = 0.0
    patience: float = 20.0
    silent: int = 0
    pings: int = 0
    together: Callable[[], AbstractContextManager[object]] = nullcontext
    _hearts: dict[Heart, float] = field(factory=dict, init=False)
    _phase: float = field(default=0.0, init=False)

    def begin(self, heart: Heart) -> None:
        """A client has come."""
        if self.interval:
            heart.heard = trio.current_time()
            self._phase = (self._phase + _GOLDEN) % 1.0
            self._hearts[heart] = 1.0 - self._phase / _SPREAD

    def end(self, heart: Heart) -> None:
        """It has left; no harm if it was not there."""
        self._hearts.pop(heart, None)

    def __len__(self) -> int:
        return len(self._hearts)

    async def beat(self, over: float = 0.0) -> None:
        """Look at all of them, in turns over so many seconds.

        Thousands that came together are to be asked at the same time, and what is streamed
        meanwhile must not wait for all of that, nor for their answers: each turn has some of those
        who came together, and in one turn others have theirs.
        """
        hearts = list(self._hearts)
        turns = max(1, min(_TURNS, len(hearts) // _FEW))
        for turn in range(turns):
            if turn:
                await trio.sleep(over / turns)
            some = hearts[turn::turns]
            for first in range(0, len(some), _TURN):
                if first:
                    await trio.lowlevel.checkpoint()
                with self.together():
                    self._look_at(some[first : first + _TURN])

    def _look_at(self, hearts: Iterable[Heart]) -> None:
        now = trio.current_time()
        for heart in hearts:
            share = self._hearts.get(heart)
            if share is None:  # it has left meanwhile
                continue
            verdict = look(heart, now, self.interval * share, self.patience)
            if verdict is Verdict.PING:
                heart.asked = now
                self.pings += 1
                heart.ping()
            elif verdict is Verdict.GONE:
                self.end(heart)
                self.silent += 1
                heart.cut_off()

    def statistics(self) -> dict[str, object]:
        """The live figures of the actor tree."""
        return {"clients": len(self._hearts), "pings": self.pings, "silent": self.silent}

    async def run(
        self, child: Child, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """The actor."""
        child.observe(self.statistics)
        task_status.started()
        if not self.interval:
            await trio.sleep_forever()
        pause = min(_OFTEN, min(self.interval, self.patience) / _SHARE)
        while True:
            began = trio.current_time()
            await self.beat(pause)
            await trio.sleep_until(began + pause)

    def children(self) -> tuple[ChildSpec, ...]:
        """The actor, for a supervisor to run."""
        return (ChildSpec("pulse", self.run, kind="pulse", shutdown=0),)
