"""Fakes of the fan-out's two ports: payloads that can be read, and outboxes that can be full."""

import json
from collections import Counter

import trio
from attrs import field, frozen

from incident_manager.actors.batch import Batch
from incident_manager.actors.model import Micros, Record
from incident_manager.actors.ports import Gap, Listed, Ranks
from incident_manager.actors.selectors import Selectors
from incident_manager.actors.streams import StreamField


@frozen
class FakeShape:
    field: StreamField = StreamField.INCIDENT_UPDATES
    name: str = "plain"
    deep: bool = False
    selectors: Selectors = ()

    @property
    def key(self) -> "FakeShape":
        return self


class Unprojectable(Exception):
    pass


class FakeProjector:
    """Counts what it makes; fails for the shapes and offsets in ``broken``."""

    def __init__(self) -> None:
        self.made: Counter[tuple[FakeShape, int]] = Counter()
        self.broken: set[tuple[str, int]] = set()
        self.gate: trio.Event | None = None

    def project(self, shape: FakeShape, record: Record, cursor: str) -> bytes:
        assert not shape.deep
        return self._make(shape, record, cursor)

    async def project_deep(self, shape: FakeShape, record: Record, cursor: str) -> bytes:
        assert shape.deep
        await trio.lowlevel.checkpoint()
        if self.gate is not None:
            await self.gate.wait()
        return self._make(shape, record, cursor)

    def _make(self, shape: FakeShape, record: Record, cursor: str) -> bytes:
        self.made[shape, record.offset] += 1
        if (shape.name, record.offset) in self.broken:
            raise Unprojectable(shape.name, record.offset)
        return _payload({"shape": shape.name, "offset": record.offset}, cursor)

    def heartbeat(self, shape: FakeShape, now: Micros, cursor: str) -> bytes:
        return _payload({"shape": shape.name, "beat": now}, cursor)


def _payload(data: dict[str, object], cursor: str) -> bytes:
    return json.dumps({"data": data, "extensions": {"cursor": cursor}}).encode()


class FakeOutlet:
    """One connection: what was offered leaves only after a flush."""

    def __init__(self) -> None:
        self.flushes = 0
        self.sinks: list[FakeSink] = []
        self.broken = False

    def flush(self) -> None:
        if self.broken:
            raise BrokenPipeError
        self.flushes += 1
        for sink in self.sinks:
            sink.flushed = len(sink.outbox)


@frozen
class Event:
    """What a client has read: an event's offset, or a heartbeat (None), with its cursor."""

    offset: int | None
    cursor: str
    shape: str = field(default="plain", eq=False)


class FakeRank:
    """Takes batches of at most ``most`` payloads. Who has no room after one has had it, and falls
    out.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.members: dict[FakeSink, Listed] = {}
        self.offers = 0
        self.position = -1

    def offer_all(self, batch: Batch, position: int) -> int:
        if len(batch) > self.most:
            return 0
        self.position = position
        self.offers += 1
        members = tuple(self.members)
        for sink in members:
            assert sink.flushed == len(sink.outbox), "something waits"
            for payload in batch.payloads:
                sink.put(payload)
            sink.flushed = len(sink.outbox)
            if sink.waiting >= sink.room:
                sink.fall_out()
        return len(members)

    def disband(self) -> None:
        for sink in tuple(self.members):
            sink.fall_out()


class FakeSink:
    """An outbox of at most ``room`` payloads; ``read`` is its client.

    ``log`` is all that the client has been told, in order: events, gaps, and "recovered". One that
    is ``drilled`` stands in a rank that takes so many payloads at a time, while nothing waits.
    """

    def __init__(
        self, room: int = 1000, outlet: FakeOutlet | None = None, drilled: int = 0
    ) -> None:
        self.room = room
        self.most = drilled
        self.rank: FakeRank | None = None
        self.outlet = FakeOutlet() if outlet is None else outlet
        self.outlet.sinks.append(self)
        self.outbox: list[Event | Gap | str] = []
        self.flushed = 0
        self.log: list[Event | Gap | str] = []
        self.refused = 0
        self._room = trio.Event()

    def close(self) -> None:
        """What was on its way is lost, and nothing is taken any more."""
        self.room = 0
        self.outbox.clear()
        self.fall_out()

    @property
    def drilled(self) -> bool:
        return self.most > 0

    def fall_in(self, ranks: Ranks, batch: Batch, listed: Listed) -> bool:
        assert self.rank is None
        assert batch.payloads
        if self.flushed < len(self.outbox) or self.waiting >= self.room or self.owes:
            return False
        rank = ranks.setdefault(self.most, FakeRank(self.most))
        assert isinstance(rank, FakeRank)
        rank.members[self] = listed
        self.rank = rank
        return True

    def fall_out(self) -> None:
        if self.rank is not None:
            rank, self.rank = self.rank, None
            rank.members.pop(self).fallen_out(rank.position)

    @property
    def owes(self) -> bool:
        return bool(self.outbox) and not isinstance(self.outbox[-1], Event)

    @property
    def waiting(self) -> int:
        return sum(isinstance(each, Event) for each in self.outbox)

    def offer(self, payload: bytes) -> bool:
        if self.waiting >= self.room:
            self.refused += 1
            return False
        self.put(payload)
        return True

    def put(self, payload: bytes) -> None:
        whole = json.loads(payload)
        data = whole["data"]
        self.outbox.append(Event(data.get("offset"), whole["extensions"]["cursor"], data["shape"]))

    def offer_all(self, batch: Batch) -> bool:
        assert self.rank is None
        return self.waiting + len(batch) <= self.room and all(map(self.offer, batch.payloads))

    def recovered(self) -> None:
        self.outbox.append("recovered")

    def lost(self, gap: Gap) -> None:
        self.outbox.append(gap)

    async def drained(self) -> None:
        while self.waiting >= self.room:
            self._room = trio.Event()
            await self._room.wait()

    def read(self, limit: int = 1_000_000) -> None:
        """The client reads at most so many of what was flushed."""
        number = min(limit, self.flushed)
        self.log += self.outbox[:number]
        del self.outbox[:number]
        self.flushed -= number
        self._room.set()

    @property
    def offsets(self) -> list[int]:
        """The offsets of the events that the client has read."""
        return [e.offset for e in self.log if isinstance(e, Event) and e.offset is not None]
