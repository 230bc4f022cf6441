"""How long events take from their acceptance to the clients, measured once for each flush."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from incident_manager.actors.histogram import Example, Histogram
from incident_manager.actors.model import Micros, Record

__all__ = ["Deliveries"]

_TOGETHER: Final = 256  # frames that are counted by one look at the clock: a few milliseconds


def _wall_clock() -> Micros:
    return time.time_ns() // 1000


class Deliveries:
    """The measure that the fan-out and all outboxes share.

    ``subject`` is the event whose payloads are offered to sinks this moment (of several, the
    oldest), None between events and for what is no news: what a resuming client missed,
    heartbeats. Whoever offers sets it, and takes it away before anybody else can run. An outbox
    notes the first subject since it last sent, and says when all of that is sent: one look at the
    clock for many frames.
    """

    __slots__ = ("_frames", "_oldest", "_together", "clock", "latency", "subject")

    def __init__(self, clock: Callable[[], Micros] = _wall_clock) -> None:
        self.clock = clock
        self.latency = Histogram()
        self.subject: Record | None = None
        self._oldest: Record | None = None
        self._frames = 0
        self._together = False

    @contextmanager
    def together(self) -> Iterator[None]:
        """Many outboxes send inside the block, which must not wait: frames of one event are counted
        by hundreds, all as late as the last of them.
        """
        self._together = True
        try:
            yield
        finally:
            self._together = False
            self._count()

    def sent(self, oldest: Record, frames: int) -> None:
        """So many frames are with the kernel, the oldest of them of this event; or will be at the
        end of the block, where all is handed over at once.

        All are counted with the delay of the oldest. A clock that was
        set back counts as no delay.
        """
        if oldest is not self._oldest:
            self._count()
            self._oldest = oldest
        self._frames += frames
        if not self._together or self._frames >= _TOGETHER:
            self._count()

    def _count(self) -> None:
        oldest, frames, self._oldest, self._frames = self._oldest, self._frames, None, 0
        if oldest is None:
            return
        now = self.clock()
        delay = max(0, now - oldest.time) / 1_000_000
        bucket = self.latency.observe(delay, frames)
        trace = oldest.trace
        if trace is not None and int(trace[-2:], 16) & 1:  # sampled: there is something to look at
            self.latency.illustrate(bucket, Example(trace[3:35], delay, now / 1_000_000))
