"""A cursor: a place in one journal, written ``epoch:offset``."""

import re

from attrs import frozen

__all__ = ["Cursor", "CursorError"]

_FORM = re.compile(r"([0-9A-Za-z_-]{1,64}):(0|[1-9][0-9]{0,17})")


class CursorError(ValueError):
    """A text is no cursor."""


@frozen(order=False)
class Cursor:
    """A place in a journal: everything up to and with ``offset`` has been seen.

    ``epoch`` names the journal file, so that a cursor of another journal is recognised.
    """

    epoch: str
    offset: int

    def __str__(self) -> str:
        return f"{self.epoch}:{self.offset}"

    @classmethod
    def parse(cls, text: object) -> "Cursor":
        """Read ``epoch:offset``; anything else raises :class:`CursorError`."""
        found = _FORM.fullmatch(text) if isinstance(text, str) else None
        if found is None:
            raise CursorError("a cursor has the form epoch:offset")
        return cls(found[1], int(found[2]))
