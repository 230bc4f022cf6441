"""What leaves on streams: in turns, as far as the windows let it, and not for ever."""

from itertools import groupby

import h2.events
import trio
import trio.testing
from h2.settings import SettingCodes
from hypercorn.trio.worker_context import EventWrapper

from incident_manager.http.h2_buffer import BoundedBuffer
from incident_manager.http.h2_outgoing import Outgoing
from unit.http.pair_h2 import Pair

PATIENCE = 30.0


class Side:
    """What a server sends on the streams of a pair."""

    def __init__(self, pair: Pair, *stream_ids: int) -> None:
        self.pair = pair
        self.sent: list[int] = []
        self.buffers = {each: BoundedBuffer(EventWrapper) for each in stream_ids}
        self.outgoing = Outgoing(pair.state, self.buffers, PATIENCE, pair.flush, self._sent)
        pair.request(*stream_ids)
        pair.answer(*stream_ids)

    async def _sent(self, stream_id: int) -> None:
        self.sent.append(stream_id)
        self.outgoing.forget(stream_id)

    def say(self, stream_id: int, data: bytes, *, end: bool = False) -> None:
        self.buffers[stream_id].put(data)
        if end:
            self.buffers[stream_id].set_complete()
        self.outgoing.schedule(stream_id)

    async def turns(self) -> None:
        """All that can be done now."""
        with trio.move_on_after(0):
            while True:
                await self.outgoing.turn()

    def came(self) -> list[h2.events.DataReceived]:
        return self.pair.events(h2.events.DataReceived)


async def test_each_stream_has_its_turn() -> None:
    side = Side(Pair(), 1, 3)
    side.say(1, b"a" * 30_000)
    side.say(3, b"b" * 30_000)
    await side.turns()
    assert [key for key, _ in groupby(event.stream_id for event in side.came())] == [1, 3, 1, 3]
    assert b"".join(event.data for event in side.came() if event.stream_id == 1) == b"a" * 30_000


async def test_after_its_last_byte_a_stream_is_over() -> None:
    side = Side(Pair(), 1, 3)
    side.say(1, b"the end", end=True)
    side.say(3, b"", end=True)
    await side.turns()
    assert side.sent == [1, 3]
    assert [e.stream_id for e in side.pair.events(h2.events.StreamEnded)] == [1, 3]
    assert side.buffers == {}


async def test_a_window_that_stays_closed_is_overdue(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pair = Pair(window=10)
    side = Side(pair, 1, 3)
    side.say(1, bytes(20))
    side.say(3, bytes(5))
    await side.turns()
    assert await side.outgoing.overdue() == ([1], [])
    assert trio.current_time() == PATIENCE


async def test_a_window_that_is_opened_has_all_of_it_go(
    autojump_clock: trio.testing.MockClock,
) -> None:
    pair = Pair(window=10)
    side = Side(pair, 1, 3)
    side.say(1, bytes(20))
    await side.turns()
    assert sum(len(event.data) for event in side.came()) == 10
    pair.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: 1000})
    pair.carry()
    side.outgoing.widened(0)
    side.outgoing.widened(3)  # of which nothing waits
    await side.turns()
    assert sum(len(event.data) for event in side.came()) == 20
    with trio.move_on_after(10 * PATIENCE) as waited:
        await side.outgoing.overdue()
    assert waited.cancelled_caught


async def test_who_has_the_answer_may_linger_until_it_has_ended(
    autojump_clock: trio.testing.MockClock,
) -> None:
    side = Side(Pair(), 1, 3)
    side.outgoing.linger(1)
    side.outgoing.linger(3)
    side.outgoing.received(1)
    assert await side.outgoing.overdue() == ([], [3])
    assert trio.current_time() == 5.0


async def test_a_stream_that_was_reset_meanwhile_is_over() -> None:
    pair = Pair()
    side = Side(pair, 1)
    buffer = side.buffers[1]
    side.say(1, b"nobody wants it")
    pair.client.reset_stream(1)
    pair.carry()
    await side.turns()
    assert side.sent == [1]
    assert buffer.ended
    assert side.came() == []


async def test_the_end_of_all_wakes_who_waits_for_a_turn(nursery: trio.Nursery) -> None:
    side, turned = Side(Pair(), 1), []

    async def turn() -> None:
        await side.outgoing.turn()
        turned.append(True)

    nursery.start_soon(turn)
    await trio.testing.wait_all_tasks_blocked()
    assert turned == []
    side.outgoing.drop()
    await trio.testing.wait_all_tasks_blocked()
    assert turned == [True]
    assert side.buffers[1].ended


async def test_frames_that_the_client_must_answer_are_paid_for_beforehand() -> None:
    pair = Pair(window=100)
    side = Side(pair, 1, 3)
    pair.state.pay(1000.0, 0.0)
    level = pair.state.budget.level
    side.say(1, bytes(200))
    await side.turns()
    assert pair.state.budget.level == level  # its window cut it short: it earns nothing
    side.say(3, bytes(50))
    await side.turns()
    assert pair.state.budget.level > level
