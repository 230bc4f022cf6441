"""Laws: dynamic children live alone, and none outlives its supervisor."""

from __future__ import annotations

import math
from collections.abc import Sequence

import trio
import trio.testing
from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.supervision import (
    DynamicSupervisor,
    Tree,
    open_dynamic,
)
from unit.supervision.scenarios import (
    HALF,
    lives,
    run,
)
from unit.supervision.scripts import Actor, Crash, Life, Log, pass_time

# --- the same for dynamic supervisors ---


@frozen
class Guest:
    """One generated dynamic child: in a task of its own, or adopted by ours."""

    life: Life
    adopted: bool


@given(
    st.lists(st.builds(Guest, lives, st.booleans()), max_size=6),
    st.sampled_from(["leave", "raise", "cancel"]),
    st.integers(0, 6).map(lambda whole: whole + HALF),
    st.sampled_from([0.0, 1.0, 3.0]),
)
def test_dynamic_children_live_alone_and_none_outlives_the_supervisor(
    guests: Sequence[Guest], how: str, seconds: float, shutdown: float
) -> None:
    log = Log()
    scope = trio.CancelScope()
    failures: list[str] = []
    tree = Tree(on_failure=lambda node, error: failures.append(node.name))
    raised: list[str] = []
    waited_out = False

    async def adopted(dynamic: DynamicSupervisor, name: str, life: Life) -> None:
        try:
            async with dynamic.adopt(name, "guest") as child:
                await Actor(name, log, (life,))(child)
        except Crash as error:
            raised.append(str(error))

    async def main() -> None:
        nonlocal waited_out
        async with trio.open_nursery() as nursery:
            try:
                with scope:
                    if how == "cancel":
                        scope.deadline = seconds
                    async with open_dynamic("root", tree=tree, shutdown=shutdown) as dynamic:
                        for number, guest in enumerate(guests):
                            if guest.adopted:
                                nursery.start_soon(adopted, dynamic, f"c{number}", guest.life)
                            else:
                                body = Actor(f"c{number}", log, (guest.life,))
                                dynamic.start_child(f"c{number}", "guest", body)
                        await pass_time(seconds if how != "cancel" else math.inf)
                        waited_out = True
                        if how == "raise":
                            raise LookupError
            except LookupError:
                assert how == "raise"
            assert log.live == set()
            assert tree.root.children == {}
            assert dynamic.statistics().failed == len(failures)

    run(main)
    assert scope.cancelled_caught == (how == "cancel")
    assert waited_out == (how != "cancel")
    told: set[str] = set()
    for what, who, when in log.events:
        if what in ("asked", "cancelled"):
            assert when >= seconds, "told to stop although only another one failed"
            told.add(who)
    crashed = set(log.names("died")) | {
        who
        for number, guest in enumerate(guests)
        if (who := f"c{number}") in told and guest.life.stop == "fail" and who in log.names("asked")
    }
    assert sorted(failures) == sorted(crashed)
    assert sorted(raised) == sorted(who for who in crashed if guests[int(who[1:])].adopted)
