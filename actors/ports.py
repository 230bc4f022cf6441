"""The two ports of the fan-out: how an event becomes bytes, and where bytes go.

``schema`` implements :class:`Projector`, ``http`` implements :class:`Sink`; the hub and the
subscriptions know neither GraphQL nor sockets.
"""

from collections.abc import Hashable
from typing import Any, Protocol

from attrs import frozen

from incident_manager.actors.batch import Batch
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.model import Micros, Record
from incident_manager.actors.selectors import Selectors
from incident_manager.actors.streams import StreamField

__all__ = ["Gap", "Listed", "Outlet", "Projector", "Rank", "Ranks", "Shape", "Sink", "extend"]


class Shape(Hashable, Protocol):
    """What subscriptions share whose payloads are equal: equal shapes hash and compare equal."""

    @property
    def key(self) -> Hashable:
        """A small value that equal shapes share and no others: what is kept for a shape is kept
        by it, and does not keep the shape.
        """
        ...

    @property
    def field(self) -> StreamField:
        """Which of the five streams."""
        ...

    @property
    def deep(self) -> bool:
        """Its payload has relations that must be read: it never waits inside the hub."""
        ...

    @property
    def selectors(self) -> Selectors:
        """What its subscribers are confined to: its payload shows nothing else."""
        ...


class Projector(Protocol):
    """Turns an event into the payload of one shape: JSON, an object whose last member is
    ``extensions`` with the cursor, so that :func:`extend` can add to it.
    """

    def project(self, shape: Shape, record: Record, cursor: str) -> bytes:
        """The payload of a shape that is not deep."""
        ...

    async def project_deep(self, shape: Shape, record: Record, cursor: str) -> bytes:
        """The payload of a deep shape; its relations are as of now."""
        ...

    def heartbeat(self, shape: Shape, now: Micros, cursor: str) -> bytes:
        """The payload of a HEARTBEAT in a shape of ``incidentUpdates``."""
        ...


@frozen
class Gap:
    """A part of a stream that cannot be had any more: from where, and where it goes on."""

    since: Cursor
    until: Cursor


class Outlet(Protocol):
    """Where several sinks meet: one connection."""

    def flush(self) -> None:
        """Send on what has been offered since the last flush."""
        ...


class Rank(Protocol):
    """Sinks that are fed in one go. Each of them has taken what was offered before."""

    def offer_all(self, batch: Batch, position: int) -> int:
        """Have all of them take all payloads of a batch, and send them on at once: how many sinks
        there are, or 0: it must be offered to each. They have everything up to that position then.

        What it raises, it raises before anybody has taken anything.
        """
        ...

    def disband(self) -> None:
        """All of them fall out."""
        ...


Ranks = dict[Any, Rank]
"""The ranks of those who get the same payloads, by what those in one of them have in common."""


class Listed(Protocol):
    """Who is to know when a sink stands in a rank no more."""

    def fallen_out(self, position: int) -> None:
        """It does not, and has taken everything up to there. Called in the middle of anything."""
        ...


class Sink(Protocol):
    """One subscription's way out. What it takes leaves in the order of the offers."""

    @property
    def outlet(self) -> Outlet:
        """To be flushed once after a batch of offers."""
        ...

    def offer(self, payload: bytes) -> bool:
        """Take a payload, whole, or answer False: the outbox is full (or closed)."""
        ...

    def offer_all(self, batch: Batch) -> bool:
        """Take all payloads of a batch, or none and answer False: offered one by one, some of
        them may still be taken.
        """
        ...

    @property
    def drilled(self) -> bool:
        """Whether it may be able to stand in a rank at some time."""
        ...

    def fall_in(self, ranks: Ranks, batch: Batch, listed: Listed) -> bool:
        """Stand in one of these ranks, or in a new one put there, if nothing waits in it and such
        batches can be taken by it in one go with others. Until it falls out, which it does by
        itself when that has changed, it is not offered anything else.
        """
        ...

    def fall_out(self) -> None:
        """Stand in the rank no more."""
        ...

    def recovered(self) -> None:
        """Say with the next payload that nothing was missed since the cursor."""
        ...

    def lost(self, gap: Gap) -> None:
        """Say with the next payload, and at once where the client can hear it, that a part of
        the stream is gone.
        """
        ...

    async def drained(self) -> None:
        """Wait until there is room again; returns at once if there is."""
        ...


def extend(payload: bytes, members: bytes) -> bytes:
    """Add members (``b'"recovered":true'``) to the ``extensions`` of a payload."""
    return payload[:-2] + b"," + members + b"}}"
