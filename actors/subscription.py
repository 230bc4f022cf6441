"""One subscription: *live* (fed by the hub) or *reading* (from the journal, at its own pace).

Resuming, falling behind and outliving the hub are the same thing: reading until caught up,
then live. It owns its position; the seat in the hub is only its fast lane.
"""

from collections.abc import Callable, Sequence

import trio
from attrs import Factory, field, frozen

from incident_manager.actors.batch import Batch
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.hub import Hub, Seat
from incident_manager.actors.journal.base import Bounds, JournalUnavailable
from incident_manager.actors.journal.keeper import Keeper
from incident_manager.actors.model import Micros, Record
from incident_manager.actors.ports import Gap, Projector, Shape, Sink
from incident_manager.actors.projections import Projections
from incident_manager.actors.replays import CHUNK, Replays
from incident_manager.actors.resume import Start, resume
from incident_manager.actors.streams import StreamFilter, matches

__all__ = ["Streams", "Subscription"]

RETRY = 0.25
"""Seconds before a read that the journal could not serve is tried again."""


@frozen
class Streams:
    """What all subscriptions share."""

    hub: Hub
    journal: Keeper
    projector: Projector
    projections: Projections
    clock: Callable[[], Micros]
    replays: Replays = field(
        init=False, default=Factory(lambda it: Replays(it.projections), takes_self=True)
    )


