"""How many WebSockets each client address has open (contract, section 3)."""

from collections import Counter
from contextlib import AbstractContextManager, nullcontext
from ipaddress import IPv6Address

from incident_manager.http.proxies import NOBODY, Trust, address_of

__all__ = ["Addresses", "address_key"]

_HOST_BITS = 64  # of an IPv6 address: one customer has at least all of these (RFC 6177)


def address_key(host: str, trusted: Trust = NOBODY) -> object:
    """What a client at ``host`` is counted by: its address, of IPv6 its first 64 bits.

    None for loopback and who is ``trusted``: behind a proxy that does not say for whom it speaks
    are many clients.
    """
    if trusted.trusts(host):
        return None
    address = address_of(host)
    if address is None:
        return host
    if address.is_loopback:
        return None
    return int(address) >> _HOST_BITS if isinstance(address, IPv6Address) else address


class _Entered:
    """One connection of an address, for as long as it lasts: no generator, which costs more."""

    __slots__ = ("_counted", "_key", "_limit", "_open")

    def __init__(self, counts: Counter[object], key: object, limit: int) -> None:
        self._open = counts
        self._key = key
        self._limit = limit
        self._counted = False

    def __enter__(self) -> bool:
        self._counted = self._open[self._key] < self._limit
        if self._counted:
            self._open[self._key] += 1
        return self._counted

    def __exit__(self, *_: object) -> None:
        if self._counted:
            self._open[self._key] -= 1
            if not self._open[self._key]:
                del self._open[self._key]


_NOT_COUNTED = nullcontext(True)


class Addresses:
    """The open connections by address: of IPv6, by its first 64 bits.

    ``limit`` is the most that one may have, 0 none. Loopback, Unix sockets and who is ``trusted``
    may have any number. ``len()`` is how many addresses have some that count. Every call is O(1).
    """

    __slots__ = ("_limit", "_open", "_trusted")

    def __init__(self, limit: int, trusted: Trust = NOBODY) -> None:
        self._limit = limit
        self._trusted = trusted
        self._open: Counter[object] = Counter()

    def __len__(self) -> int:
        return len(self._open)

    def entered(self, host: str | None) -> AbstractContextManager[bool]:
        """Count a connection of ``host`` (None: by a Unix socket) while it lasts.

        Gives False, and does not count, where the address has all that it may.
        """
        key = self._key(host) if self._limit else None
        return _NOT_COUNTED if key is None else _Entered(self._open, key, self._limit)

    def _key(self, host: str | None) -> object:
        """What ``host`` is counted by; None if it is not."""
        return None if host is None else address_key(host, self._trusted)
