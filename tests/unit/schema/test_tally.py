"""Tallies: how much is too much, and how those who are given something take turns."""

import pytest
import trio

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.schema.tally import DELIVERY, REQUEST, Most, Tally


def test_a_delivery_may_take_less_than_a_request() -> None:
    assert DELIVERY.asks < REQUEST.asks
    assert DELIVERY.objects < REQUEST.objects


async def test_too_many_asks() -> None:
    tally = Tally(Most(asks=2, objects=0))
    tally.ask()
    tally.ask()
    assert tally.exceeded is None
    with pytest.raises(Refused) as caught:
        tally.ask()
    assert tally.exceeded is caught.value
    assert (caught.value.code, caught.value.field) == (ErrorCode.COMPLEXITY_LIMITED, "first")
    assert "more than 2 objects" in caught.value.message


async def test_too_many_objects() -> None:
    tally = Tally(Most(asks=0, objects=10))
    tally.give(6)
    tally.check(4)
    tally.check(4)
    tally.give(4)
    with pytest.raises(Refused, match="more than 10 objects"):
        tally.check(1)
    with pytest.raises(Refused, match="more than 10 objects"):
        tally.give(1)


async def test_what_is_bounded_is_left_when_it_is_too_much() -> None:
    tally = Tally(Most(asks=0, objects=0))

    async def ask() -> None:
        try:
            tally.ask()
        except Refused:
            return

    with tally.bounded():
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.sleep_forever)
            nursery.start_soon(ask)
    assert tally.exceeded is not None


async def test_a_cancellation_from_outside_is_no_excess() -> None:
    tally = Tally()
    with trio.CancelScope() as scope:
        scope.cancel()
        with tally.bounded():
            await trio.sleep_forever()
        raise AssertionError
    assert scope.cancelled_caught
    assert tally.exceeded is None


async def test_turns_are_one_in_a_tick() -> None:
    tally = Tally()
    together = 0
    most = 0

    async def go_on() -> None:
        nonlocal together, most
        await tally.turn()
        together += 1
        most = max(most, together)

    async def tick() -> None:
        nonlocal together
        for _ in range(30):
            await trio.lowlevel.checkpoint()
            together = 0

    async with trio.open_nursery() as nursery:
        nursery.start_soon(tick)
        for _ in range(20):
            nursery.start_soon(go_on)
    assert most <= 2  # the tick's own place among the tasks of a tick is not known


async def test_quiet_waits_for_those_who_still_ask() -> None:
    tally = Tally()
    asked = 0

    async def ask() -> None:
        nonlocal asked
        for _ in range(50):
            await trio.lowlevel.checkpoint()
            asked += 1
            tally.ask()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await tally.quiet()
        assert asked == 50


async def test_quiet_waits_for_the_turns_of_all() -> None:
    tally = Tally()
    went = 0

    async def go_on() -> None:
        nonlocal went
        await tally.turn()
        went += 1

    async with trio.open_nursery() as nursery:
        for _ in range(20):
            nursery.start_soon(go_on)
        await trio.lowlevel.checkpoint()
        await tally.quiet()
        assert went == 20
