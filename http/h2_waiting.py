"""Streams of HTTP/2 for which the client is waited for, and for how long."""

import math
from typing import Final

__all__ = ["Waiting"]

_ENOUGH: Final = 1024  # bytes let go that begin the time anew


class Waiting:
    """Deadlines of streams, in seconds of the caller's clock.

    A *blocked* stream has bytes that its window does not let go; it gets its time anew when 1 KiB
    of them is gone, or all of them. A *lingering* one has had its answer, and the client has not
    ended it.
    """

    __slots__ = ("_blocked", "_lingering", "_patience", "_taken")

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._blocked: dict[int, float] = {}
        self._taken: dict[int, int] = {}
        self._lingering: dict[int, float] = {}

    def __len__(self) -> int:
        """How many there are."""
        return len(self._blocked) + len(self._lingering)

    @property
    def earliest(self) -> float:
        """When the first is over."""
        blocked = min(self._blocked.values(), default=math.inf)
        return min(blocked, min(self._lingering.values(), default=math.inf))

    def block(self, stream_id: int, now: float) -> None:
        """Its window is closed; its time runs, if it does not run already."""
        self._blocked.setdefault(stream_id, now + self._patience)

    def moved(self, stream_id: int, size: int, *, rest: int) -> None:
        """Bytes have been let go, and ``rest`` wait."""
        if stream_id not in self._blocked:
            return
        taken = self._taken.get(stream_id, 0) + size
        self._taken[stream_id] = taken
        if taken >= _ENOUGH or not rest:
            self.unblock(stream_id)

    def unblock(self, stream_id: int) -> None:
        """Nothing of it waits."""
        self._blocked.pop(stream_id, None)
        self._taken.pop(stream_id, None)

    def linger(self, stream_id: int, until: float) -> None:
        """It has had its answer."""
        self._lingering[stream_id] = until

    def ended(self, stream_id: int) -> None:
        """The client has ended it."""
        self._lingering.pop(stream_id, None)

    def due(self, now: float) -> tuple[list[int], list[int]]:
        """The blocked and the lingering whose time is over. They are no longer waited for."""
        blocked = [key for key, until in self._blocked.items() if until <= now]
        lingering = [key for key, until in self._lingering.items() if until <= now]
        for stream_id in blocked:
            self.unblock(stream_id)
        for stream_id in lingering:
            self.ended(stream_id)
        return blocked, lingering
