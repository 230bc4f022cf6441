"""For whom a trusted proxy speaks: ``X-Forwarded-For`` and its kin, and ``Forwarded`` (RFC 7239).

Each proxy appends whom it was asked by, so a list is read from the right: as long as the one who
wrote an entry is trusted, the entry is believed. The first who is not trusted is the client; what
stands to the left of it is only what that client said of itself.

Where both kinds are there, ``X-Forwarded-For`` counts. Nearly every proxy writes that one, and
most pass on a ``Forwarded`` that they do not know: then it is the client who wrote it.
"""

import re
from collections.abc import Iterable, Iterator, MutableMapping, Sequence
from typing import Any, Final

from attrs import evolve, frozen

from incident_manager.http.proxies import Trust, address_of

__all__ = ["Seen", "see", "see_through"]

Headers = Iterable[tuple[bytes, bytes]]
Scope = MutableMapping[str, Any]

_WORD: Final = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_QUOTED: Final = r'"(?:[\t \x21\x23-\x5b\x5d-\x7e\x80-\xff]|\\[\t \x21-\x7e\x80-\xff])*"'
_PAIR: Final = re.compile(rf"({_WORD})=(?:({_WORD})|({_QUOTED}))")
# Spaces about the semicolon are not in the RFC, but are seen; possessive, lest one tries for ever.
_ELEMENT: Final = re.compile(rf"{_PAIR.pattern}(?:[\t ]*+;[\t ]*+(?:{_PAIR.pattern})?)*")
_TRIES: Final = 64  # commas of ``Forwarded`` that are looked at

_NODE: Final = re.compile(
    r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<four>[0-9.]+))(?::(?P<port>[0-9]{1,5}|_[\w.-]+))?"
)
_HOST: Final = re.compile(r"[\w.-]+(?::[0-9]{1,5})?|\[[0-9A-Fa-f:.]+\](?::[0-9]{1,5})?", re.ASCII)
_SCHEMES: Final = {"http": False, "https": True, "ws": False, "wss": True}


@frozen
class Seen:
    """A request as its client sent it, as far as trusted proxies say.

    ``client`` is the client's address and port (0 where that is not said); None is one without
    an address. ``secure`` tells whether the client uses TLS, ``host`` whom it asked; None where
    nobody says so.
    """

    client: tuple[str, int] | None
    secure: bool | None = None
    host: str | None = None


def see(peer: tuple[str, int] | None, headers: Headers, trust: Trust) -> Seen:
    """Whom a request with these headers (names in small letters) is from.

    ``peer`` is who has sent it. What is malformed, ``unknown`` or obfuscated (RFC 7239, section
    6) ends the reading: the client is then the last proxy that is known.
    """
    seen = Seen(peer)
    if not trust.trusts(None if peer is None else peer[0]):
        return seen
    for hop in _hops(headers):
        seen = evolve(
            seen,
            secure=seen.secure if hop.secure is None else hop.secure,
            host=seen.host if hop.host is None else hop.host,
        )
        if hop.client is None:
            break
        seen = evolve(seen, client=hop.client)
        if not trust.trusts(hop.client[0]):
            break
    return seen


def see_through(scope: Scope, trust: Trust, *, host: bool) -> None:
    """Have an ASGI scope say who its client is: ``client``, ``scheme`` and, with ``host``, the
    ``Host`` that the client sent.
    """
    client = scope.get("client")
    peer = None if client is None else (str(client[0]), int(client[1] or 0))
    seen = see(peer, scope["headers"], trust)
    if seen.client != peer:
        scope["client"] = seen.client
    if seen.secure is not None:
        plain = "ws" if scope["type"] == "websocket" else "http"
        scope["scheme"] = f"{plain}s" if seen.secure else plain
    if host and seen.host is not None:
        others = [pair for pair in scope["headers"] if pair[0] != b"host"]
        scope["headers"] = [(b"host", seen.host.encode("ascii")), *others]


def _hops(headers: Headers) -> Iterator[Seen]:
    """What the proxies say, the nearest first."""
    found: dict[bytes, list[str]] = {}
    for name, value in headers:
        if name == b"forwarded" or name.startswith(b"x-forwarded-"):
            found.setdefault(name, []).append(value.decode("latin-1"))
    lists = {name: ",".join(values) for name, values in found.items()}
    if b"forwarded" in lists and b"x-forwarded-for" not in lists:
        return _standard(lists[b"forwarded"])
    return _common(
        _split(lists.get(b"x-forwarded-for", "")),
        _split(lists.get(b"x-forwarded-proto", "")),
        _split(lists.get(b"x-forwarded-host", "")),
    )


def _common(clients: Sequence[str], schemes: Sequence[str], hosts: Sequence[str]) -> Iterator[Seen]:
    """``X-Forwarded-*``. Some proxies append a scheme and a host, and others replace them."""
    for step in range(max(len(clients), bool(schemes or hosts))):
        yield Seen(
            _node(clients[step]) if step < len(clients) else None,
            _secure(schemes[step]) if step < len(schemes) else None,
            _host(hosts[step]) if step < len(hosts) else None,
        )


def _split(text: str) -> list[str]:
    """The entries of a list, the last first."""
    return [entry for each in reversed(text.split(",")) if (entry := each.strip())]


def _standard(text: str) -> Iterator[Seen]:
    """``Forwarded``, read from its end, as only that is known to be a proxy's own.

    A client may send the beginning of a quoted string, which would swallow what a proxy appends.
    But where a whole element stands between a comma and the end, that comma is not inside of a
    quoted string, as its end would be one quotation mark too many.
    """
    end = begin = len(text)
    for _ in range(_TRIES):
        if begin < 0:
            return
        begin = text.rfind(",", 0, begin)
        element = text[begin + 1 : end].strip()
        if not element:
            end = begin
        elif _ELEMENT.fullmatch(element):
            yield _hop(element)
            end = begin


def _hop(element: str) -> Seen:
    pairs: dict[str, str] = {}
    for name, token, quoted in _PAIR.findall(element):
        if name.lower() in pairs:  # RFC 7239, section 4: not twice in an element
            return Seen(None)
        pairs[name.lower()] = token or re.sub(r"\\(.)", r"\1", quoted[1:-1])
    return Seen(
        _node(pairs.get("for", "unknown")),
        _secure(pairs.get("proto", "")),
        _host(pairs.get("host", "")),
    )


def _node(text: str) -> tuple[str, int] | None:
    """An address, with or without a port; None for a name that only its proxy knows."""
    node = _NODE.fullmatch(text)
    host, port = text, ""
    if node is not None:
        host, port = node["six"] or node["four"], node["port"] or ""
    address = address_of(host)
    if address is None or "%" in host:
        return None
    number = int(port) if port.isdigit() else 0
    return str(address), number if number < 65536 else 0


def _secure(text: str) -> bool | None:
    return _SCHEMES.get(text.lower())


def _host(text: str) -> str | None:
    return text if _HOST.fullmatch(text) else None
