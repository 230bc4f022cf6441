"""What a client of HTTP/2 may ask of one connection: frames that cost it little and us much."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from incident_manager.http.h2_frames import END_STREAM, Head, Kind

__all__ = ["CAPACITY", "RATE", "REFUND", "Budget", "price"]

CAPACITY: Final = 2000.0
"""Tokens at the beginning, and at most."""
RATE: Final = 200.0
"""Tokens that come back in a second."""
REFUND: Final = 10.0
"""Tokens that DATA and HEADERS give back once they have proved to be of use."""

_ACK: Final = END_STREAM
_UNKNOWN: Final = 1.0
_PRICES: Final[Mapping[int, float]] = MappingProxyType(
    {
        Kind.DATA: REFUND,
        Kind.HEADERS: REFUND,
        Kind.PRIORITY: 2.0,
        Kind.RST_STREAM: 10.0,
        Kind.SETTINGS: 20.0,
        Kind.PUSH_PROMISE: 0.0,  # ends the connection
        Kind.PING: 2.0,
        Kind.GOAWAY: 0.0,  # ends the connection
        Kind.WINDOW_UPDATE: 1.0,
        Kind.CONTINUATION: 20.0,
    }
)
_SETTING: Final = 6  # bytes of one setting
_BLOCK: Final = 512  # bytes of headers for a token: a request with a long token needs one or two


def price(head: Head) -> float:
    """The tokens that a frame costs.

    That of headers grows with them, and that part is not given back: Huffman's code is slow.
    """
    if head.kind in (Kind.HEADERS, Kind.CONTINUATION):
        return _PRICES[head.kind] + head.length // _BLOCK
    if head.kind == Kind.SETTINGS:
        return 1.0 if head.flags & _ACK else _PRICES[head.kind] + head.length // _SETTING
    return _PRICES.get(head.kind, _UNKNOWN)


class Budget:
    """A bucket of tokens: ``CAPACITY`` at first, ``RATE`` a second, and what is earned.

    In any time of ``t`` seconds no more is spent than ``capacity + rate * t`` and what has been
    earned in it. Who spends less than that is never refused.
    """

    __slots__ = ("_at", "_capacity", "_level", "_rate")

    def __init__(self, now: float, capacity: float = CAPACITY, rate: float = RATE) -> None:
        self._at = now
        self._capacity = capacity
        self._level = capacity
        self._rate = rate

    @property
    def level(self) -> float:
        """The tokens that were there when it was last used."""
        return self._level

    def spend(self, tokens: float, now: float) -> bool:
        """Take tokens; whether there were as many. If not, none are taken."""
        grown = self._level + (now - self._at) * self._rate
        self._level = min(self._capacity, grown)
        self._at = now
        if tokens > self._level:
            return False
        self._level -= tokens
        return True

    def earn(self, tokens: float) -> None:
        """Put tokens back, up to the capacity."""
        self._level = min(self._capacity, self._level + tokens)
