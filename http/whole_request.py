"""A request with a body (RFC 9112, section 2.1) that has come whole, read at once.

Only what most senders send is known here: one POST of HTTP/1.1 in plain ASCII, whose length is
said, no header twice, and nothing behind it. All else is for h11, which would make the same of
this.
"""

import re
from collections.abc import Sequence
from typing import Final

from attrs import frozen

from incident_manager.http.whole_upgrade import HEADER, LINE

__all__ = ["WholeRequest", "read_request"]

_LONGEST: Final = 8 * 1024  # bytes of the head
_END: Final = b"\r\n\r\n"
_HEAD: Final = re.compile(rb"POST ([!-~]+) HTTP/1\.1\r\n((?:%b)+)\r\n" % LINE)
_LENGTH: Final = re.compile(rb"[0-9]{1,12}")
_OTHERS: Final = (b"transfer-encoding", b"expect", b"upgrade")
_STAYS: Final = b"keep-alive"


@frozen
class WholeRequest:
    """A POST; the names of ``headers`` are in small letters, and each is there once."""

    target: bytes
    headers: Sequence[tuple[bytes, bytes]]
    body: bytes


def read_request(data: bytes) -> WholeRequest | None:
    """The request, if it is of this form, its sender wants the connection to stay, and it is all
    that there is; else None.
    """
    end = data.find(_END, 0, _LONGEST)
    if end < 0:
        return None
    begins = end + len(_END)
    head = _HEAD.fullmatch(data, 0, begins)
    if head is None:
        return None
    target, lines = head.groups()
    headers = [(name.lower(), value) for name, value in HEADER.findall(lines)]
    given = dict(headers)
    length = given.get(b"content-length", b"")
    if (
        len(given) != len(headers)
        or b"host" not in given
        or not _LENGTH.fullmatch(length)
        or int(length) != len(data) - begins
        or given.get(b"connection", _STAYS).lower() != _STAYS
        or not given.keys().isdisjoint(_OTHERS)
    ):
        return None
    return WholeRequest(target, headers, data[begins:])
