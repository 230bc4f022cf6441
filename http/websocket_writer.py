"""The messages of one WebSocket as frames (RFC 6455, section 5.2), straight to its connection.

The server that made the WebSocket hands its writer to the application in the scope, as
``scope["state"]["websocket_writer"]``. What both of them write leaves in the order it was written.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

import trio

__all__ = ["KEY", "Lane", "WebSocketWriter", "text_head", "writer_of"]

KEY: Final = "websocket_writer"
"""Where the scope's ``state`` has the writer."""
_TEXT: Final = 0x81  # the last fragment of a text message


class Lane(Protocol):
    """The bytes of one WebSocket: a connection's wire, or a stream's buffer of HTTP/2."""

    def watch(self, progressed: Callable[[], None]) -> None:
        """Have it called when some of what waited has left, and at the end."""
        ...

    @property
    def size(self) -> int:
        """Bytes that wait."""
        ...

    def write(self, data: bytes) -> None:
        """Send them after all that waits; no more than that where it is closed."""
        ...


def text_head(size: int) -> bytes:
    """What stands before ``size`` bytes of text in an unmasked frame."""
    if size < 126:
        return bytes((_TEXT, size))
    if size < 65536:
        return b"\x81\x7e" + size.to_bytes(2, "big")
    return b"\x81\x7f" + size.to_bytes(8, "big")


class WebSocketWriter:
    """Implements :class:`incident_manager.http.frame_writer.FrameWriter`.

    ``is_open`` says whether frames may still be sent: none follows a close.
    """

    __slots__ = ("_is_open", "_lane")

    def __init__(self, lane: Lane, is_open: Callable[[], bool]) -> None:
        self._lane = lane
        self._is_open = is_open

    def watch(self, progressed: Callable[[], None]) -> None:
        """Have it called when some of what waited has left, and at the end."""
        self._lane.watch(progressed)

    @property
    def size(self) -> int:
        """Bytes that wait."""
        return self._lane.size

    def write(self, messages: Sequence[bytes]) -> None:
        """Send messages (UTF-8) after all that waits."""
        if not self._is_open():
            return
        if len(messages) == 1:
            message = messages[0]
            self._lane.write(text_head(len(message)) + message)
            return
        parts = []
        for message in messages:
            parts.append(text_head(len(message)))
            parts.append(message)
        self._lane.write(b"".join(parts))

    async def settled(self) -> None:
        """What ASGI sends is behind all that was written."""
        await trio.lowlevel.checkpoint()


def writer_of(scope: Mapping[str, Any]) -> "WebSocketWriter | None":
    """The writer that the server offers; None where it is one that does not."""
    found = scope.get("state", {}).get(KEY)
    return found if isinstance(found, WebSocketWriter) else None
