"""The fan-out: every event becomes bytes once for each shape and goes to all who want it.

A subscription that is *live* has a :class:`Seat` here, its fast lane into its connection's
outbox. Taking the seat away is always safe, because the journal has what follows: the
subscription reads on from :attr:`Seat.position`.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from itertools import chain, islice

import trio

from incident_manager.actors.batch import Batch
from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.group import Group
from incident_manager.actors.journal.base import Journal, JournalUnavailable
from incident_manager.actors.model import Record
from incident_manager.actors.portion import Bucket, Portion, portions
from incident_manager.actors.ports import Outlet, Shape
from incident_manager.actors.projections import Projections
from incident_manager.actors.ring import Ring
from incident_manager.actors.seat import Seat
from incident_manager.actors.streams import FilterIndex, StreamField
from incident_manager.supervision import Child

__all__ = ["Hub", "Seat"]

_READ = 256  # records in one read of the journal
_OFFERS = 8192  # payloads offered before they are sent on and others have a turn: a few ms
_FORETOLD = 32  # payloads that are made before their event is written: a few ms
_RETRY = 0.25  # seconds before a read that the journal could not serve is tried again
_RING = 4096  # records kept in memory


class Hub:
    """The handle of the hub: it outlives the actor.

    ``head`` is the newest offset that is known to be written; ``position`` the newest whose
    fan-out is done; ``latency`` how long events take to their subscribers. Outlets send on inside
    a block of ``together``, so that who carries it may do so in one go.
    """

    def __init__(
        self,
        journal: Journal,
        projections: Projections,
        *,
        ring: int = _RING,
        latency: Deliveries | None = None,
        together: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._journal = journal
        self._projections = projections
        self.veils = projections.veils
        self._ring = Ring(ring)
        self._lanes = {stream: FilterIndex[Bucket](stream) for stream in StreamField}
        self._news = trio.Event()
        self._moved = trio.Event()
        self._touched: dict[Outlet, None] = {}
        self.latency = Deliveries() if latency is None else latency
        self._together = together
        self.epoch = ""
        self.head = 0
        self.position = 0
        self.running = False
        self.seats = 0
        self.events = 0
        self.deliveries = 0
        self.catchups = 0
        self.recovered = 0
        self.unrecovered = 0
        self.gaps = 0

    def announce(self, head: int, records: Sequence[Record]) -> None:
        """The head moved; ``records`` are the newest events if the caller has them at hand."""
        self._ring.extend(records)
        if head > self.head:
            self.head = head
        self._news.set()

    def foretell(self, records: Sequence[Record]) -> None:
        """These may be written next: what would be sent of the first of them is made now."""
        if self.running:
            parts = portions(records, self._lanes, _FORETOLD)
            wanted = chain.from_iterable(portion.projections() for portion in parts)
            self._projections.foretell(islice(wanted, _FORETOLD), self.epoch)

    def forget(self) -> None:
        """Keep nothing of the events so far: the journal has changed some of them."""
        self._ring.clear()
        self._projections.forget()

    def recent(self, offset: int, limit: int) -> list[Record] | None:
        """Records after an offset from memory, or None where only the journal has them."""
        return self._ring.after(offset, limit)

    async def run(
        self, child: Child, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """The actor. When it ends, however it ends, every seat is given back."""
        child.observe(self._statistics)
        bounds = await self._journal.bounds()
        self.veils.secret = await self._journal.secret()
        self.epoch = bounds.epoch
        self.head = max(self.head, bounds.head)
        self.position = bounds.head
        self.running = True
        task_status.started()
        try:
            self._tell_moved()
            while True:
                await self._news.wait()
                self._news = trio.Event()
                while self.position < self.head:
                    try:
                        await self._publish()
                    except JournalUnavailable:
                        await trio.sleep(_RETRY)
        finally:
            self.running = False
            try:
                with self._sending():
                    self._flush()
            finally:
                self._clear()

    def _statistics(self) -> dict[str, object]:
        waiting = self._ring.after(self.position, 1)
        oldest = max(0, self.latency.clock() - waiting[0].time) / 1_000_000 if waiting else 0.0
        return {
            "mailbox_depth": self.head - self.position,
            "mailbox_capacity": self._ring.capacity,
            "oldest_message_seconds": oldest,
            "messages_handled": self.events,
            "deliveries": self.deliveries,
            "seats": self.seats,
            "filters": sum(len(lane) for lane in self._lanes.values()),
            "lag": self.head - self.position,
            "projections": self._projections.made,
        }

    async def _publish(self) -> None:
        """Fan the next records out; a jump is read from the journal."""
        turn = self._projections.turn
        records: Sequence[Record] | None = self._ring.after(self.position, _READ)
        if not records:
            chunk = await self._journal.read_after(self.position, _READ)
            records = chunk.records
            if not records or records[0].offset != self.position + 1:
                # Retention was faster than the fan-out: the readers say the gap themselves.
                self._clear()
                self.position = max(self.position, chunk.examined)
                self._tell_moved()
                return
        for portion in portions(records, self._lanes, _OFFERS):
            if self._projections.turn != turn:  # the journal has changed what they say
                break
            with self._sending():
                self._fan_out(portion)
                self.position = portion.records[-1].offset
                self.events += len(portion.records)
                self._flush()
            await trio.lowlevel.checkpoint()
        self._tell_moved()

    def _fan_out(self, portion: Portion) -> None:
        for bucket, records in portion.wanted:
            for shape, group in tuple(bucket.items()):
                if shape.deep:  # its relations must be read: that never holds up the others
                    for seat in tuple(group):
                        self._unseat(seat, None)
                    continue
                self.latency.subject = records[0]
                try:
                    self._project(shape, records, group)
                finally:
                    self.latency.subject = None

    def _project(self, shape: Shape, records: Sequence[Record], group: Group) -> None:
        """Offer the seats of a shape all the records; one that fails ends the seats it is due to,
        and not those that are past it.
        """
        seats: Iterable[Seat] = group
        payloads: list[bytes] = []
        offsets: list[int] = []
        for record in records:
            try:
                payload = self._projections.flat(shape, record, self.epoch)
            except Exception as failure:  # noqa: BLE001 -- ends these, not the others
                self._offer(seats, offsets, payloads)
                for seat in tuple(seats):
                    if seat.taken and seat.position < record.offset:
                        self._unseat(seat, failure)
                seats = [seat for seat in seats if seat.taken]
                payloads, offsets = [], []
            else:
                payloads.append(payload)
                offsets.append(record.offset)
        self._offer(seats, offsets, payloads)

    def _offer(
        self, seats: Iterable[Seat], offsets: Sequence[int], payloads: Sequence[bytes]
    ) -> None:
        if not offsets:
            return
        batch = Batch(payloads)
        first, last, count = offsets[0], offsets[-1], len(offsets)
        if isinstance(seats, Group):
            self.deliveries += count * seats.offer(batch, first, last)
            seats = seats.afoot
        touched = self._touched
        full: list[Seat] = []
        for seat in seats:
            sink = seat.sink
            if seat.position < first and sink.offer_all(batch):
                seat.position = last
                touched[sink.outlet] = None
                self.deliveries += count
            elif not self._offer_each(seat, offsets, payloads):
                full.append(seat)
        for seat in full:
            self._unseat(seat, None)

    def _offer_each(self, seat: Seat, offsets: Sequence[int], payloads: Sequence[bytes]) -> bool:
        """Offer what it has not had, one by one; False where it cannot take the next."""
        for offset, payload in zip(offsets, payloads, strict=True):
            if seat.position >= offset:
                continue
            if not seat.sink.offer(payload):
                return False
            seat.position = offset
            self._touched[seat.sink.outlet] = None
            self.deliveries += 1
        return True

    @contextmanager
    def _sending(self) -> Iterator[None]:
        with self.latency.together(), self._together():
            yield

    def _flush(self) -> None:
        while self._touched:
            outlet, _ = self._touched.popitem()  # first: one that raises is not tried again
            outlet.flush()

    def _tell_moved(self) -> None:
        self._moved.set()
        self._moved = trio.Event()

    async def moved(self, position: int) -> None:
        """Wait until there is something after ``position``, or a hub to join."""
        if self.head <= position or not self.running:
            await self._moved.wait()

    def can_join(self, position: int) -> bool:
        """Whether one who has come so far can go live now."""
        return self.running and position >= self.position

    def join(self, seat: Seat) -> bool:
        """Go live, in one step: True if the seat is taken, False if the caller must read on.

        A seat of a deep shape gets nothing: it is taken away when there is something to read.
        """
        if not self.can_join(seat.position):
            return False
        lane = self._lanes[seat.shape.field]
        bucket = lane.get(seat.filter)
        if bucket is None:
            bucket = lane.add(seat.filter, {})
        group = bucket.get(seat.shape)
        if group is None:
            bucket[seat.shape] = group = Group()
        group.add(seat)
        seat.taken = True
        self.seats += not seat.shape.deep
        return True

    def depart(self, seat: Seat) -> int:
        """Give a seat back (if it is still taken) and get the position to read on from."""
        if not seat.taken:
            return seat.position
        seat.taken = False
        lane = self._lanes[seat.shape.field]
        bucket = lane[seat.filter]
        group = bucket[seat.shape]
        group.remove(seat)
        seat.position = max(seat.position, self.position)
        self.seats -= not seat.shape.deep
        if not group:
            del bucket[seat.shape]
        if not bucket:
            lane.remove(seat.filter)
        return seat.position

    def _unseat(self, seat: Seat, cause: Exception | None) -> None:
        # What is being fanned out now was not taken: its position stays before it.
        self.depart(seat)
        seat.leave(cause)

    def _clear(self) -> None:
        seats = [
            seat
            for lane in self._lanes.values()
            for bucket in lane.values()
            for group in bucket.values()
            for seat in group
        ]
        for seat in seats:
            self._unseat(seat, None)
