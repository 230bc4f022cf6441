"""The frames of one WebSocket, by wsproto, of which nothing is kept while nothing is half-way."""

from collections.abc import Iterator, Sequence
from operator import attrgetter
from typing import Final

from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import Event
from wsproto.extensions import Extension

__all__ = ["Frames"]

_WHOLE_TEXT: Final = 0x81
_PONG: Final = 0x8A
_MASKED: Final = 0x80
_TWO_BYTES: Final = 126  # for a length that stands in the next two bytes
_LEAST: Final = 6  # bytes of a masked frame
_INSIDE: Final = attrgetter(
    "_events",
    "_proto._frame_decoder.buffer",
    "_proto._frame_decoder.header",
    "_proto._message_decoder.opcode",
    "_proto._outbound_opcode",
)
# By these it is seen that nothing is half-way. With a wsproto that is built otherwise this is no
# module: AttributeError, of which ``transport.install`` tells.
_INSIDE(Connection(ConnectionType.SERVER))


class Frames:
    """The server's side of a WebSocket that is open: what wsproto's ``Connection`` is to its user.

    That has decoders, buffers and a generator, three kilobytes of them. Between two messages they
    hold nothing: they are dropped then, and made again for the next.
    """

    __slots__ = ("_connection", "_extensions")

    def __init__(self, extensions: Sequence[Extension] = ()) -> None:
        self._extensions = extensions
        self._connection: Connection | None = None

    @property
    def state(self) -> ConnectionState:
        """How far the closing handshake is."""
        return ConnectionState.OPEN if self._connection is None else self._connection.state

    def whole(self, data: bytes, at: int, most: int) -> tuple[str, int] | None:
        """The text of the message that begins at ``at``, and where it ends: one masked frame that
        is all there, of ``most`` bytes at most, not compressed (RFC 6455, section 5.2). It has been
        taken then.

        None where something is half-way, or it is anything else: that is for wsproto.
        """
        if self._connection is not None or len(data) < at + _LEAST or data[at] != _WHOLE_TEXT:
            return None
        size, start = data[at + 1] - _MASKED, at + 6
        if size == _TWO_BYTES:
            size, start = int.from_bytes(data[at + 2 : at + 4], "big"), at + 8
            if size < _TWO_BYTES:  # not the shortest way to write it
                return None
        elif not 0 <= size < _TWO_BYTES:
            return None
        end = start + size
        if size > most or len(data) < end:
            return None
        mask = data[start - 4 : start] * (size // 4 + 1)
        masked = int.from_bytes(data[start:end], "big") ^ int.from_bytes(mask[:size], "big")
        try:
            return masked.to_bytes(size, "big").decode(), end
        except UnicodeDecodeError:
            return None

    def pong(self, data: bytes, at: int) -> int | None:
        """Where the pong ends that begins at ``at``, if it is one that is all there and right: most
        of what comes from clients that only listen.

        None where something is half-way, or it is anything else: that is for wsproto.
        """
        if self._connection is not None or len(data) < at + _LEAST or data[at] != _PONG:
            return None
        size = data[at + 1] - _MASKED
        end = at + _LEAST + size
        return end if 0 <= size < _TWO_BYTES and len(data) >= end else None

    def send(self, event: Event) -> bytes:
        """The bytes of an event; LocalProtocolError where it may not be sent."""
        data = self._made().send(event)
        self._drop()
        return data

    def receive_data(self, data: bytes | None) -> None:
        """Take what has come, which :meth:`events` tells of."""
        self._made().receive_data(data)

    def events(self) -> Iterator[Event]:
        """What has come since it was asked last."""
        yield from self._made().events()
        self._drop()

    def _made(self) -> Connection:
        if self._connection is None:
            self._connection = Connection(ConnectionType.SERVER, list(self._extensions))
        return self._connection

    def _drop(self) -> None:
        """Keep nothing, if nothing is half-way."""
        made = self._connection
        if made is None or made.state is not ConnectionState.OPEN:
            return
        events, buffer, header, coming, going = _INSIDE(made)
        if not (events or len(buffer) or header or coming is not None or going is not None):
            self._connection = None
