"""Which peers are believed when they say for whom they speak: ``server.trusted_proxies``."""

import ipaddress
from collections.abc import Iterable
from functools import lru_cache
from typing import Final

from attrs import frozen

__all__ = ["NOBODY", "UNIX", "Address", "Trust", "address_of"]

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network

UNIX: Final = "unix"
"""Stands for every peer that comes by a Unix socket, which has no address."""

_MAPPED: Final = ipaddress.IPv6Network("::ffff:0:0/96")


@lru_cache(4096)
def address_of(host: str) -> Address | None:
    """The address that ``host`` writes, without a zone; None if it is no address.

    An IPv4 address that is mapped into IPv6 (RFC 4291, section 2.5.5.2) is the IPv4 address: it
    is how a socket for both shows a peer.
    """
    try:
        found = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return found if mapped is None else mapped


@frozen
class Trust:
    """The trusted networks, and whether peers of Unix sockets are trusted."""

    networks: tuple[_Network, ...] = ()
    unix: bool = False

    @classmethod
    def parse(cls, texts: Iterable[str]) -> "Trust":
        """Of addresses, networks (``10.0.0.0/8``, ``2001:db8::/32``) and ``unix``.

        Raises:
            ValueError: one of them is something else; the text names it and says why.
        """
        found = list(texts)
        return cls(tuple(_network(text) for text in found if text != UNIX), UNIX in found)

    def trusts(self, host: str | None) -> bool:
        """Whether the peer at ``host`` is trusted; None is a peer of a Unix socket."""
        if host is None:
            return self.unix
        if not self.networks:
            return False
        address = address_of(host)
        return address is not None and any(address in network for network in self.networks)


NOBODY: Final = Trust()
"""Trusts nobody."""


def _network(text: str) -> _Network:
    try:
        network = ipaddress.ip_network(text)
    except ValueError as error:
        if "host bits" in str(error):
            whole = ipaddress.ip_network(text, strict=False)
            raise ValueError(f"has {text}, which is an address in the network {whole}") from error
        raise ValueError(
            f"has {text[:50]!r}, which is neither an address, nor a network, nor {UNIX!r}"
        ) from error
    if isinstance(network, ipaddress.IPv6Network) and network.subnet_of(_MAPPED):
        mapped = network.network_address.ipv4_mapped
        return ipaddress.ip_network(f"{mapped}/{network.prefixlen - _MAPPED.prefixlen}")
    return network
