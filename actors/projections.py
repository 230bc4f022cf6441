"""Payloads kept for a while: one projection for each event and shape, whoever asks for it.

The hub makes most of them; a subscription that reads behind it finds them here, and ten
thousand that come back after a restart share one projection of each event.
"""

from collections.abc import Hashable, Iterable
from contextlib import suppress

import trio

from incident_manager.actors.model import Record
from incident_manager.actors.payload import Payload
from incident_manager.actors.ports import Projector, Shape
from incident_manager.actors.veil import Veils

__all__ = ["SHARED", "Projections"]

SHARED = 0.25
"""Seconds for which those who deliver the same event share a deep payload."""
_MOST_SHARED = 256  # deep payloads at a time


_Key = tuple[int, Hashable]
"""An event, and the key of a shape."""


class _Pending:
    """A projection that somebody is making, and what has come of it; None if it failed."""

    __slots__ = ("done", "payload")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.payload: Payload | None = None


class Projections:
    """A cache of at most ``capacity`` payloads and ``bytes_`` bytes; the oldest go first. What is
    kept beside a payload is no larger than it, goes with it, and is not counted.

    ``veils`` write the cursors of the confined, once they have been told the journal's secret.
    ``made`` counts the projections. ``turn`` is another one after each :meth:`forget`: whoever has
    events at hand that were read in an earlier one must not ask for them, but read them again.
    """

    def __init__(
        self, projector: Projector, *, capacity: int = 4096, bytes_: int = 16 * 1024 * 1024
    ) -> None:
        self._projector = projector
        self._capacity = capacity
        self._bytes = bytes_
        self._size = 0
        self._kept: dict[_Key, Payload] = {}
        self._foretold: dict[_Key, tuple[Record, Payload]] = {}
        self._fresh: dict[_Key, tuple[float, Payload]] = {}
        self._pending: dict[_Key, _Pending] = {}
        self.made = 0
        self.turn = 0
        self.veils = Veils()

    def foretell(self, wanted: Iterable[tuple[Shape, Record]], epoch: str) -> None:
        """Make what is going to be asked for, if these very records are. What was made so before,
        and was not asked for, goes.
        """
        self._foretold.clear()
        for shape, record in wanted:
            key = (record.offset, shape.key)
            if key in self._foretold:  # for those of another filter
                continue
            # One that fails is made when it is asked for, and fails there.
            with suppress(Exception):
                self._foretold[key] = (record, self._make(shape, record, epoch))

    def _make(self, shape: Shape, record: Record, epoch: str) -> Payload:
        self.made += 1
        return Payload(self._projector.project(shape, record, self._cursor(shape, record, epoch)))

    def flat(self, shape: Shape, record: Record, epoch: str) -> Payload:
        """The payload of a shape that is not deep."""
        key = (record.offset, shape.key)
        payload = self._kept.get(key)
        if payload is None:
            foretold = self._foretold.pop(key, None)
            if foretold is not None and foretold[0] is record:
                payload = foretold[1]
            else:
                payload = self._make(shape, record, epoch)
            self._keep(key, payload)
        return payload

    async def deep(self, shape: Shape, record: Record, epoch: str) -> Payload:
        """The payload of a deep shape; who asks while it is being made gets that one.

        It is kept for ``SHARED`` seconds only: its relations are as of delivery.
        """
        key = (record.offset, shape.key)
        shared = self._shared(key)
        if shared is not None:
            return shared
        turn, under_way = self.turn, self._pending
        while (others := under_way.get(key)) is not None:
            await others.done.wait()
            if others.payload is not None:
                return others.payload
        self.made += 1
        under_way[key] = pending = _Pending()
        try:
            cursor = self._cursor(shape, record, epoch)
            payload = Payload(await self._projector.project_deep(shape, record, cursor))
            pending.payload = payload
            if turn == self.turn:
                self._fresh[key] = (trio.current_time() + SHARED, payload)
        finally:
            del under_way[key]
            pending.done.set()
        return payload

    def _shared(self, key: _Key) -> Payload | None:
        """A deep payload that was made a moment ago; those made earlier go."""
        now = trio.current_time()
        while self._fresh:
            oldest = next(iter(self._fresh))
            until, _ = self._fresh[oldest]
            if until > now and len(self._fresh) <= _MOST_SHARED:
                break
            del self._fresh[oldest]
        found = self._fresh.get(key)
        return None if found is None else found[1]

    def forget(self) -> None:
        """Keep nothing that was made so far, or is being made: the journal has changed events."""
        self.turn += 1
        self._kept.clear()
        self._foretold.clear()
        self._fresh.clear()
        self._pending = {}  # who asks from now on does not get what is being made
        self._size = 0

    def _cursor(self, shape: Shape, record: Record, epoch: str) -> str:
        if shape.selectors:
            return str(self.veils.of(shape.selectors).event(epoch, record.offset))
        return f"{epoch}:{record.offset}"

    def _keep(self, key: _Key, payload: Payload) -> None:
        self._kept[key] = payload
        self._size += len(payload)
        while len(self._kept) > self._capacity or self._size > self._bytes:
            oldest = next(iter(self._kept))
            self._size -= len(self._kept.pop(oldest))
