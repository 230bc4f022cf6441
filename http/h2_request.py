"""What a block of request headers asks for (RFC 9113, section 8.3; RFC 8441, section 4)."""

from collections.abc import Sequence
from typing import Final

from attrs import frozen

__all__ = ["Asked", "asked"]

_WEBSOCKET: Final = b"websocket"
_TEXT: Final = (b"sec-websocket-", b"connection", b"upgrade")


@frozen
class Asked:
    """A request that can be given to an application; ``raw_path`` has the query."""

    method: str
    raw_path: bytes
    websocket: bool


def asked(headers: Sequence[tuple[bytes, bytes]]) -> Asked | int:
    """What is asked for, or the status of the answer where that cannot be.

    400: a method or target that is not ASCII, or none. 501: CONNECT to anything but a WebSocket.
    """
    given: dict[bytes, bytes] = {}
    for name, value in headers:
        if name.startswith(b":"):
            given[name] = value
        elif name.startswith(_TEXT) and not value.isascii():
            return 400
    method, path = given.get(b":method", b""), given.get(b":path", b"")
    if method == b"CONNECT" and given.get(b":protocol", b"").lower() != _WEBSOCKET:
        return 501
    if not method or not path or not method.isascii() or not path.isascii():
        return 400
    return Asked(method.decode("ascii").upper(), path, method == b"CONNECT")
