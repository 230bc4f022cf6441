"""What a subscription yields."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec
from attrs import frozen

__all__ = ["Gap", "Message"]

T = TypeVar("T")


@frozen
class Gap:
    """A part of the stream that cannot be had any more: after ``since``, up to ``until``."""

    since: str
    until: str


@frozen
class Message:
    """One result of a subscription.

    ``data`` is None in two cases: the server could not make it (see ``errors``), or the message
    only tells of a ``gap``. ``cursor`` is the place in the journal to resume from when this
    message has been dealt with.

    ``recovered`` is True on the first message after a reconnect (or a subscribe with a cursor) that
    missed nothing, False where there is a ``gap``, and None on all others. After a gap, what was
    known must be loaded anew.
    """

    data: dict[str, Any] | None
    errors: Sequence[Mapping[str, Any]] = ()
    cursor: str | None = None
    recovered: bool | None = None
    gap: Gap | None = None

    @classmethod
    def read(cls, payload: Mapping[str, Any]) -> "Message":
        """Read the payload of a ``next``.

        Raises:
            msgspec.ValidationError: it is of another form.
        """
        found = msgspec.convert(payload, _Payload)
        extensions = found.extensions or _Extensions()
        gap = extensions.gap
        return cls(
            found.data,
            tuple(found.errors or ()),
            extensions.cursor,
            extensions.recovered,
            None if gap is None else Gap(gap.since, gap.until),
        )

    def into(self, kind: type[T]) -> T:
        """Return ``data`` as a value of ``kind``: a TypedDict, a dataclass, an attrs class, ...

        Raises:
            msgspec.ValidationError: it does not fit.
        """
        return msgspec.convert(self.data, kind)


class _Gap(msgspec.Struct, rename={"since": "from", "until": "to"}):
    since: str
    until: str


class _Extensions(msgspec.Struct):
    cursor: str | None = None
    recovered: bool | None = None
    gap: _Gap | None = None


class _Payload(msgspec.Struct):
    data: dict[str, Any] | None = None
    errors: list[dict[str, Any]] | None = None
    extensions: _Extensions | None = None
