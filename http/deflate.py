"""permessage-deflate (RFC 7692) without context takeover: what is agreed, and bytes in and out.

Nothing outlives a message: compressors and decompressors are made for it, and dropped with it.

A message that many get with a beginning of their own is made of parts. Each part is compressed by
itself and ends on a byte, by an empty block (``Z_SYNC_FLUSH``); it refers to nothing outside
itself, so parts one after the other are one valid stream (RFC 1951, section 3.2.4).
"""

import re
import zlib
from collections.abc import Sequence
from typing import Final

from attrs import frozen
from wsproto.frame_protocol import CloseReason

__all__ = [
    "LEAST",
    "MOST",
    "MOST_STORED",
    "NAME",
    "WINDOW",
    "Agreement",
    "BadMessage",
    "Inflation",
    "agree",
    "joined",
    "part",
    "shared",
    "stored_head",
]

NAME: Final = "permessage-deflate"
LEAST: Final = 256
"""Bytes: what is shorter is sent as it is. It would save little."""
MOST: Final = 256 * 1024
"""Bytes: what is longer is sent as it is. It would hold the others up for milliseconds."""
WINDOW: Final = 12
"""Bits of the window that is compressed with: 4 KB. A larger one saves nothing on messages of
this size, and its memory takes longer to clear than they take to compress."""

MOST_STORED: Final = 0xFFFF
"""Bytes in one stored block, at most."""

_STORED: Final = 5  # bytes before them
_LEVEL: Final = 6
_MEMORY: Final = 5  # zlib's memLevel: 16 KB more
_TAIL: Final = b"\x00\x00\xff\xff"  # what no message ends with (RFC 7692, section 7.2.1)
_END: Final = b"\x03\x00"  # an empty last block: the stream is complete where it is understood
_PADDING: Final = (b"", b"\x00")  # what may follow a last block (RFC 7692, section 7.2.3.4)

_CORRUPT: Final = CloseReason.INVALID_FRAME_PAYLOAD_DATA

_WORD: Final = r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_PARAMETER: Final = re.compile(rf'[ \t]*({_WORD})[ \t]*(?:=[ \t]*(?:({_WORD})|"({_WORD})")[ \t]*)?')
_FLAGS: Final = frozenset({"server_no_context_takeover", "client_no_context_takeover"})
_BITS: Final = frozenset({"8", "9", "10", "11", "12", "13", "14", "15"})
_LEAST_BITS: Final = 9  # zlib makes no smaller window


class BadMessage(Exception):
    """A message that is not taken; ``code`` is what the connection is closed with (RFC 6455,
    section 7.4.1).
    """

    def __init__(self, code: CloseReason) -> None:
        super().__init__(code)
        self.code = code


@frozen
class Agreement:
    """What is agreed with one client.

    ``window`` is how many bits its window has at most, 9 to ``WINDOW``; ``answer`` is the value of
    ``Sec-WebSocket-Extensions``.
    """

    window: int
    answer: str

    def deflated(self, message: bytes) -> bytes | None:
        """The whole message, compressed; None where it is better sent as it is."""
        return _smaller(message, self.window)

    def shares(self, size: int) -> bool:
        """Whether what :func:`shared` makes of so many bytes is within the client's window."""
        return self.window == WINDOW or size <= 1 << self.window


def agree(offers: Sequence[str]) -> Agreement | None:
    """Choose the first of the offers that can be met; None: there is none (section 5).

    ``offers`` are the values of ``Sec-WebSocket-Extensions``. An offer is declined that has a
    parameter that is unknown, repeated or of a wrong value (section 7.1), and one that wants a
    window of 8 bits from us.
    """
    for offer in ",".join(offers).split(","):
        name, *parameters = offer.split(";")
        if name.strip(" \t") == NAME and (found := _meet(parameters)) is not None:
            return found
    return None


def _meet(parameters: Sequence[str]) -> Agreement | None:
    said: dict[str, str | None] = {}
    for each in parameters:
        match = _PARAMETER.fullmatch(each)
        if match is None or match[1] in said:
            return None
        said[match[1]] = match[2] or match[3]
    for name, value in said.items():
        if name in _FLAGS:
            fits = value is None
        elif name == "client_max_window_bits":
            fits = value is None or value in _BITS
        else:
            fits = name == "server_max_window_bits" and value in _BITS
        if not fits:
            return None
    asked = said.get("server_max_window_bits")
    return _AGREEMENTS.get(None if asked is None else min(int(asked), WINDOW))


def _agreement(window: int | None) -> Agreement:
    answer = f"{NAME}; server_no_context_takeover; client_no_context_takeover"
    if window is None:
        return Agreement(WINDOW, answer)
    return Agreement(window, f"{answer}; server_max_window_bits={window}")


# By what was asked for; one for all clients.
_AGREEMENTS: Final = {asked: _agreement(asked) for asked in (None, *range(_LEAST_BITS, WINDOW + 1))}


def part(data: bytes, window: int = WINDOW) -> bytes:
    """Compress a part of a message."""
    compressor = zlib.compressobj(_LEVEL, zlib.DEFLATED, -window, _MEMORY)
    return compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)


def joined(*parts: bytes) -> bytes:
    """The message that the parts make, one at least, as it is sent."""
    return b"".join(parts)[: -len(_TAIL)]


def stored_head(size: int) -> bytes:
    """What stands before ``size`` bytes, ``MOST_STORED`` at most, that are a part as they are: a
    stored block (RFC 1951, section 3.2.4).
    """
    return b"\x00" + size.to_bytes(2, "little") + (size ^ 0xFFFF).to_bytes(2, "little")


def shared(ending: bytes) -> bytes | None:
    """The last part of messages that end so, as it is sent; None where it is better sent as it is.

    With a stored block before it, it is no larger than both of them as they are.
    """
    return _smaller(ending, WINDOW)


def _smaller(data: bytes, window: int) -> bytes | None:
    if not LEAST <= len(data) <= MOST:
        return None
    made = joined(part(data, window))
    return made if len(made) + _STORED <= len(data) else None


class Inflation:
    """One message that comes in, of at most ``limit`` bytes."""

    __slots__ = ("_inflater", "_left")

    def __init__(self, limit: int) -> None:
        self._inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        self._left = limit

    def take(self, data: bytes) -> bytes:
        """What the next bytes say.

        Raises:
            BadMessage: it is larger than the limit, and was not inflated further (1009), or
                nothing that was compressed (1007).
        """
        got = self._inflate(data)
        if self._over() and self._inflater.unused_data not in _PADDING:
            raise BadMessage(_CORRUPT)
        return got

    def end(self) -> bytes:
        """What is left when the message has ended. Raises what :meth:`take` raises."""
        if self._over():
            return b""
        got = self._inflate(_TAIL + _END)
        if not self._over() or self._inflater.unused_data:
            raise BadMessage(_CORRUPT)
        return got

    def _over(self) -> bool:
        """Whether its last block has come: most have none."""
        return self._inflater.eof

    def _inflate(self, data: bytes) -> bytes:
        try:
            got = self._inflater.decompress(data, self._left + 1)
        except zlib.error as error:
            raise BadMessage(_CORRUPT) from error
        if len(got) > self._left:
            raise BadMessage(CloseReason.MESSAGE_TOO_BIG)
        self._left -= len(got)
        return got
