import pytest
import trio
from attrs import evolve
from trio.testing import MockClock, wait_all_tasks_blocked

from incident_manager.actors.projections import SHARED, Projections
from unit.actors.builders import make_history
from unit.actors.fakes import FakeProjector, FakeShape, Unprojectable

FLAT, OTHER = FakeShape(), FakeShape(name="other")
DEEP = FakeShape(name="deep", deep=True)
ONE, TWO, THREE = make_history(3)


def test_one_projection_for_each_event_and_shape() -> None:
    projector = FakeProjector()
    projections = Projections(projector)
    first = projections.flat(FLAT, ONE, "e")
    assert projections.flat(FakeShape(), ONE, "e") is first
    assert b'"cursor": "e:1"' in first
    projections.flat(OTHER, ONE, "e")
    projections.flat(FLAT, TWO, "e")
    assert projector.made == {(FLAT, 1): 1, (OTHER, 1): 1, (FLAT, 2): 1}
    assert projections.made == 3


def test_what_was_foretold_is_not_made_again() -> None:
    projector = FakeProjector()
    projections = Projections(projector)
    projections.foretell([(FLAT, ONE), (OTHER, ONE), (FLAT, TWO), (FakeShape(), ONE)], "e")
    assert projections.made == 3
    for _ in range(2):
        assert b'"cursor": "e:1"' in projections.flat(FLAT, ONE, "e")
        projections.flat(OTHER, ONE, "e")
        projections.flat(FLAT, TWO, "e")
    assert set(projector.made.values()) == {1}
    assert projections.made == 3


def test_what_was_foretold_of_an_event_that_was_not_written_is_of_no_use() -> None:
    """Another has its offset then."""
    projector = FakeProjector()
    projections = Projections(projector)
    projections.foretell([(FLAT, ONE)], "e")
    projections.flat(FLAT, evolve(ONE), "e")
    assert projector.made == {(FLAT, 1): 2}


def test_what_was_foretold_goes_when_others_are_and_when_all_is_forgotten() -> None:
    projector = FakeProjector()
    projections = Projections(projector)
    projections.foretell([(FLAT, ONE)], "e")
    projections.foretell([(FLAT, TWO)], "e")
    projections.flat(FLAT, ONE, "e")
    assert projector.made == {(FLAT, 1): 2, (FLAT, 2): 1}
    projections.forget()
    projections.flat(FLAT, TWO, "e")
    assert projector.made == {(FLAT, 1): 2, (FLAT, 2): 2}


def test_what_cannot_be_foretold_fails_where_it_is_asked_for() -> None:
    projector = FakeProjector()
    projector.broken.add((FLAT.name, 1))
    projections = Projections(projector)
    projections.foretell([(FLAT, ONE), (FLAT, TWO)], "e")
    with pytest.raises(Unprojectable):
        projections.flat(FLAT, ONE, "e")
    projections.flat(FLAT, TWO, "e")
    assert projector.made == {(FLAT, 1): 2, (FLAT, 2): 1}


def test_only_so_many_are_kept_the_newest_longest() -> None:
    projector = FakeProjector()
    projections = Projections(projector, capacity=2)
    for record in (ONE, TWO, THREE, TWO, THREE, ONE):
        projections.flat(FLAT, record, "e")
    assert projector.made == {(FLAT, 1): 2, (FLAT, 2): 1, (FLAT, 3): 1}


def test_only_so_many_bytes_are_kept() -> None:
    projector = FakeProjector()
    size = len(Projections(FakeProjector()).flat(FLAT, ONE, "e"))
    projections = Projections(projector, bytes_=2 * size)
    for record in (ONE, TWO, ONE, TWO, THREE, THREE, TWO, ONE):
        projections.flat(FLAT, record, "e")
    assert projector.made == {(FLAT, 1): 2, (FLAT, 2): 1, (FLAT, 3): 1}


def test_one_that_is_too_large_is_made_each_time_and_pushes_out_the_others_once() -> None:
    projector = FakeProjector()
    projections = Projections(projector, bytes_=10)
    assert projections.flat(FLAT, ONE, "e") == projections.flat(FLAT, ONE, "e")
    assert projections.made == 2


def test_what_fails_is_not_kept() -> None:
    projector = FakeProjector()
    projector.broken.add(("plain", 1))
    projections = Projections(projector)
    with pytest.raises(Unprojectable):
        projections.flat(FLAT, ONE, "e")
    projector.broken.clear()
    assert projections.flat(FLAT, ONE, "e")


