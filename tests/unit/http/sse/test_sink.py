"""The sink of an event stream: the event around a payload, and what is said once."""

import json

import pytest
import trio
import trio.testing

from incident_manager.actors.batch import Batch
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.ports import Gap
from incident_manager.http.counters import Counters
from incident_manager.http.outbox import Outbox
from incident_manager.http.sse.sink import EventSink
from incident_manager.http.sse.writer import EventWriter
from system.event_source import EventParser

EPOCH = "0" * 32
PAYLOAD = b'{"data":{"x":1},"extensions":{"cursor":"e:7"}}'


class Line:
    """What a client has got."""

    def __init__(self, nursery: trio.Nursery, limit: int) -> None:
        writer = EventWriter(self.send, nursery.start_soon)
        self.parser = EventParser()
        self.payloads: list[dict[str, object]] = []
        self.ids: list[str] = []
        self.outbox = Outbox(writer, self.send, nursery.start_soon, limit, Counters(), Deliveries())
        self.sink = EventSink(self.outbox)

    async def send(self, message: dict[str, object]) -> None:
        body = message["body"]
        assert isinstance(body, bytes)
        for event in self.parser.feed(body):
            self.payloads.append(event.json)
            self.ids.append(event.id)

    async def arrived(self) -> list[object]:
        """The extensions of all payloads."""
        self.outbox.flush()
        await trio.testing.wait_all_tasks_blocked()
        return [payload["extensions"] for payload in self.payloads]


@pytest.fixture
async def line(nursery: trio.Nursery) -> Line:
    return Line(nursery, 200)


async def test_a_payload_comes_whole_and_with_its_cursor(line: Line) -> None:
    assert line.sink.offer(PAYLOAD)
    await line.arrived()
    assert (line.payloads, line.ids) == ([json.loads(PAYLOAD)], ["e:7"])


async def test_a_batch_comes_whole_and_to_many(nursery: trio.Nursery) -> None:
    batch = Batch([PAYLOAD, PAYLOAD.replace(b"e:7", b"e:8")])
    for line in (Line(nursery, 200), Line(nursery, 200)):
        assert line.sink.offer_all(batch)
        assert not line.sink.offer_all(batch)  # there is no room for as much again
        assert await line.arrived() == [{"cursor": "e:7"}, {"cursor": "e:8"}]
        assert line.ids == ["e:7", "e:8"]


async def test_a_batch_is_refused_where_it_is_shut_or_the_next_payload_says_more(
    line: Line,
) -> None:
    line.sink.recovered()
    assert not line.sink.offer_all(Batch([PAYLOAD]))
    line.sink.open = False
    assert line.sink.owes
    assert not line.sink.offer_all(Batch([PAYLOAD]))


async def test_recovered_is_said_with_the_next_that_is_taken(line: Line) -> None:
    line.sink.recovered()
    assert line.sink.owes
    line.outbox.write(b":" + b"x" * 300 + b"\n")
    assert not line.sink.offer(PAYLOAD)
    assert line.sink.owes
    await line.arrived()
    await line.sink.drained()
    assert line.sink.offer(PAYLOAD)
    assert line.sink.offer(PAYLOAD)
    assert await line.arrived() == [{"cursor": "e:7", "recovered": True}, {"cursor": "e:7"}]
    assert not line.sink.owes


async def test_a_gap_is_said_at_once_and_two_are_one(line: Line) -> None:
    for until in (5, 9):
        line.sink.lost(Gap(Cursor(EPOCH, until - 3), Cursor(EPOCH, until)))
        await line.arrived()
        whole = {"from": f"{EPOCH}:2", "to": f"{EPOCH}:{until}"}
        told = json.loads(line.parser.comments[-1])
        assert told == {"recovered": False, "gap": whole, "cursor": f"{EPOCH}:{until}"}
    assert line.sink.offer(PAYLOAD)
    assert await line.arrived() == [{"cursor": "e:7", "recovered": False, "gap": whole}]


async def test_nothing_follows_its_end(line: Line) -> None:
    line.sink.open = False
    assert not line.sink.offer(PAYLOAD)
    assert await line.arrived() == []
