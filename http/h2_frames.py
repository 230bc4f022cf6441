"""Heads of HTTP/2 frames in bytes as they come (RFC 9113, section 4.1)."""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final

from attrs import frozen

__all__ = ["END_HEADERS", "END_STREAM", "PREFACE", "FrameHeads", "Head", "Kind"]

PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
"""What a client's first bytes are (RFC 9113, section 3.4)."""
END_STREAM: Final = 0x1
"""The flag of DATA and HEADERS; of SETTINGS and PING the same bit is ACK."""
END_HEADERS: Final = 0x4
"""The flag of HEADERS and CONTINUATION."""
_SIZE: Final = 9


class Kind(IntEnum):
    """The types of frames (RFC 9113, section 6)."""

    DATA = 0x0
    HEADERS = 0x1
    PRIORITY = 0x2
    RST_STREAM = 0x3
    SETTINGS = 0x4
    PUSH_PROMISE = 0x5
    PING = 0x6
    GOAWAY = 0x7
    WINDOW_UPDATE = 0x8
    CONTINUATION = 0x9


@frozen
class Head:
    """The head of one frame: its type, flags, and the bytes of its payload.

    ``end`` is where the frame ends, counted from the beginning of the bytes that it was found in;
    it may lie beyond them.
    """

    kind: int
    flags: int
    length: int
    end: int


class FrameHeads:
    """Finds the head of each frame as soon as it is there. It keeps no more than 8 bytes.

    ``skip`` is how many bytes come before the first.
    """

    __slots__ = ("_begun", "_skip")

    def __init__(self, skip: int = len(PREFACE)) -> None:
        self._skip = skip
        self._begun = b""

    def feed(self, data: bytes) -> Iterator[Head]:
        """The heads that end in these bytes. Must be used up before more is fed."""
        before = len(self._begun)
        whole = self._begun + data if before else data
        at, size = self._skip, len(whole)
        while at + _SIZE <= size:
            length = int.from_bytes(whole[at : at + 3], "big")
            kind, flags = whole[at + 3], whole[at + 4]
            at += _SIZE + length
            yield Head(kind, flags, length, at - before)
        self._skip = max(0, at - size)
        self._begun = whole[at:]