async def test_all_who_ask_for_a_deep_one_wait_for_the_one_that_is_made() -> None:
    projector = FakeProjector()
    projector.gate = trio.Event()
    projections = Projections(projector)
    found: list[bytes] = []

    async def ask() -> None:
        found.append(await projections.deep(DEEP, ONE, "e"))

    async with trio.open_nursery() as nursery:
        for _ in range(5):
            nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        assert not found
        projector.gate.set()
    assert len(found) == 5
    assert len(set(found)) == 1
    assert projector.made == {(DEEP, 1): 1}
    assert projections.made == 1


async def test_a_deep_one_is_made_again_for_a_later_delivery(mock_clock: MockClock) -> None:
    """Its relations are as of delivery: what was true at an earlier one is not kept."""
    projector = FakeProjector()
    projections = Projections(projector)
    for record in (ONE, ONE, TWO):
        await projections.deep(DEEP, record, "e")
    assert projector.made == {(DEEP, 1): 1, (DEEP, 2): 1}
    mock_clock.jump(SHARED + 0.01)
    await projections.deep(DEEP, ONE, "e")
    assert projector.made == {(DEEP, 1): 2, (DEEP, 2): 1}


async def test_only_so_many_deep_ones_are_shared(mock_clock: MockClock) -> None:
    projector = FakeProjector()
    projections = Projections(projector)
    for offset in range(1, 400):
        await projections.deep(DEEP, evolve(ONE, offset=offset), "e")
    assert len(projections._fresh) <= 257


async def test_who_waits_makes_it_if_the_first_is_cancelled() -> None:
    projector = FakeProjector()
    projector.gate = trio.Event()
    projections = Projections(projector)
    found: list[bytes] = []

    async def ask(scope: trio.CancelScope) -> None:
        with scope:
            found.append(await projections.deep(DEEP, ONE, "e"))

    async with trio.open_nursery() as nursery:
        first = trio.CancelScope()
        nursery.start_soon(ask, first)
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, trio.CancelScope())
        nursery.start_soon(ask, trio.CancelScope())
        await wait_all_tasks_blocked()
        first.cancel()
        await wait_all_tasks_blocked()
        projector.gate.set()
    assert len(found) == 2
    assert projector.made == {(DEEP, 1): 1}


async def test_a_deep_failure_is_each_ones_own() -> None:
    projector = FakeProjector()
    projector.broken.add(("deep", 1))
    projections = Projections(projector)
    failed: list[str] = []

    async def ask(name: str) -> None:
        try:
            await projections.deep(DEEP, ONE, "e")
        except Unprojectable:
            failed.append(name)

    async with trio.open_nursery() as nursery:
        for name in "abc":
            nursery.start_soon(ask, name)
    assert sorted(failed) == ["a", "b", "c"]
    projector.broken.clear()
    assert await projections.deep(DEEP, ONE, "e")


async def test_what_is_forgotten_is_made_anew_and_kept_again() -> None:
    projector = FakeProjector()
    projections = Projections(projector)
    for turn in (0, 1):
        assert projections.turn == turn
        for _ in range(2):
            for record in (ONE, TWO):
                projections.flat(FLAT, record, "e")
                await projections.deep(DEEP, record, "e")
        projections.forget()
    assert projector.made == {(FLAT, 1): 2, (DEEP, 1): 2, (FLAT, 2): 2, (DEEP, 2): 2}


async def test_what_was_being_made_of_what_was_at_hand_before_is_not_kept() -> None:
    """Nor what is made of it later: by one who waited for another who was cancelled."""
    projector = FakeProjector()
    projector.gate = trio.Event()
    projections = Projections(projector)
    first = trio.CancelScope()

    async def ask(scope: trio.CancelScope) -> None:
        with scope:
            await projections.deep(DEEP, ONE, "e")

    async with trio.open_nursery() as nursery:
        for scope in (first, trio.CancelScope()):
            nursery.start_soon(ask, scope)
            await wait_all_tasks_blocked()
        projections.forget()
        first.cancel()
        await wait_all_tasks_blocked()
        nursery.start_soon(ask, trio.CancelScope())
        await wait_all_tasks_blocked()
        projector.gate.set()
    assert projector.made == {(DEEP, 1): 2}
    await projections.deep(DEEP, ONE, "e")
    assert projector.made == {(DEEP, 1): 2}


async def test_who_asks_after_a_change_does_not_get_what_was_being_made_before(
    nursery: trio.Nursery,
) -> None:
    projector = FakeProjector()
    projector.gate = trio.Event()
    projections = Projections(projector)
    for _ in range(2):
        for _ in range(2):
            nursery.start_soon(projections.deep, DEEP, ONE, "e")
        await wait_all_tasks_blocked()
        projections.forget()
    projector.gate.set()
    await wait_all_tasks_blocked()
    assert projector.made == {(DEEP, 1): 2}
    assert nursery.child_tasks == frozenset()
