"""Laws: intensity and escalation."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.supervision import (
    Backoff,
    ChildSpec,
    Intensity,
    Restart,
    StartFailed,
    Strategy,
    Supervisor,
    SupervisorGaveUp,
    open_supervisor,
)
from unit.supervision.scenarios import (
    Outcome,
    Part,
    Scenario,
    names,
    play,
    run,
    scenarios,
)
from unit.supervision.scripts import Actor, Crash, Life, Log, pass_time

# --- intensity ---


def verdict(scenario: Scenario, outcome: Outcome) -> tuple[type[Exception] | None, int]:
    """Return what a one_for_one supervisor must have raised, and at which event it was decided."""
    log = outcome.log
    rules = dict(zip(names(scenario), (part.restart for part in scenario.parts), strict=True))
    restarts, period = scenario.intensity.restarts, scenario.intensity.period
    ever_ready: set[str] = set()
    ready: set[str] = set()
    counted: list[float] = []
    for index, (what, who, when) in enumerate(log.events[: outcome.in_block]):
        if what == "start":
            ready.discard(who)
        elif what == "ready":
            ready.add(who)
            ever_ready.add(who)
        elif what in ("died", "ended"):
            if what == "died" and who not in ready and who not in ever_ready:
                return StartFailed, index
            rule = rules[who]
            if rule is Restart.PERMANENT or (rule is Restart.TRANSIENT and what == "died"):
                counted.append(when)
                if sum(1 for time in counted if when - time <= period) > restarts:
                    return SupervisorGaveUp, index
    return None, len(log.events)


@given(scenarios([Strategy.ONE_FOR_ONE]))
def test_intensity_gives_up_exactly_when_a_plain_count_says_so(scenario: Scenario) -> None:
    outcome = play(scenario, "leave")
    expected, decided = verdict(scenario, outcome)
    assert (None if outcome.raised is None else type(outcome.raised)) is expected
    if outcome.raised is not None:
        assert isinstance(outcome.raised.__cause__, Exception)
        after = outcome.log.events[decided + 1 :]
        assert [who for what, who, _ in after if what == "launch"] == []


@given(
    st.lists(st.integers(0, 4), min_size=1, max_size=12),
    st.integers(0, 4),
    st.sampled_from([1.0, 3.0, 8.0]),
)
def test_intensity_of_one_child_counts_starts(
    gaps: Sequence[int], restarts: int, period: float
) -> None:
    """As many starts as the failures before the fatal one, plus one."""
    life = (*(Life(then="fail", after=float(gap)) for gap in gaps), Life())
    part = Part(Restart.PERMANENT, 0.0, Backoff(), life)
    scenario = Scenario(Strategy.ONE_FOR_ALL, Intensity(restarts, period), [part], 100.0)
    outcome = play(scenario, "leave")
    failures, now = [], 0.0
    for gap in gaps:
        now += gap
        failures.append(now)
    fatal = next(
        (
            index
            for index, when in enumerate(failures)
            if sum(1 for time in failures[: index + 1] if when - time <= period) > restarts
        ),
        None,
    )
    if fatal == 0 and not outcome.log.names("ready"):
        raise AssertionError("a child that is ready at once was not")
    assert isinstance(outcome.raised, SupervisorGaveUp) == (fatal is not None)
    assert outcome.log.runs["c0"] == (len(gaps) + 1 if fatal is None else fatal + 1)


# --- escalation ---


@given(st.lists(st.integers(0, 3), min_size=1, max_size=4), st.sampled_from(list(Strategy)))
def test_escalation_multiplies_the_restarts_of_every_level(
    restarts: Sequence[int], strategy: Strategy
) -> None:
    """A child that always fails is run product(r + 1) times before the top gives up."""
    log = Log()
    spec = ChildSpec("leaf", Actor("leaf", log, (Life(then="fail", after=0.25),)))
    for level, bears in enumerate(restarts[:-1]):
        inner = Supervisor(
            f"level{level}", [spec], strategy=strategy, intensity=Intensity(bears, 1e6)
        )
        spec = ChildSpec(inner.id, inner.run, shutdown=math.inf, kind="supervisor")

    async def main() -> None:
        with pytest.raises(SupervisorGaveUp) as caught:
            async with open_supervisor(
                "root", [spec], strategy=strategy, intensity=Intensity(restarts[-1], 1e6)
            ):
                await trio.Event().wait()
        error: BaseException | None = caught.value
        for _ in restarts:
            assert isinstance(error, SupervisorGaveUp)
            error = error.__cause__
        assert isinstance(error, Crash)

    run(main)
    assert log.runs["leaf"] == math.prod(bears + 1 for bears in restarts)
    assert log.live == set()


@given(st.sampled_from(list(Restart)), st.integers(0, 3), st.integers(0, 3))
def test_escalation_obeys_the_parent_s_own_rule(restart: Restart, inner: int, outer: int) -> None:
    log = Log()
    flapping = ChildSpec("leaf", Actor("leaf", log, (Life(then="fail", after=0.25),)))
    middle = Supervisor("middle", [flapping], intensity=Intensity(inner, 1e6))
    children = [
        ChildSpec("middle", middle.run, restart, math.inf, "supervisor"),
        ChildSpec("other", Actor("other", log)),
    ]
    gave_up = False

    async def main() -> None:
        nonlocal gave_up
        try:
            async with open_supervisor("root", children, intensity=Intensity(outer, 1e6)):
                await pass_time(100.0)
                assert log.live == {"other"}
        except SupervisorGaveUp:
            gave_up = True

    run(main)
    assert gave_up == (restart is not Restart.TEMPORARY)
    assert log.runs["leaf"] == (inner + 1) * (1 if restart is Restart.TEMPORARY else outer + 1)
    assert log.runs["other"] == 1
