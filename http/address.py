"""Addresses to listen on: which are loopback, how they are written, whether they can be had."""

import errno
import ipaddress
import re
import socket
from typing import Final

__all__ = ["binds", "check_host", "has_ipv6_loopback", "is_loopback", "probe", "url", "why"]

_NAME: Final = re.compile(r"(?!-)[A-Za-z0-9_-]{1,63}(\.(?!-)[A-Za-z0-9_-]{1,63})*\.?", re.ASCII)


def check_host(text: str) -> str:
    """Return ``text`` as an address or a host name, without the brackets of an IPv6 literal.

    Raises:
        ValueError: it is neither; most often because a port is in it.
    """
    host = text.removeprefix("[").removesuffix("]")
    if ":" in host:
        ipaddress.IPv6Address(host.partition("%")[0])
    elif not _NAME.fullmatch(host):
        raise ValueError(text)
    return host


def is_loopback(host: str | None) -> bool:
    """Whether only this machine can reach ``host``; None stands for the default, loopback.

    A name other than ``localhost`` may resolve to anything, so it is not taken for loopback.
    """
    if host is None or host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def has_ipv6_loopback() -> bool:
    """Whether this machine can listen on ``::1``."""
    try:
        probe("::1", 0)
    except OSError:
        return False
    return True


def binds(host: str | None, port: int, *, ipv6: bool) -> tuple[str, ...]:
    """The ``address:port`` strings that Hypercorn binds for ``host`` and ``port``.

    Without a host (or for ``localhost``) they are 127.0.0.1 and, where ``ipv6`` says the machine
    has it, ::1. Port 0 is then taken on 127.0.0.1 alone, as two sockets would get two ports.
    """
    if host is None or host.lower() == "localhost":
        hosts = ["127.0.0.1", "::1"] if ipv6 and port else ["127.0.0.1"]
    else:
        hosts = [host]
    return tuple(f"[{one}]:{port}" if ":" in one else f"{one}:{port}" for one in hosts)


def probe(host: str, port: int) -> int:
    """Bind ``host`` and ``port`` and let go again; return the port (the one found, for 0).

    Raises:
        OSError: it is in use, not permitted, or not an address of this machine.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as sock:
        # As Hypercorn does: connections of a server that has just ended must not stand in the way.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host, port))
        found: int = sock.getsockname()[1]
        return found


def why(error: OSError) -> str:
    """Say in a few words, for the person who started the server, why an address was refused."""
    words = {
        errno.EADDRINUSE: "it is in use by another program",
        errno.EACCES: "this user may not listen there",
        errno.EADDRNOTAVAIL: "it is not an address of this machine",
    }
    return words.get(error.errno or 0, error.strerror or str(error))


def url(scheme: str, host: str | None, port: int) -> str:
    """The URL at which a person on this machine reaches what listens on ``host``."""
    if host is None or host in ("0.0.0.0", "localhost"):  # noqa: S104  # compared, not bound  # nosec B104
        host = "127.0.0.1"
    elif host == "::":
        host = "::1"
    return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"
