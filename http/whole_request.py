"""A POST of HTTP/1.1 that has come whole, read at once.

Only what every client sends is known here: plain ASCII, a length, no header twice, and nothing
behind it. All else is for h11, which would make the same of this.
"""

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from incident_manager.http.whole_upgrade import HEADER, LINE

__all__ = ["WholeRequest", "read_request"]

_LONGEST: Final = 8 * 1024  # bytes of the head
_HEAD: Final = re.compile(rb"POST ([!-~]+) HTTP/1\.1\r\n((?:%b)+)\r\n" % LINE)
_LENGTH: Final = re.compile(rb"[0-9]{1,9}")
_OTHERS: Final = (b"transfer-encoding", b"expect", b"upgrade", b"http2-settings")


@frozen
class WholeRequest:
    """A request whose connection goes on after it. The names of ``headers`` are in small letters,
    and each is there once.
    """

    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


def read_request(data: bytes) -> WholeRequest | None:
    """The request, if it is a good one, of this form, and all that there is; else None."""
    head = _HEAD.match(data, 0, _LONGEST)
    if head is None:
        return None
    target, lines = head.groups()
    headers = [(name.lower(), value) for name, value in HEADER.findall(lines)]
    given = dict(headers)
    length = given.get(b"content-length", b"")
    if (
        len(given) != len(headers)
        or b"host" not in given
        or _LENGTH.fullmatch(length) is None
        or int(length) != len(data) - head.end()
        or given.get(b"connection", b"keep-alive").lower() != b"keep-alive"
        or not given.keys().isdisjoint(_OTHERS)
    ):
        return None
    return WholeRequest(target, headers, data[head.end() :])
