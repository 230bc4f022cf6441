"""The messages of one WebSocket as frames (RFC 6455, section 5.2), straight to its connection.

The server that made the WebSocket hands its writer to the application in the scope, as
``scope["state"]["websocket_writer"]``. What both of them write leaves in the order it was written.
"""

from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, Final, Protocol, Self, cast

import trio

from incident_manager.actors.batch import Batch
from incident_manager.http.wire import Wire

__all__ = ["COMMON", "KEY", "Lane", "WebSocketWriter", "text_head", "writer_of"]

KEY: Final = "websocket_writer"
"""Where the scope's ``state`` has the writer."""
_TEXT: Final = 0x81  # the last fragment of a text message
_LAST: Final = "frames"  # where a batch remembers the frames that were made last, and their prefix
COMMON: Final = 256
"""Bytes of a prefix: with a longer one, others can hardly use what is made."""


class Lane(Protocol):
    """The bytes of one WebSocket: a connection's wire, or a stream's buffer of HTTP/2."""

    def watch(self, progressed: Callable[[], None]) -> None:
        """Have it called when some of what waited has left, and at the end."""
        ...

    @property
    def size(self) -> int:
        """Bytes that wait."""
        ...

    def write(self, data: bytes) -> int:
        """Send them after all that waits; no more than that where it is closed. The bytes that
        wait then.
        """
        ...


def text_head(size: int) -> bytes:
    """What stands before ``size`` bytes of text in an unmasked frame."""
    if size < 126:
        return bytes((_TEXT, size))
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


def _between(prefix: int, payloads: Sequence[bytes]) -> list[bytes]:
    """What stands before, between and behind prefixes of so many bytes."""
    ends = b""
    parts = []
    for payload in payloads:
        parts.append(ends + text_head(prefix + len(payload) + 1))
        ends = payload + b"}"
    parts.append(ends)
    return parts


class WebSocketWriter:
    """Implements :class:`incident_manager.http.frame_writer.FrameWriter`.

    ``open`` is whether frames may be sent, which the server says: none comes before the handshake's
    answer, and none follows a close.
    """

    __slots__ = ("_lane", "_wire", "open")
    plain = True

    def __init__(self, lane: Lane) -> None:
        self._lane = lane
        self.open = False
        self._wire = lane if isinstance(lane, Wire) and lane.volley is not None else None

    @property
    def drilled(self) -> Self | None:
        """Itself; None where no frames may be sent, or it has no wire that volleys go to."""
        return self if self.open and self._wire is not None else None

    @property
    def wire(self) -> Wire:
        """What frames go to as they are, where it is :attr:`drilled`."""
        return cast(Wire, self._wire)

    @property
    def kin(self) -> Hashable:
        """All that do not compress are equal."""
        return None

    def shut(self) -> None:
        """No frames may be sent any more."""
        self.open = False
        if self._wire is not None and self._wire.member is not None:
            self._wire.member.fall_out()

    def watch(self, progressed: Callable[[], None]) -> None:
        """Have it called when some of what waited has left, and at the end."""
        self._lane.watch(progressed)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._lane.size

    def frame(self, message: bytes) -> bytes:
        """A message (UTF-8) and its head."""
        return text_head(len(message)) + message

    def next_frame(self, prefix: bytes, payload: bytes) -> bytes:
        """The message ``prefix + payload + b"}"`` and its head."""
        head = text_head(len(prefix) + len(payload) + 1)
        return b"".join((head, prefix, payload, b"}"))

    def frames(self, prefix: bytes, batch: Batch) -> Sequence[bytes]:
        """The frames of a batch, in one piece.

        Between two prefixes of equal length stands what is equal for all clients: that is made
        once for each length. Where clients chose the same id, they share the whole of it.
        An id as long as a message may be is its owner's alone: nothing of it is remembered.
        """
        if len(prefix) > COMMON:
            return (prefix.join(_between(len(prefix), batch.payloads)),)
        memo = batch.memo
        last: tuple[bytes, bytes] | None = memo.get(_LAST)
        if last is not None and last[0] == prefix:
            return (last[1],)
        whole = prefix.join(self.joints(len(prefix), batch))
        memo[_LAST] = (prefix, whole)
        return (whole,)

    def joints(self, prefix: int, batch: Batch) -> list[bytes]:
        """What stands before, between and behind prefixes of so many bytes."""
        found: list[bytes] | None = batch.memo.get(prefix)
        if found is None:
            found = batch.memo[prefix] = _between(prefix, batch.payloads)
        return found

    def write(self, frames: Sequence[bytes]) -> int:
        """Send frames after all that waits; the bytes that wait then."""
        if not self.open:
            return self._lane.size
        return self._lane.write(frames[0] if len(frames) == 1 else b"".join(frames))

    async def settled(self) -> None:
        """What ASGI sends is behind all that was written."""
        await trio.lowlevel.checkpoint()


def writer_of(scope: Mapping[str, Any]) -> "WebSocketWriter | None":
    """The writer that the server offers; None where it is one that does not."""
    found = scope.get("state", {}).get(KEY)
    return found if isinstance(found, WebSocketWriter) else None
