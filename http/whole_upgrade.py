"""A request for a WebSocket (RFC 6455, section 4.1) that has come whole, read at once.

Only what every client sends is known here: one GET of HTTP/1.1 in plain ASCII, no header twice, and
nothing behind it. All else is for h11, which would make the same of this.
"""

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen
from wsproto.utilities import generate_accept_token

__all__ = ["HEADER", "LINE", "Upgrade", "answer", "read_upgrade"]

_LONGEST: Final = 8 * 1024  # bytes
LINE: Final = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]+: ?[!-~](?:[ -~]*[!-~])?\r\n"
"""A header that h11 has nothing to say of."""
HEADER: Final = re.compile(rb"([^:]+): ?([^\r]+)\r\n")
"""Its name and its value."""
_WHOLE: Final = re.compile(rb"GET ([!-~]+) HTTP/1\.1\r\n((?:%b)+)\r\n" % LINE)
_OTHERS: Final = (b"content-length", b"transfer-encoding", b"expect")
_VERSION: Final = b"13"


@frozen
class Upgrade:
    """What a client asks for; ``head`` is all of it, as it came.

    The names of ``headers`` are in small letters, and each is there once.
    """

    head: bytes
    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    key: bytes
    subprotocols: Sequence[str]


def read_upgrade(data: bytes) -> Upgrade | None:
    """The request, if it is a good one, of this form, and all that there is; else None."""
    if len(data) > _LONGEST:
        return None
    whole = _WHOLE.fullmatch(data)
    if whole is None:
        return None
    target, lines = whole.groups()
    headers = [(name.lower(), value) for name, value in HEADER.findall(lines)]
    given = dict(headers)
    key = given.get(b"sec-websocket-key")
    if (
        key is None
        or len(given) != len(headers)
        or b"host" not in given
        or given.get(b"upgrade", b"").lower() != b"websocket"
        or given.get(b"sec-websocket-version") != _VERSION
        or "upgrade" not in _tokens(given.get(b"connection", b"").lower())
        or not given.keys().isdisjoint(_OTHERS)
    ):
        return None
    offered = given.get(b"sec-websocket-protocol")
    return Upgrade(data, target, headers, key, () if offered is None else _tokens(offered))


def _tokens(value: bytes) -> list[str]:
    return [token.strip() for token in value.decode("ascii").split(",")]


def answer(key: bytes, subprotocol: str | None, more: bytes) -> bytes:
    """What accepts a client's ``key`` (RFC 6455, section 4.2.2), with ``more`` lines of headers."""
    agreed = b""
    if subprotocol is not None:
        agreed = b"sec-websocket-protocol: %b\r\n" % subprotocol.encode()
    accept = generate_accept_token(key)
    return (
        b"HTTP/1.1 101 \r\n%bsec-websocket-accept: %b\r\n"
        b"upgrade: WebSocket\r\nconnection: Upgrade\r\n%b\r\n" % (agreed, accept, more)
    )
