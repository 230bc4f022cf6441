"""The garbage collector of a server."""

import gc
import weakref
from collections.abc import Iterator

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.garbage import THRESHOLDS, Sweeper, is_worth_it, next_pause
from incident_manager.supervision import open_supervisor


@pytest.fixture(autouse=True)
def as_before() -> Iterator[None]:
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    gc.enable()


class Ring:
    def __init__(self) -> None:
        self.itself = self


class House:
    """A sweeper, and how many connections it is told of."""

    def __init__(self) -> None:
        self.ended = 0
        self.live = 0
        self.sweeper = Sweeper(lambda: self.ended, lambda: self.live)


def test_what_is_there_is_left_alone_and_what_comes_is_still_collected() -> None:
    House().sweeper.begin()
    assert gc.get_freeze_count() > 10_000
    assert gc.get_threshold() == THRESHOLDS
    later = weakref.ref(Ring())
    gc.collect()
    assert later() is None


def test_what_was_garbage_before_is_not_kept() -> None:
    before = weakref.ref(Ring())
    House().sweeper.begin()
    assert before() is None


async def turn(clock: trio.testing.MockClock, seconds: float) -> None:
    """Turn the clock on, and let everybody do what is due then."""
    clock.jump(seconds)
    await trio.testing.wait_all_tasks_blocked()


async def test_it_sweeps_once_it_has_begun(mock_clock: trio.testing.MockClock) -> None:
    house = House()
    async with open_supervisor("root", house.sweeper.children()):
        await turn(mock_clock, 10)
        assert house.sweeper.sweeps == 0
        house.sweeper.begin()
        gc.disable()
        young = weakref.ref(Ring())
        await trio.testing.wait_all_tasks_blocked()
        await turn(mock_clock, 1)
        assert house.sweeper.sweeps == 1
        assert young() is None


async def test_what_is_old_goes_when_enough_connections_have_ended(
    mock_clock: trio.testing.MockClock,
) -> None:
    house = House()
    house.ended, house.live = 700, 3000
    async with open_supervisor("root", house.sweeper.children()):
        house.sweeper.begin()
        ring = Ring()
        old = weakref.ref(ring)
        await trio.testing.wait_all_tasks_blocked()
        await turn(mock_clock, 1)  # it is with the old by then
        del ring
        house.ended = 1449
        await turn(mock_clock, 1)
        assert old() is not None
        house.ended = 1450
        await turn(mock_clock, 1)
        assert old() is None
        assert house.sweeper.statistics()["whole"] == 1


def test_when_a_look_at_everything_is_worth_it() -> None:
    assert not is_worth_it(0, 0)
    assert not is_worth_it(249, 0)
    assert is_worth_it(250, 100)
    assert not is_worth_it(2499, 10_000)
    assert is_worth_it(2500, 10_000)


@given(st.floats(0.01, 0.25), st.floats(0, 1))
def test_a_long_sweep_is_followed_sooner(pause: float, took: float) -> None:
    following = next_pause(pause, took)
    assert 0.01 <= following <= 0.25
    if took > 0.001:
        assert following <= max(0.01, pause / 2)
    elif took < 0.00025:
        assert following >= min(0.25, pause)
    else:
        assert following == pause
