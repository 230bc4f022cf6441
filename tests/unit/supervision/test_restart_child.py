"""An operator restarts one child."""

from __future__ import annotations

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.supervision import (
    Backoff,
    Child,
    ChildSpec,
    Intensity,
    Restart,
    StartFailed,
    Strategy,
    Supervisor,
    SupervisorStopped,
    open_supervisor,
)
from unit.supervision.scenarios import HALF, Scenario, run, scenarios, specs
from unit.supervision.scripts import FAIL_AT_1, STAY, Life, Log, pass_time, spec

MANY = Intensity(10**6, 1.0)


async def test_restart_child_waits_for_readiness_and_counts_for_nothing(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [spec(log, "a"), spec(log, "b", STAY, Life(ready=2.0)), spec(log, "c")]
    async with open_supervisor(
        "sup", specs, strategy=Strategy.ONE_FOR_ALL, intensity=Intensity(0, 1.0)
    ) as supervisor:
        await supervisor.restart_child("b")
        assert trio.current_time() == 2.0
        assert log.runs == {"a": 1, "b": 2, "c": 1}
        assert supervisor.node is not None
        assert supervisor.node.children["b"].restarts == 1
        with pytest.raises(KeyError, match="nobody"):
            await supervisor.restart_child("nobody")


async def test_restart_child_cuts_a_backoff_short_and_starts_one_that_had_ended(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [
        spec(log, "a", Life(then="fail", after=0.5), STAY, backoff=Backoff(50.0, 1.0, 50.0)),
        spec(log, "b", Life(then="end"), STAY, restart=Restart.TEMPORARY),
    ]
    async with open_supervisor("sup", specs) as supervisor:
        await pass_time(1.0)
        await supervisor.restart_child("a")
        await supervisor.restart_child("b")
        assert trio.current_time() == 1.0
    assert log.runs == {"a": 2, "b": 2}


async def test_two_operators_share_one_restart(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    async with (
        open_supervisor("sup", [spec(log, "a", Life(stop="ignore"), STAY)]) as supervisor,
        trio.open_nursery() as nursery,
    ):
        nursery.start_soon(supervisor.restart_child, "a")
        nursery.start_soon(supervisor.restart_child, "a")
    assert log.runs == {"a": 2}


async def test_restart_child_tells_of_a_failed_start_and_the_rule_goes_on(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    lives = (STAY, Life(fail_before_ready=True), STAY)
    async with open_supervisor("sup", [spec(log, "a", *lives)]) as supervisor:
        with pytest.raises(StartFailed):
            await supervisor.restart_child("a")
        await pass_time(1.0)
        assert log.names("ready") == ["a", "a"]
        assert supervisor.node is not None
        assert supervisor.node.restart_budget == 2


async def test_restart_child_of_a_one_shot_step_returns_when_it_is_done(log: Log) -> None:
    async def step(child: Child, **_: object) -> None:
        log.add("done", "step")

    child = ChildSpec("step", step, Restart.TRANSIENT)
    async with open_supervisor("sup", [child]) as supervisor:
        await supervisor.restart_child("step")
        assert log.names("done") == ["step", "step"]


async def test_restart_child_survives_a_group_restart_of_a_temporary_child(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    specs = [
        spec(log, "a", FAIL_AT_1, STAY),
        spec(log, "b", Life(stop="ignore"), STAY, restart=Restart.TEMPORARY, shutdown=3.0),
    ]
    async with open_supervisor("sup", specs, strategy=Strategy.ONE_FOR_ALL) as supervisor:
        await supervisor.restart_child("b")
    assert log.runs == {"a": 2, "b": 2}


async def test_restart_child_is_refused_when_nothing_runs_and_ends_when_it_stops(
    log: Log, autojump_clock: trio.testing.MockClock
) -> None:
    refused: list[str] = []

    async def operator(supervisor: Supervisor) -> None:
        try:
            await supervisor.restart_child("a")
        except SupervisorStopped as error:
            refused.append(str(error))

    async with trio.open_nursery() as nursery:
        lives = (STAY, Life(ready=100.0))
        async with open_supervisor("sup", [spec(log, "a", *lives)]) as supervisor:
            nursery.start_soon(operator, supervisor)
            await pass_time(1.0)
            assert refused == []
    assert len(refused) == 1
    with pytest.raises(SupervisorStopped):
        await supervisor.restart_child("a")


@given(
    scenarios(),
    st.lists(
        st.tuples(st.integers(0, 10).map(lambda whole: whole + HALF), st.integers(0, 3)), max_size=6
    ),
)
def test_every_request_is_answered(scenario: Scenario, requests: list[tuple[float, int]]) -> None:
    """Whatever the children do meanwhile; scenarios that bear any number of failures."""
    log = Log()
    answers: list[str] = []

    async def operator(supervisor: Supervisor, when: float, child_id: str) -> None:
        await pass_time(when - min(when, trio.current_time()))
        try:
            await supervisor.restart_child(child_id)
            answers.append("ready")
        except (StartFailed, SupervisorStopped) as error:
            answers.append(type(error).__name__)

    async def main() -> None:
        children = specs(scenario, log)
        supervisor = Supervisor("root", children, strategy=scenario.strategy, intensity=MANY)
        with trio.move_on_after(10_000.0) as too_long:
            async with trio.open_nursery() as nursery:
                try:
                    await nursery.start(supervisor.run)
                except StartFailed:
                    answers.extend("no start" for _ in requests)
                    return
                async with trio.open_nursery() as operators:
                    for when, number in requests:
                        child_id = children[number % len(children)].id
                        operators.start_soon(operator, supervisor, when, child_id)
                    await pass_time(6.0)
                    supervisor.begin_stop()
        assert not too_long.cancelled_caught

    run(main)
    assert len(answers) == len(requests)
    assert log.live == set()
