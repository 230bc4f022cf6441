"""How many WebSockets each client address has open (contract, section 3)."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
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

    @contextmanager
    def entered(self, host: str | None) -> Iterator[bool]:
        """Count a connection of ``host`` (None: by a Unix socket) while it lasts.

        Gives False, and does not count, where the address has all that it may.
        """
        key = self._key(host) if self._limit else None
        if key is None:
            yield True
        elif self._open[key] >= self._limit:
            yield False
        else:
            self._open[key] += 1
            try:
                yield True
            finally:
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]

    def _key(self, host: str | None) -> object:
        """What ``host`` is counted by; None if it is not."""
        return None if host is None else address_key(host, self._trusted)
