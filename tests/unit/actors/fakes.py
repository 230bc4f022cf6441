"""Fakes of the fan-out's two ports: payloads that can be read, and outboxes that can be full."""

import json
from collections import Counter

import trio
from attrs import field, frozen

from incident_manager.actors.batch import Batch
from incident_manager.actors.model import Micros, Record
from incident_manager.actors.ports import Gap
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


class FakeSink:
    """An outbox of at most ``room`` payloads; ``read`` is its client.

    ``log`` is all that the client has been told, in order: events, gaps, and "recovered".
    """

    def __init__(self, room: int = 1000, outlet: FakeOutlet | None = None) -> None:
        self.room = room
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

    def offer(self, payload: bytes) -> bool:
        if sum(isinstance(each, Event) for each in self.outbox) >= self.room:
            self.refused += 1
            return False
        whole = json.loads(payload)
        data = whole["data"]
        self.outbox.append(Event(data.get("offset"), whole["extensions"]["cursor"], data["shape"]))
        return True

    def offer_all(self, batch: Batch) -> bool:
        waiting = sum(isinstance(each, Event) for each in self.outbox)
        return waiting + len(batch) <= self.room and all(map(self.offer, batch.payloads))

    def recovered(self) -> None:
        self.outbox.append("recovered")

    def lost(self, gap: Gap) -> None:
        self.outbox.append(gap)

    async def drained(self) -> None:
        while sum(isinstance(each, Event) for each in self.outbox) >= self.room:
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
