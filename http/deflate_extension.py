"""permessage-deflate as wsproto asks for it: messages in, with a bound, and ASGI's messages out."""

from collections.abc import Iterable
from typing import Final

from hypercorn.protocol.ws_stream import Handshake
from wsproto.connection import Connection, ConnectionType
from wsproto.extensions import Extension
from wsproto.frame_protocol import (
    CloseReason,
    FrameDecoder,
    FrameProtocol,
    Opcode,
    RsvBits,
)

from incident_manager.http.deflate import NAME, Agreement, BadMessage, Inflation

__all__ = ["EXTENSIONS", "DeflateExtension", "DeflateHandshake"]

EXTENSIONS: Final = b"sec-websocket-extensions"
"""The header that tells of them."""

_PLAIN: Final = RsvBits(rsv1=False, rsv2=False, rsv3=False)
_COMPRESSED: Final = RsvBits(rsv1=True, rsv2=False, rsv3=False)

Protocol = FrameDecoder | FrameProtocol


class DeflateExtension(Extension):
    """wsproto's own inflates whatever comes, and keeps its window while nothing does.

    A message of more than ``limit`` bytes is refused (1009) without being inflated further; one
    that cannot be inflated too (1007).
    """

    name = NAME

    def __init__(self, agreement: Agreement, limit: int) -> None:
        self.agreement = agreement
        self._limit = limit
        self._inflation: Inflation | None = None  # of the message that is coming in
        self._control = False  # a frame between those of the message

    def enabled(self) -> bool:
        """It has been agreed."""
        return True

    def offer(self) -> bool | str:
        """A server offers nothing."""
        return False

    def frame_inbound_header(
        self, proto: Protocol, opcode: Opcode, rsv: RsvBits, payload_length: int
    ) -> CloseReason | RsvBits:
        """Only the first frame of a message may say that it is compressed (section 6.1)."""
        del proto, payload_length
        self._control = opcode.iscontrol()
        if self._control or opcode is Opcode.CONTINUATION:
            return CloseReason.PROTOCOL_ERROR if rsv.rsv1 else _PLAIN
        self._inflation = Inflation(self._limit) if rsv.rsv1 else None
        return _COMPRESSED

    def frame_inbound_payload_data(self, proto: Protocol, data: bytes) -> bytes | CloseReason:
        """Inflate what has come of a frame."""
        del proto
        if self._inflation is None or self._control:
            return data
        try:
            return self._inflation.take(data)
        except BadMessage as error:
            return error.code

    def frame_inbound_complete(self, proto: Protocol, fin: bool) -> bytes | CloseReason | None:
        """Inflate the end of a message."""
        del proto
        if self._inflation is None or self._control or not fin:
            return None
        inflation, self._inflation = self._inflation, None
        try:
            return inflation.end()
        except BadMessage as error:
            return error.code

    def frame_outbound(
        self,
        proto: Protocol,
        opcode: Opcode,
        rsv: RsvBits,
        data: bytes,
        fin: bool,
    ) -> tuple[RsvBits, bytes]:
        """Compress a message that is sent whole."""
        del proto
        if not fin or opcode not in {Opcode.TEXT, Opcode.BINARY}:
            return rsv, data
        made = self.agreement.deflated(data)
        return (rsv, data) if made is None else (_COMPRESSED, made)


class DeflateHandshake(Handshake):
    """Hypercorn's handshake of a client with whom an extension has been agreed."""

    def __init__(self, handshake: Handshake, extension: DeflateExtension) -> None:
        vars(self).update(vars(handshake))
        self._extension = extension

    def accept(
        self, subprotocol: str | None, additional_headers: Iterable[tuple[bytes, bytes]]
    ) -> tuple[int, list[tuple[bytes, bytes]], Connection]:
        """The answer, and the connection that knows the extension."""
        told = (EXTENSIONS, self._extension.agreement.answer.encode())
        status, headers, _ = super().accept(subprotocol, [*additional_headers, told])
        return status, headers, Connection(ConnectionType.SERVER, [self._extension])
