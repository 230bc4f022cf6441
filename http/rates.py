"""How much one client may ask in a minute: token buckets by client, a bounded number of them.

A bucket is a virtual clock (GCRA, ITU-T I.371). Headers are those of the IETF's draft
``draft-ietf-httpapi-ratelimit-headers-10``.
"""

import math
from collections import OrderedDict
from collections.abc import Hashable
from typing import Final

from attrs import frozen

from incident_manager.actors.errors import ErrorCode, Refused

__all__ = ["MOST", "WINDOW", "RateLimited", "Rates", "Spent"]

WINDOW: Final = 60.0
"""Seconds in which an empty bucket is full again."""

MOST: Final = 10_000
"""Clients that are remembered: whoever has asked nothing for the longest time is forgotten, and
then has a full bucket."""


class RateLimited(Refused):
    """RATE_LIMIT_EXCEEDED; ``retry_after`` are whole seconds, at least one."""

    def __init__(self, message: str, retry_after: int) -> None:
        super().__init__(ErrorCode.RATE_LIMIT_EXCEEDED, message)
        self.retry_after = retry_after


@frozen
class Spent:
    """What became of a request. ``limit`` is how many may come in a window, ``remaining`` how many
    still may now. ``reset`` are whole seconds: until the bucket is full, or, where the request
    was not ``allowed``, until one may be sent.
    """

    allowed: bool
    limit: int
    remaining: int
    reset: int

    def headers(self) -> dict[str, str]:
        """``RateLimit-Policy`` and ``RateLimit`` (draft 10, sections 3 and 4)."""
        return {
            "RateLimit-Policy": f'"default";q={self.limit};w={WINDOW:.0f}',
            "RateLimit": f'"default";r={self.remaining};t={self.reset}',
        }

    def refusal(self) -> RateLimited:
        """What who has sent one too many is told."""
        text = f"More than {self.limit} requests a minute (limits.requests_per_minute)."
        return RateLimited(f"{text} Try again in {self.reset} s.", self.reset)

    def check(self) -> None:
        """Raises :class:`RateLimited` where it was not allowed."""
        if not self.allowed:
            raise self.refusal()


class Rates:
    """Buckets of ``limit`` a minute, by any key; 0 is no limit, and keeps nothing.

    ``len()`` is how many are remembered, at most ``most``. Times are seconds of any clock that
    does not go backwards. Every call is O(1).
    """

    __slots__ = ("_due", "_interval", "_limit", "_most")

    def __init__(self, limit: int, most: int = MOST) -> None:
        self._limit = limit
        self._interval = WINDOW / limit if limit else 0.0
        self._most = most
        self._due: OrderedDict[Hashable, float] = OrderedDict()

    @property
    def limit(self) -> int:
        """How many may come in a window; 0 is no limit."""
        return self._limit

    def __len__(self) -> int:
        return len(self._due)

    def spend(self, key: Hashable, now: float) -> Spent | None:
        """Something has come from ``key``; what is not allowed costs nothing. None: no limit."""
        if not self._limit:
            return None
        due = max(self._due.get(key, now), now) + self._interval
        # The last one of a full bucket is due after a whole window; half of one against rounding.
        over = due - now - WINDOW
        if over > self._interval / 2:
            self._due.move_to_end(key)
            return Spent(False, self._limit, 0, max(1, math.ceil(over)))
        self._keep(key, due)
        left = max(0, math.floor((WINDOW - (due - now)) / self._interval + 0.5))
        return Spent(True, self._limit, left, math.ceil(due - now))

    def wait(self, key: Hashable, now: float) -> int:
        """Whole seconds until something may come from ``key``; 0 is now. It costs nothing."""
        if not self._limit:
            return 0
        over = max(self._due.get(key, now), now) + self._interval - now - WINDOW
        return max(1, math.ceil(over)) if over > self._interval / 2 else 0

    def _keep(self, key: Hashable, due: float) -> None:
        self._due[key] = due
        self._due.move_to_end(key)
        if len(self._due) > self._most:
            self._due.popitem(last=False)
