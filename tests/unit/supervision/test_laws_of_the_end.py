"""Laws: nothing runs after the supervisor ended, and Cancelled is never lost."""

from __future__ import annotations

import math

import trio
import trio.testing
from hypothesis import event, given
from hypothesis import strategies as st

from incident_manager.supervision import (
    ChildSpec,
    Intensity,
    StartFailed,
    Supervisor,
    SupervisorGaveUp,
    open_supervisor,
)
from unit.supervision.scenarios import (
    HALF,
    Scenario,
    TracingTree,
    play,
    run,
    scenarios,
    specs,
)
from unit.supervision.scripts import Actor, Life, Log, pass_time

# --- nothing runs after the supervisor ended ---


@given(scenarios(), st.sampled_from(["leave", "raise", "cancel"]))
def test_nothing_runs_after_the_supervisor_ended(scenario: Scenario, how: str) -> None:
    outcome = play(scenario, how)
    assert outcome.log.live == set()
    assert outcome.left_tasks == 0
    assert outcome.late_events == 0
    assert outcome.picture is not None
    states = {child.state for child in outcome.picture.children} | {outcome.picture.state}
    assert states <= {"stopped", "failed"}
    assert outcome.picture.child_count == len(scenario.parts)


@given(scenarios(), st.integers(0, 3), st.integers(0, 6))
def test_an_interrupt_travels_on_and_nothing_starts_after_it(
    scenario: Scenario, at: int, when: int
) -> None:
    log = Log()
    children = specs(scenario, log)
    life = Life(then="interrupt", after=when + HALF)
    children.insert(min(at, len(children)), ChildSpec("c9", Actor("c9", log, (life,))))
    raised: BaseException | None = None

    async def main() -> None:
        async with open_supervisor(
            "root",
            children,
            strategy=scenario.strategy,
            intensity=scenario.intensity,
            tree=TracingTree(log),
        ):
            await pass_time(60.0)

    try:
        run(main)
    except BaseException as error:
        raised = error
    assert log.live == set()
    died = [i for i, (what, who, _) in enumerate(log.events) if (what, who) == ("died", "c9")]
    event(f"interrupted: {bool(died)}")
    if died:
        group = BaseExceptionGroup("", [raised]) if raised is not None else None
        assert group is not None
        assert group.split(KeyboardInterrupt)[0] is not None
        starts = [who for what, who, _ in log.events[died[0] :] if what == "launch"]
        assert starts == []


# --- Cancelled is never lost ---


@given(scenarios(), st.booleans())
def test_cancelled_is_never_lost(scenario: Scenario, on_the_second: bool) -> None:
    """Also where it meets failures at the very same moment."""
    if on_the_second:
        scenario = Scenario(
            scenario.strategy, scenario.intensity, scenario.parts, scenario.seconds - HALF
        )
    outcome = play(scenario, "cancel")
    assert not outcome.waited_out
    assert outcome.scope.cancelled_caught or isinstance(
        outcome.raised, (StartFailed, SupervisorGaveUp)
    )
    # and it is prompt: nobody is asked any more, so only those who shield themselves take time
    if outcome.scope.cancelled_caught:
        linger = sum(max(life.linger for life in part.lives) for part in scenario.parts)
        assert outcome.ended_at <= scenario.seconds + linger
        asked = [when for what, _, when in outcome.log.events if what == "asked"]
        assert all(when <= scenario.seconds for when in asked)


@given(scenarios(), st.integers(0, 8))
def test_cancelled_reaches_every_child_of_a_nested_supervisor(
    scenario: Scenario, seconds: int
) -> None:
    log = Log()
    inner = Supervisor(
        "inner", specs(scenario, log), strategy=scenario.strategy, intensity=Intensity(1000, 1e6)
    )
    scope = trio.CancelScope(deadline=seconds + HALF)
    raised: BaseException | None = None

    async def main() -> None:
        nonlocal raised
        try:
            with scope:
                spec = ChildSpec("inner", inner.run, shutdown=math.inf, kind="supervisor")
                async with open_supervisor("root", [spec], intensity=Intensity(1000, 1e6)):
                    await trio.Event().wait()
        except StartFailed as error:
            raised = error

    run(main)
    assert scope.cancelled_caught or raised is not None
    assert log.live == set()