class Subscription:
    """The actor of one subscription.

    Args:
        cursor: where to resume, or None to start at the head.
        heartbeat: seconds between HEARTBEAT payloads, or None for none.
    """

    __slots__ = ("_beat", "_cursor", "_failure", "_fresh_after", "_heartbeat", "_left",
                 "_position", "_seat", "_streams", "_wake", "shape", "sink", "wanted")  # fmt: skip

    def __init__(
        self,
        streams: Streams,
        sink: Sink,
        shape: Shape,
        wanted: StreamFilter,
        *,
        cursor: Cursor | None = None,
        heartbeat: int | None = None,
    ) -> None:
        self._streams = streams
        self.sink = sink
        self.shape = shape
        self.wanted = wanted
        self._cursor = cursor
        self._heartbeat = heartbeat
        self._beat = float("inf")
        self._seat: Seat | None = None
        # A seat is left at most once, and a new one is taken only after that was seen.
        self._left = False
        self._failure: Exception | None = None
        self._wake: Callable[[], object] | None = None
        # Without a cursor the stream starts here and now, not when its task first runs.
        self._position = streams.hub.head if streams.hub.running and cursor is None else -1
        # What is before that, a resuming client has missed: how late it comes says nothing.
        self._fresh_after = self._position

    @property
    def live(self) -> bool:
        """Fed by the hub at this moment."""
        return self._seat is not None and not self.shape.deep

    @property
    def position(self) -> int:
        """The offset up to which everything is in the outbox or does not concern it."""
        seat = self._seat
        if seat is None:
            return self._position
        # A seat that was taken away, which its task has not read yet, stays where it was.
        return max(seat.position, self._streams.hub.position) if seat.taken else seat.position

    @property
    def cursor(self) -> Cursor | None:
        """Behind all that is at :attr:`position`; None before it has begun to read."""
        hub, at = self._streams.hub, self.position
        if at < 0:
            return None
        return hub.veils.bounds(self.shape.selectors, Bounds(hub.epoch, at, at)).cursor

    @property
    def lag(self) -> int:
        """How many events it is behind the head."""
        return max(0, self._streams.hub.head - self.position)

    def rest(self, wake: Callable[[], object]) -> bool:
        """Go live without a task, and say whether that was possible.

        While it is live there is nothing to do for a task, but to beat; nor for one of a deep shape
        while there is nothing for it to read. ``wake`` is called, at most
        once, when it has to :meth:`run`; it must not block. Until then :meth:`leave` ends it.
        """
        if self._heartbeat is not None or self._position < 0 or not self._join():
            return False
        self._wake = wake
        return True

    def leave(self) -> None:
        """Give back the seat in the fan-out, if there is one."""
        if self._seat is not None:
            self._position = self._streams.hub.depart(self._seat)
            self._seat = None
            self._wake = None

    async def run(self, wake: Callable[[], object] | None = None) -> bool:
        """Stream until cancelled; with ``wake`` until it can :meth:`rest`, and then say True.

        Raises what its events could not be projected for.
        """
        if self._heartbeat is not None:
            self._beat = trio.current_time() + self._heartbeat
        resting = False
        try:
            if self._seat is not None:  # it has rested
                self._see()
            while True:
                try:
                    if self._position < 0:
                        await self._begin()
                    resting = wake is not None and self.rest(wake)
                    if resting:
                        return True
                    await self._step()
                except JournalUnavailable:
                    # Nothing is skipped: it reads on from its position when it can.
                    await trio.sleep(RETRY)
        finally:
            if not resting:
                self.leave()

    async def _step(self) -> None:
        if self._join():
            await self._live()
        else:
            await self._read()

    async def _begin(self) -> None:
        hub, journal = self._streams.hub, self._streams.journal
        if hub.veils.secret is None:  # the hub has not come so far yet
            hub.veils.secret = await journal.secret()
        # What was known of the journal will do for one who resumes inside of that.
        bounds = journal.shared.bounds
        start = None if bounds is None or self._cursor is None else self._start(bounds)
        if bounds is None or start is None or not start.recovered:
            bounds = await journal.bounds()
            start = self._start(bounds)
        hub.epoch = bounds.epoch
        self._position = start.position
        self._fresh_after = max(bounds.head, hub.head)
        if start.gap is not None:
            hub.unrecovered += 1
            hub.gaps += 1
            self.sink.lost(start.gap)
        elif start.recovered:
            hub.recovered += 1
            self.sink.recovered()

    def _start(self, bounds: Bounds) -> Start:
        return resume(self._cursor, self._streams.hub.veils.bounds(self.shape.selectors, bounds))

    def _join(self) -> bool:
        seat = Seat(self.sink, self.shape, self.wanted, self._position, self._lose)
        if self._streams.hub.join(seat):
            self._seat = seat
        return seat.taken

    def _lose(self, failure: Exception | None) -> None:
        """The hub has taken the seat away."""
        self._failure = failure
        self._left = True
        wake, self._wake = self._wake, None
        if wake is not None:
            wake()

    async def _live(self) -> None:
        """Wait until the hub takes the seat away."""
        while not self._left:
            lost = trio.Event()
            self._wake = lost.set
            with trio.move_on_at(self._beat):
                await lost.wait()
            if not self._left:
                self._pulse()
        self._see()

    def _see(self) -> None:
        """Take note that the seat is gone, and of why."""
        failure, self._failure = self._failure, None
        self._left = False
        self.leave()
        if not self.shape.deep:
            self._streams.hub.catchups += 1
        if failure is not None:
            raise failure

    async def _read(self) -> None:
        """Read the next records and offer them; waits where there are none, or no room."""
        turn = self._streams.projections.turn
        records = await self._next()
        if turn != self._streams.projections.turn:
            return  # the journal has changed what they say
        if not records:
            if self._streams.hub.can_join(self._position):
                return  # a hub came up during the read
            with trio.move_on_at(self._beat):
                await self._streams.hub.moved(self._position)
            self._pulse()
            return
        try:
            room = await self._dive(records, turn) if self.shape.deep else self._replay(records)
        finally:
            self.sink.outlet.flush()  # what comes before one that fails, too
        del records  # a reader that waits for its client holds no part of the journal
        if not room:
            await self.sink.drained()
        await trio.lowlevel.checkpoint()
        self._pulse()

    async def _dive(self, records: Sequence[Record], turn: int) -> bool:
        """Offer deep payloads of those it wants, in that turn; False where there is no room."""
        projections, epoch = self._streams.projections, self._streams.hub.epoch
        for record in records:
            if matches(self.shape.field, self.wanted, record):
                payload = await projections.deep(self.shape, record, epoch)
                if turn != projections.turn:
                    return True
                if not self._offer(record, payload):
                    return False
            self._position = record.offset
        return True

    def _replay(self, records: Sequence[Record]) -> bool:
        """Offer those that it wants; False where there is no room for one."""
        streams, first, last = self._streams, records[0].offset, records[-1].offset
        passage = streams.replays.of(self.shape, self.wanted, records, streams.hub.epoch)
        places = passage.between(first, last)
        taken = passage.offer(
            places, self._fresh_after, lambda at, what: self._offer(records[at - first], what)
        )
        if taken < places.stop:
            self._position = passage.offsets[taken] - 1
            return False
        self._position = min(last, passage.last)
        if passage.failure is not None:
            raise passage.failure
        return True

    def _offer(self, oldest: Record, what: bytes | Batch) -> bool:
        latency, sink = self._streams.hub.latency, self.sink
        try:
            latency.subject = oldest if oldest.offset > self._fresh_after else None
            return sink.offer_all(what) if isinstance(what, Batch) else sink.offer(what)
        finally:
            latency.subject = None

    async def _next(self) -> Sequence[Record]:
        hub = self._streams.hub
        few = CHUNK - self._position % CHUNK  # as those are put together
        records = hub.recent(self._position, few)
        if records or (records is not None and self._position >= hub.head):
            return records
        chunk = await self._streams.journal.shared.after(self._position, few)
        if chunk.records and chunk.records[0].offset > self._position + 1:
            bounds = hub.veils.bounds(self.shape.selectors, chunk.bounds)
            until = chunk.records[0].offset - 1
            hub.gaps += 1
            self.sink.lost(Gap(bounds.place(self._position), bounds.place(until)))
            self._position = until
        return chunk.records

    def _pulse(self) -> None:
        """Send a heartbeat if one is due and there is room for it."""
        now = trio.current_time()
        if self._heartbeat is None or now < self._beat:
            return
        self._beat, streams = now + self._heartbeat, self._streams
        self.sink.offer(streams.projector.heartbeat(self.shape, streams.clock(), str(self.cursor)))
        self.sink.outlet.flush()
