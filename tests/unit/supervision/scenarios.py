"""Generated lives of children under one supervisor, played on a mock clock.

What a supervisor may do is judged from the children's own log, and the moment the tree says that
one is started: by replaying it, with a plain count of failures, a plain set of who is alive, and no
line of the code under test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import trio
import trio.testing
from attrs import Factory, define, frozen
from hypothesis import event
from hypothesis import strategies as st

from incident_manager.supervision import (
    Backoff,
    ChildSpec,
    Intensity,
    Node,
    NodeSnapshot,
    Restart,
    Strategy,
    Tree,
    open_supervisor,
)
from unit.supervision.scripts import Actor, Life, Log, pass_time

# Children act on whole seconds; blocks end between them, so that no tie decides an outcome.
HALF = 0.5

lives = st.builds(
    Life,
    ready=st.sampled_from([0.0, 0.0, 1.0, 2.0]),
    then=st.sampled_from(["stay", "stay", "fail", "end"]),
    after=st.sampled_from([0.0, 1.0, 2.0, 4.0]),
    stop=st.sampled_from(["obey", "obey", "ignore", "shield", "fail"]),
    linger=st.sampled_from([0.0, 1.0, 3.0]),
    fail_before_ready=st.sampled_from([False] * 7 + [True]),
)


@frozen
class Part:
    """One generated child."""

    restart: Restart
    shutdown: float
    backoff: Backoff
    lives: Sequence[Life]


parts = st.builds(
    Part,
    restart=st.sampled_from(list(Restart)),
    shutdown=st.sampled_from([0.0, 1.0, 3.0]),
    backoff=st.sampled_from([Backoff(), Backoff(), Backoff(1.0, 2.0, 4.0)]),
    # The last life stays: else a start could go on for ever, slower than any intensity counts.
    lives=st.lists(lives, max_size=4).map(lambda some: (*some, Life())),
)


@frozen
class Scenario:
    """A supervisor, its children, and when its block ends."""

    strategy: Strategy
    intensity: Intensity
    parts: Sequence[Part]
    seconds: float


def scenarios(strategies: Sequence[Strategy] = tuple(Strategy)) -> st.SearchStrategy[Scenario]:
    return st.builds(
        Scenario,
        strategy=st.sampled_from(strategies),
        intensity=st.builds(Intensity, st.integers(0, 4), st.sampled_from([1.0, 3.0, 8.0])),
        parts=st.lists(parts, min_size=1, max_size=4).map(tuple),
        seconds=st.integers(0, 12).map(lambda whole: whole + HALF),
    )


class TracingTree(Tree):
    """Logs the moment a start is decided: the child's own first step comes a little later."""

    def __init__(self, log: Log) -> None:
        super().__init__()
        self.log = log
        self.known: set[tuple[str, int]] = set()

    def changed(self, node: Node) -> None:
        super().changed(node)
        run = (node.name, node.restarts)
        if node.state == "starting" and node.started_at is not None and run not in self.known:
            self.known.add(run)
            self.log.add("launch", node.name)


@define
class Outcome:
    """How a scenario ended, as seen from outside."""

    log: Log = Factory(Log)
    raised: BaseException | None = None
    scope: trio.CancelScope = Factory(trio.CancelScope)
    ended_at: float = math.nan
    waited_out: bool = False
    in_block: int | None = None  # so many events came before the block ended of itself
    picture: NodeSnapshot | None = None
    late_events: int = 0
    left_tasks: int = 0


def names(scenario: Scenario) -> list[str]:
    return [f"c{index}" for index in range(len(scenario.parts))]


def specs(scenario: Scenario, log: Log) -> list[ChildSpec]:
    return [
        ChildSpec(
            name, Actor(name, log, part.lives), part.restart, part.shutdown, "worker", part.backoff
        )
        for name, part in zip(names(scenario), scenario.parts, strict=True)
    ]


def play(scenario: Scenario, how: str) -> Outcome:
    """Run it; the block ends after ``seconds`` by ``how``: leave, raise, cancel."""
    outcome = Outcome()
    tree = TracingTree(outcome.log)

    async def main() -> None:
        tasks = trio.lowlevel.current_statistics().tasks_living
        try:
            with outcome.scope as scope:
                if how == "cancel":
                    scope.deadline = scenario.seconds
                async with open_supervisor(
                    "root",
                    specs(scenario, outcome.log),
                    strategy=scenario.strategy,
                    intensity=scenario.intensity,
                    tree=tree,
                ):
                    if how == "cancel":
                        await trio.Event().wait()
                    await pass_time(max(scenario.seconds - trio.current_time(), HALF))
                    outcome.waited_out = True
                    outcome.in_block = len(outcome.log.events)
                    if how == "raise":
                        raise LookupError
        except (Exception, BaseExceptionGroup) as error:
            outcome.raised = error
        outcome.ended_at = trio.current_time()
        outcome.picture = tree.snapshot().root
        outcome.left_tasks = trio.lowlevel.current_statistics().tasks_living - tasks
        before = len(outcome.log.events)
        await pass_time(1000.0)
        outcome.late_events = len(outcome.log.events) - before

    run(main)
    event(f"{how}: {type(outcome.raised).__name__}")
    return outcome


def run(main: Callable[[], object]) -> None:
    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))  # type: ignore[arg-type]
