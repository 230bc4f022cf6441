"""The laws of supervision, over generated lives of children on a mock clock.

What a supervisor may do is judged from the children's own log, and the moment the tree says that
one is started: by replaying it, with a plain count of failures, a plain set of who is alive, and no
line of the code under test.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence

import pytest
import trio
import trio.testing
from attrs import Factory, define, frozen
from hypothesis import event, given
from hypothesis import strategies as st

from incident_manager.supervision import (
    Backoff,
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Node,
    NodeSnapshot,
    Restart,
    StartFailed,
    Strategy,
    Supervisor,
    SupervisorGaveUp,
    Tree,
    open_dynamic,
    open_supervisor,
)
from unit.supervision.scripts import Actor, Crash, Life, Log, pass_time

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


# --- order ---


@frozen
class Moment:
    """The children at one event of the log, just before it."""

    what: str
    who: int
    live: dict[int, str]  # starting, ready, told (to stop)
    past: dict[int, str]  # how the last run ended: died, ended, told
    ever_ready: set[int]


def replay(log: Log) -> Iterator[Moment]:
    live: dict[int, str] = {}
    past: dict[int, str] = {}
    ever_ready: set[int] = set()
    last: dict[int, str] = {}
    for what, name, _ in log.events:
        if what == "start" or name == "root":
            continue
        who = int(name[1:])
        yield Moment(what, who, dict(live), dict(past), set(ever_ready))
        if what == "launch":
            live[who] = "starting"
            last[who] = ""
        elif what == "ready":
            live[who] = "ready" if live[who] == "starting" else live[who]
            ever_ready.add(who)
        elif what in ("asked", "cancelled"):
            live[who] = last[who] = "told"
        elif what in ("died", "ended"):
            last[who] = what
        else:
            del live[who]
            past[who] = last[who]


@given(scenarios(), st.sampled_from(["leave", "raise", "cancel"]))
def test_order_of_stops(scenario: Scenario, how: str) -> None:
    """Whoever is told to stop, everybody that starts after it has left already."""
    for moment in replay(play(scenario, how).log):
        told_first = moment.what in ("asked", "cancelled") and moment.live[moment.who] != "told"
        if told_first:
            assert [other for other in moment.live if other > moment.who] == []


@given(scenarios(), st.sampled_from(["leave", "raise", "cancel"]))
def test_order_of_starts(scenario: Scenario, how: str) -> None:
    """Whoever starts for the first time, everybody before it is ready, or done for good.

    With one_for_all and rest_for_one that holds for every start, and nobody is being stopped.
    """
    rules = [part.restart for part in scenario.parts]
    for moment in replay(play(scenario, how).log):
        if moment.what != "launch":
            continue
        ordered = scenario.strategy is not Strategy.ONE_FOR_ONE
        if ordered:
            assert "told" not in moment.live.values()
        if ordered or moment.who not in moment.ever_ready:
            for before in range(moment.who):
                if before in moment.live:
                    assert moment.live[before] == "ready"
                else:
                    how_it_ended = moment.past[before]
                    gone_for_good = rules[before] is Restart.TEMPORARY or (
                        rules[before] is Restart.TRANSIENT and how_it_ended == "ended"
                    )
                    assert gone_for_good


@given(scenarios([Strategy.ONE_FOR_ALL, Strategy.REST_FOR_ONE]))
def test_order_of_group_restarts(scenario: Scenario) -> None:
    """Between a counted failure and the next start, everybody it takes along has left."""
    rules = [part.restart for part in scenario.parts]
    pending: set[int] = set()
    for moment in replay(play(scenario, "leave").log):
        if moment.what in ("died", "ended") and moment.live[moment.who] != "told":
            rule = rules[moment.who]
            if rule is Restart.PERMANENT or (rule is Restart.TRANSIENT and moment.what == "died"):
                first = 0 if scenario.strategy is Strategy.ONE_FOR_ALL else moment.who
                pending |= {who for who in moment.live if who >= first}
        elif moment.what == "launch":
            assert pending.isdisjoint(moment.live)
            pending.clear()


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
