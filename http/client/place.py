"""One subscription's place in the stream: what it has had, and what of a message is news."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve, frozen

from incident_manager.http.client.message import Gap, Message

__all__ = ["Place", "Request"]


@frozen
class Request:
    """An operation as the caller gave it."""

    query: str
    variables: Mapping[str, Any] | None
    name: str | None


class Place:
    """A subscription: ``cursor`` is where it has got to, ``wire`` its id on this connection.

    ``pinning``: that id is of the question where to begin. ``parked``: it is left aside.
    """

    __slots__ = (
        "_fresh",
        "_mute",
        "_owed",
        "_told",
        "cursor",
        "parked",
        "pinning",
        "request",
        "wire",
    )

    def __init__(self, request: Request, cursor: str | None) -> None:
        self.request = request
        self.cursor = cursor
        self.wire: str | None = None
        self.pinning = False
        self.parked = False
        self._mute = cursor is None  # the caller resumes nothing: no "recovered" for it
        self._fresh = True  # nothing has been taken since the last subscribe
        self._owed: bool | None = None  # a "recovered" that came with a message that was dropped
        self._told: Gap | None = None  # a gap that the caller has heard of

    def opened(self, wire: str) -> None:
        """It is asked for (again) under this id; without a cursor its place is asked for."""
        self.wire = wire
        self._fresh = True
        self.pinning = self.cursor is None

    def lost(self) -> None:
        """The connection is gone; the next "recovered" is for the caller."""
        if self.wire is not None and not self.pinning:
            self._mute = False
        self.wire = None
        self.pinning = False

    def unpark(self) -> None:
        """Go on: that it was parked is nothing the caller need know."""
        self.parked = False
        self._mute = True

    def news(self, message: Message) -> Message | None:
        """The message as the caller gets it, or None for a repeat."""
        if self._is_repeat(message):
            self._owed = message.recovered if self._owed is None else self._owed
            return None
        if message.gap is not None and message.gap == self._told:
            return evolve(message, recovered=None, gap=None)
        recovered = message.recovered if self._owed is None else self._owed
        if self._mute and recovered:
            recovered = None
        return evolve(message, recovered=recovered)

    def took(self, message: Message) -> None:
        """The caller has this one for certain."""
        self._fresh = self._mute = False
        self._owed = None
        self._told = message.gap if message.data is None else None
        if message.cursor is not None:
            self.cursor = message.cursor

    def _is_repeat(self, message: Message) -> bool:
        """Whether the caller has had this event. A gap begins anew, maybe further back."""
        if message.gap is not None or message.cursor is None or self.cursor is None:
            return False
        epoch, _, offset = message.cursor.rpartition(":")
        seen_epoch, _, seen = self.cursor.rpartition(":")
        if epoch != seen_epoch or not (offset.isdecimal() and seen.isdecimal()):
            return False
        if int(offset) != int(seen):
            return int(offset) < int(seen)
        # A heartbeat stands where the last event stood; an event there can only come once more
        # when the subscription is new on this connection.
        return self._fresh and not _is_heartbeat(message.data)


def _is_heartbeat(data: Mapping[str, Any] | None) -> bool:
    return any(
        isinstance(root, dict) and "HEARTBEAT" in root.values() for root in (data or {}).values()
    )
