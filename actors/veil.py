"""Veils: cursors that tell those who are confined nothing of how many events others have caused.

An offset counts the events of everybody. So a confined principal gets it encrypted: by AES-SIV
(RFC 5297), under a key of its own that comes of the journal's secret and its selectors. The text
keeps the form ``epoch:offset``: before the colon stands what is sealed, after it a number that
says nothing. The cursor of an event is the same every time. A place (the head, the end of a page,
a heartbeat, a gap) is sealed with a random number: two of them cannot be told apart, whether
others have done something between them or not.
"""

import base64
import binascii
import hashlib
import secrets
from collections import OrderedDict

import msgspec
from attrs import field, frozen
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.reads import Bounds
from incident_manager.actors.selectors import Selectors

__all__ = ["SECRET_BYTES", "Veil", "VeiledBounds", "Veils"]

SECRET_BYTES = 32
"""How many random bytes the secret of a journal has."""
_NUMBERS = 10**18  # what a cursor's number is below
_BLOCK = 64  # places in lists are filled up to this: how many digits they have tells something
_VEILS = 1024  # selectors whose keys are kept


class Veil:
    """The cursors of those who have one set of selectors, in one journal."""

    __slots__ = ("_cipher",)

    def __init__(self, secret: bytes, selectors: Selectors) -> None:
        name = msgspec.json.encode(selectors)
        self._cipher = AESSIV(hashlib.blake2b(name, key=secret, digest_size=64).digest())

    def event(self, epoch: str, offset: int) -> Cursor:
        """The cursor of an event."""
        return self._seal(epoch, offset, 0)

    def place(self, epoch: str, offset: int) -> Cursor:
        """A cursor behind everything up to an offset; another one each time."""
        return self._seal(epoch, offset, 1 + secrets.randbelow(_NUMBERS - 1))

    def _seal(self, epoch: str, offset: int, number: int) -> Cursor:
        sealed = self._cipher.encrypt(offset.to_bytes(8, "big"), _beside(epoch, number))
        return Cursor(base64.urlsafe_b64encode(sealed).decode(), number)

    def open(self, cursor: Cursor, epoch: str) -> Cursor:
        """The place that a cursor means in the journal of this epoch.

        One that was not made here for these selectors stays as it is: of another epoch.
        """
        try:
            sealed = base64.urlsafe_b64decode(cursor.epoch)
            offset = self._cipher.decrypt(sealed, _beside(epoch, cursor.offset))
        except (binascii.Error, InvalidTag, ValueError):
            return Cursor("", 0)  # none is ever written so, and so it is of no journal
        return Cursor(epoch, int.from_bytes(offset, "big"))

    def hide(self, place: str) -> str:
        """A place in a list (``end_cursor``), sealed: it may hold offsets."""
        raw = place.encode()
        raw += b"\0" * (-len(raw) % _BLOCK)
        return base64.urlsafe_b64encode(self._cipher.encrypt(raw, [b"place"])).decode().rstrip("=")

    def show(self, text: str) -> str:
        """The place that :meth:`hide` sealed; raises ValueError for anything else."""
        try:
            sealed = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            return self._cipher.decrypt(sealed, [b"place"]).rstrip(b"\0").decode()
        except (InvalidTag, ValueError) as error:  # binascii.Error is one
            raise ValueError("after is not a cursor of this list") from error


def _beside(epoch: str, number: int) -> list[bytes]:
    return [b"cursor", epoch.encode(), number.to_bytes(8, "big")]


@frozen
class VeiledBounds(Bounds):
    """Bounds whose cursors are veiled."""

    veil: Veil = field(eq=False, repr=False)

    @classmethod
    def of(cls, bounds: Bounds, veil: Veil) -> "VeiledBounds":
        """The same bounds behind a veil."""
        return cls(bounds.epoch, bounds.oldest, bounds.head, veil)

    def event(self, offset: int) -> Cursor:
        """The cursor of an event."""
        return self.veil.event(self.epoch, offset)

    def place(self, offset: int) -> Cursor:
        """A cursor behind everything up to an offset."""
        return self.veil.place(self.epoch, offset)

    def open(self, cursor: Cursor) -> Cursor:
        """The place that a client's cursor means; of another epoch if it is not from here."""
        return self.veil.open(cursor, self.epoch)


class Veils:
    """The veils of one journal, by selectors; ``secret`` must be known before one is asked for."""

    def __init__(self, secret: bytes | None = None) -> None:
        self.secret = secret
        self._kept: OrderedDict[Selectors, Veil] = OrderedDict()

    def of(self, selectors: Selectors) -> Veil:
        """The veil of those who have these selectors."""
        veil = self._kept.get(selectors)
        if veil is None:
            if self.secret is None:
                raise RuntimeError("the journal's secret is not known yet")
            veil = self._kept[selectors] = Veil(self.secret, selectors)
            if len(self._kept) > _VEILS:
                self._kept.popitem(last=False)
        return veil

    def bounds(self, selectors: Selectors, bounds: Bounds) -> Bounds:
        """Bounds as those see them who have these selectors."""
        return VeiledBounds.of(bounds, self.of(selectors)) if selectors else bounds
