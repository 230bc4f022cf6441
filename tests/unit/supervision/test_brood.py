"""The living children of a dynamic supervisor."""

from __future__ import annotations

import pytest
import trio
import trio.testing

from incident_manager.supervision import Child, NodeState, Tree
from incident_manager.supervision.brood import Brood


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
