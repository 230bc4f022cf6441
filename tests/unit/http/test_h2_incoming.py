"""What comes on streams: taken at the pace of each application, and no other waits for it."""

import math

import h2.events
import pytest
import trio
import trio.testing

from incident_manager.http.h2_incoming import Incoming
from unit.http.pair_h2 import Pair

WINDOW = 65535


def post(pair: Pair, incoming: Incoming, stream_id: int, data: bytes, **options: int) -> None:
    """The client sends DATA, and the connection takes it."""
    seen = len(pair.at_server)
    pair.client.send_data(stream_id, data, **options)  # type: ignore[arg-type]
    pair.carry()
    for event in pair.events(h2.events.DataReceived, pair.at_server[seen:]):
        incoming.take(event)
    pair.carry()


def incoming_of(pair: Pair, *stream_ids: int) -> Incoming:
    incoming = Incoming(pair.state, pair.flush)
    pair.request(*stream_ids)
    incoming.open.update(stream_ids)
    return incoming


async def test_without_an_inbox_it_is_thrown_away_and_both_windows_open() -> None:
    pair = Pair()
    incoming = incoming_of(pair, 1)
    for _ in range(20):
        post(pair, incoming, 1, bytes(16000))
    assert pair.opened(1) > 20 * 16000 - WINDOW // 2
    assert pair.opened(0) > 20 * 16000 - WINDOW // 2


async def test_an_inbox_holds_its_own_window_and_not_the_connections() -> None:
    pair = Pair()
    incoming = incoming_of(pair, 1)
    inbox = incoming.begin(1)
    for _ in range(4):
        post(pair, incoming, 1, bytes(16000))
    assert len(inbox) == 64000
    assert pair.opened(1) == 0
    assert pair.opened(0) >= 3 * 16384


async def test_what_an_application_has_taken_opens_its_window(nursery: trio.Nursery) -> None:
    pair = Pair()
    incoming = incoming_of(pair, 1)
    inbox = incoming.begin(1)
    got: list[bytes] = []
    ended: list[bool] = []

    async def give(data: bytes) -> None:
        got.append(data)

    async def feed() -> None:
        ended.append(await incoming.feed(1, inbox, give, math.inf))

    for letter in b"abcd":
        post(pair, incoming, 1, bytes([letter]) * 16000)
    nursery.start_soon(feed)
    await trio.testing.wait_all_tasks_blocked()
    assert b"".join(got) == b"".join(bytes([letter]) * 16000 for letter in b"abcd")
    assert max(map(len, got)) == 16384
    assert pair.opened(1) >= 3 * 16384
    post(pair, incoming, 1, b"the end")
    incoming.end(1)
    await trio.testing.wait_all_tasks_blocked()
    assert got[-1] == b"the end"
    assert ended == [True]
    assert incoming.open == set()


async def test_nothing_comes_for_too_long(autojump_clock: trio.testing.MockClock) -> None:
    pair = Pair()
    incoming = incoming_of(pair, 1)

    async def give(data: bytes) -> None:
        raise AssertionError(data)

    with pytest.raises(trio.TooSlowError):
        await incoming.feed(1, incoming.begin(1), give, 10.0)
    assert trio.current_time() == 10.0


async def test_closed_it_opens_the_windows_for_what_nobody_took() -> None:
    pair = Pair()
    incoming = incoming_of(pair, 1, 3)
    inbox, ended = incoming.begin(1), []

    async def give(data: bytes) -> None:
        raise AssertionError(data)

    for _ in range(3):
        post(pair, incoming, 1, bytes(20000)[:16000])
    incoming.close(1)
    incoming.close(1)
    incoming.close(99)
    pair.carry()
    assert pair.opened(1) == 48000
    ended.append(await incoming.feed(1, inbox, give, math.inf))
    assert ended == [False]
    post(pair, incoming, 1, b"late")
    post(pair, incoming, 3, b"of another")


async def test_padding_opens_the_windows_at_once() -> None:
    pair = Pair()
    incoming = incoming_of(pair, 1)
    inbox = incoming.begin(1)
    for _ in range(2 * WINDOW // 255):
        post(pair, incoming, 1, b"", pad_length=254)
    assert len(inbox) == 0
    assert pair.opened(1) > WINDOW
    assert pair.opened(0) > WINDOW


async def test_data_that_is_of_use_is_paid_back() -> None:
    pair = Pair()
    incoming = incoming_of(pair, 1)
    pair.state.pay(1000.0, 0.0)
    level = pair.state.budget.level
    post(pair, incoming, 1, b"12345")
    assert pair.state.budget.level == level
    post(pair, incoming, 1, b"123456")
    assert pair.state.budget.level > level
    again = pair.state.budget.level
    post(pair, incoming, 1, b"", end_stream=True)
    assert pair.state.budget.level > again
