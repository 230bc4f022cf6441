"""Laws: order of starts, of stops, of group restarts."""

from __future__ import annotations

from collections.abc import Iterator

from attrs import frozen
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.supervision import (
    Restart,
    Strategy,
)
from unit.supervision.scenarios import (
    Scenario,
    play,
    scenarios,
)
from unit.supervision.scripts import Log

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
