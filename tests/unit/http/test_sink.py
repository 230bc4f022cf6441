"""The sink: the frame around a payload, and what is said once with the next one."""

import json

import trio

from incident_manager.actors.batch import Batch
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.ports import Gap
from incident_manager.http.counters import Counters
from incident_manager.http.frame_writer import AsgiWriter
from incident_manager.http.outbox import Outbox
from incident_manager.http.sink import SubscriptionSink

PAYLOAD = b'{"data":{"x":1},"extensions":{"cursor":"e:7"}}'


def make(nursery: trio.Nursery, *, tells: bool = True, limit: int = 10_000):
    sent: list[dict] = []

    async def send(message: dict[str, object]) -> None:
        sent.append(json.loads(str(message["text"])))

    return SubscriptionSink(
        Outbox(
            AsgiWriter(send, nursery.start_soon),
            send,
            nursery.start_soon,
            limit,
            Counters(),
            Deliveries(),
        ),
        'a"b',
        tells=tells,
    ), sent


async def test_a_payload_is_framed_for_its_id() -> None:
    async with trio.open_nursery() as nursery:
        sink, sent = make(nursery)
        assert sink.offer(PAYLOAD)
        sink.outlet.flush()
    assert sent == [{"id": 'a"b', "type": "next", "payload": json.loads(PAYLOAD)}]


async def test_a_batch_is_framed_for_its_id() -> None:
    async with trio.open_nursery() as nursery:
        sink, sent = make(nursery)
        assert sink.offer_all(Batch([PAYLOAD, PAYLOAD]))
        sink.outlet.flush()
    assert sent == [{"id": 'a"b', "type": "next", "payload": json.loads(PAYLOAD)}] * 2


async def test_a_batch_is_refused_where_it_is_shut_or_the_next_payload_says_more() -> None:
    async with trio.open_nursery() as nursery:
        sink, sent = make(nursery)
        sink.recovered()
        assert not sink.offer_all(Batch([PAYLOAD]))
        assert sink.offer(PAYLOAD)
        assert sink.offer_all(Batch([PAYLOAD]))
        sink.open = False
        assert not sink.offer_all(Batch([PAYLOAD]))
        sink.outlet.flush()
    assert len(sent) == 2


async def test_recovered_is_on_the_next_payload_only() -> None:
    async with trio.open_nursery() as nursery:
        sink, sent = make(nursery)
        sink.recovered()
        assert sink.offer(PAYLOAD)
        assert sink.offer(PAYLOAD)
        sink.outlet.flush()
    assert [m["payload"]["extensions"] for m in sent] == [
        {"cursor": "e:7", "recovered": True},
        {"cursor": "e:7"},
    ]


async def test_what_is_to_be_said_waits_for_a_payload_that_is_taken() -> None:
    async with trio.open_nursery() as nursery:
        sink, sent = make(nursery, limit=100)
        assert sink.offer(PAYLOAD)
        sink.recovered()
        assert not sink.offer(PAYLOAD)
        sink.outlet.flush()
        await sink.drained()
        assert sink.offer(PAYLOAD)
        sink.outlet.flush()
    assert sent[1]["payload"]["extensions"]["recovered"] is True


async def test_a_gap_is_said_at_once_by_a_ping_and_with_the_next_payload() -> None:
    gap = {"from": "old:3", "to": "e:6"}
    async with trio.open_nursery() as nursery:
        sink, sent = make(nursery)
        sink.lost(Gap(Cursor("old", 3), Cursor("e", 6)))
        assert sink.offer(PAYLOAD)
        sink.outlet.flush()
    assert sent[0] == {
        "type": "ping",
        "payload": {"subscription": 'a"b', "recovered": False, "gap": gap, "cursor": "e:6"},
    }
    assert sent[1]["payload"]["extensions"] == {"cursor": "e:7", "recovered": False, "gap": gap}


async def test_two_gaps_before_a_payload_are_one() -> None:
    async with trio.open_nursery() as nursery:
        sink, sent = make(nursery, tells=False)
        sink.lost(Gap(Cursor("old", 3), Cursor("e", 6)))
        sink.lost(Gap(Cursor("e", 6), Cursor("e", 9)))
        assert sink.offer(PAYLOAD)
        sink.lost(Gap(Cursor("e", 20), Cursor("e", 30)))
        assert sink.offer(PAYLOAD)
        sink.outlet.flush()
    gaps = [message["payload"]["extensions"]["gap"] for message in sent]
    assert gaps == [{"from": "old:3", "to": "e:9"}, {"from": "e:20", "to": "e:30"}]


async def test_a_client_without_the_subprotocol_gets_no_ping() -> None:
    async with trio.open_nursery() as nursery:
        sink, sent = make(nursery, tells=False)
        sink.lost(Gap(Cursor("old", 3), Cursor("e", 6)))
    assert sent == []


async def test_a_sink_that_is_shut_takes_nothing() -> None:
    async with trio.open_nursery() as nursery:
        sink, sent = make(nursery)
        sink.open = False
        assert not sink.offer(PAYLOAD)
        sink.outlet.flush()
    assert sent == []
