"""The messages of a WebSocket on which permessage-deflate has been agreed (RFC 7692)."""

from collections.abc import Hashable, Sequence
from typing import Final

from incident_manager.actors.batch import Batch
from incident_manager.actors.payload import Payload
from incident_manager.http.deflate import MOST_STORED, Agreement, shared, stored_head
from incident_manager.http.websocket_writer import Lane, WebSocketWriter, text_head

__all__ = ["CompressedWriter", "compressed_head"]

_COMPRESSED: Final = 0x40  # RSV1, in the first byte
_AS_IT_IS: Final = b""  # beside a payload that is better not compressed


class CompressedWriter(WebSocketWriter):
    """A payload is compressed once for all who get it. What stands before it is the client's own,
    and goes as a stored block: so the frames of two clients differ in nothing else, and nothing
    is kept for a subscription.
    """

    __slots__ = ("_agreement",)
    plain = False

    def __init__(self, lane: Lane, agreement: Agreement) -> None:
        super().__init__(lane)
        self._agreement = agreement

    def frame(self, message: bytes) -> bytes:
        """A message (UTF-8), compressed where that is worth it, and its head."""
        made = self._agreement.deflated(message)
        return super().frame(message) if made is None else compressed_head(len(made)) + made

    def next_frame(self, prefix: bytes, payload: bytes) -> bytes:
        """The message ``prefix + payload + b"}"`` and its head."""
        made = self._made_of(payload)
        if len(prefix) > MOST_STORED or not made:
            return super().next_frame(prefix, payload)
        stored = stored_head(len(prefix))
        head = compressed_head(len(stored) + len(prefix) + len(made))
        return b"".join((head, stored, prefix, made))

    def frames(self, prefix: bytes, batch: Batch) -> Sequence[bytes]:
        """The frames of a batch, in one piece."""
        if len(prefix) > MOST_STORED:
            return super().frames(prefix, batch)
        return (prefix.join(self.joints(len(prefix), batch)),)

    @property
    def kin(self) -> Hashable:
        """Those with the same window."""
        return (self._agreement.window,)

    def joints(self, prefix: int, batch: Batch) -> list[bytes]:
        """What stands before, between and behind prefixes of so many bytes."""
        if prefix > MOST_STORED:
            return super().joints(prefix, batch)
        key = (self._agreement.window, prefix)
        found: list[bytes] | None = batch.memo.get(key)
        if found is None:
            found = batch.memo[key] = self._between(prefix, batch.payloads)
        return found

    def _between(self, prefix: int, payloads: Sequence[bytes]) -> list[bytes]:
        """What stands before, between and behind prefixes of so many bytes."""
        stored = stored_head(prefix)
        ends = b""
        parts = []
        for payload in payloads:
            made = self._made_of(payload)
            if made:
                parts.append(ends + compressed_head(len(stored) + prefix + len(made)) + stored)
                ends = made
            else:
                parts.append(ends + text_head(prefix + len(payload) + 1))
                ends = payload + b"}"
        parts.append(ends)
        return parts

    def _made_of(self, payload: bytes) -> bytes:
        """The end of the message with a payload, compressed; empty where it is better as it is."""
        if not self._agreement.shares(len(payload) + 1):
            return _AS_IT_IS
        made = payload.beside if isinstance(payload, Payload) else None
        if made is None:
            made = shared(payload + b"}") or _AS_IT_IS
            if isinstance(payload, Payload):
                payload.beside = made
        return made


def compressed_head(size: int) -> bytes:
    """What stands before ``size`` bytes of compressed text in an unmasked frame."""
    first, *rest = text_head(size)
    return bytes((first | _COMPRESSED, *rest))
