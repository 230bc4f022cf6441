"""The living children of a dynamic supervisor."""

from __future__ import annotations

from functools import partial

import pytest
import trio
import trio.testing

from incident_manager.supervision import (
    Child,
    DuplicateChild,
    DynamicStatistics,
    NodeState,
    Tree,
)
from incident_manager.supervision.brood import Brood
from unit.supervision.scripts import Crash


def new_child(name: str, tree: Tree) -> Child:
    return Child(tree.attach(tree.root, name, "worker"))


def test_children_come_and_go() -> None:
    tree, brood = Tree(), Brood()
    one, two = new_child("one", tree), new_child("two", tree)
    with pytest.raises(KeyError, match="one"):
        brood["one"]
    with pytest.raises(KeyError, match="one"):
        brood.remove(one)
    brood.add(one)
    brood.add(two)
    assert (len(brood), brood["one"]) == (2, one)
    brood.remove(one)
    with pytest.raises(KeyError, match="one"):
        brood["one"]
    brood.remove(two)
    assert len(brood) == 0


async def test_an_empty_one_stops_at_once_and_again() -> None:
    brood = Brood()
    await brood.stop(5.0)
    await brood.stop(0.0)


async def test_a_stop_asks_first_and_waits_for_the_last(
    autojump_clock: trio.testing.MockClock,
) -> None:
    tree, brood = Tree(), Brood()
    quick, slow = new_child("quick", tree), new_child("slow", tree)
    brood.add(quick)
    brood.add(slow)

    async def leave_when_asked() -> None:
        await quick.stopping.wait()
        brood.remove(quick)

    async def leave_when_cancelled() -> None:
        with slow.scope:
            await trio.Event().wait()
        brood.remove(slow)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(leave_when_asked)
        nursery.start_soon(leave_when_cancelled)
        await trio.testing.wait_all_tasks_blocked()
        await brood.stop(3.0)
    assert trio.current_time() == 3.0
    assert (quick.scope.cancel_called, slow.scope.cancelled_caught) == (False, True)
    assert slow.node.state is NodeState.STOPPING


def begun() -> tuple[Tree, Brood]:
    tree, brood = Tree(), Brood()
    brood.begin(tree.root)
    return tree, brood


async def test_who_is_admitted_is_shown_and_counted() -> None:
    tree, brood = begun()
    one = brood.admit("one", "worker", lambda: {"at": 1}, None)
    assert tree.find("root.one") is one.node
    assert (one.node.state, one.node.kind) == (NodeState.RUNNING, "worker")
    with pytest.raises(DuplicateChild):
        brood.admit("one", "worker", None, None)
    brood.leave(one)
    assert tree.find("root.one") is None
    assert one.node.state is NodeState.STOPPED
    assert brood.statistics() == DynamicStatistics(alive=0, started=1, failed=0)
    brood.begin(tree.root)
    assert brood.figures() == {"alive": 0, "started": 0, "failed": 0}


async def test_a_body_that_fails_is_recorded_and_gone() -> None:
    tree, brood = begun()

    async def fails(child: Child, **_: object) -> None:
        raise Crash("body")

    await brood.run(brood.admit("one", "worker", None, None), fails)
    assert brood.statistics() == DynamicStatistics(alive=0, started=1, failed=1)
    assert tree.root.last_failure is not None
    assert tree.root.last_failure.child == "root.one"


async def test_a_body_that_asks_for_it_rests_unless_it_was_asked_to_stop() -> None:
    _, brood = begun()
    left: list[str] = []

    async def rests(child: Child, **_: object) -> None:
        child.rest(lambda: left.append(child.node.name))

    one, two = (brood.admit(name, "worker", None, None) for name in ("one", "two"))
    two.ask()
    await brood.run(one, rests)
    await brood.run(two, rests)
    assert (one.resting, left, len(brood)) == (True, ["two"], 1)
    await brood.stop(5.0)
    assert (one.resting, left, len(brood)) == (False, ["two", "one"], 0)


async def test_who_is_dismissed_is_asked_and_has_its_time() -> None:
    _, brood = begun()
    asked: list[str] = []
    children = {
        name: brood.admit(name, "worker", None, partial(asked.append, name))
        for name in ("later", "now")
    }
    sleeper = brood.admit("sleeper", "worker", None, None)
    sleeper.rest(lambda: asked.append("sleeper"))
    at = trio.current_time()
    brood.dismiss("later", 60)
    brood.dismiss("now", 0)
    brood.dismiss("sleeper", 60)
    assert asked == ["later", "now", "sleeper"]
    assert at + 60 <= children["later"].scope.deadline <= trio.current_time() + 60
    assert [child.scope.cancel_called for child in children.values()] == [False, True]
    assert len(brood) == 2
    with pytest.raises(KeyError):
        brood.dismiss("sleeper", 60)
