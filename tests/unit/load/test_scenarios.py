"""The scenarios can be told apart, and their fan-outs come out even."""

import pytest

from load.scenarios import FULL, QUICK, SCENARIOS, Scenario, for_peers, quick

each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.key)


def test_keys_differ_and_quick_ones_exist() -> None:
    keys = [scenario.key for scenario in SCENARIOS]
    assert len(set(keys)) == len(keys)
    assert set(QUICK) <= set(keys)
    assert set(FULL) <= set(keys)


@each
def test_groups_are_of_one_size(scenario: Scenario) -> None:
    assert scenario.connect.count % scenario.connect.groups == 0


@each
def test_a_quick_one_is_less_of_the_same(scenario: Scenario) -> None:
    less = quick(scenario)
    assert (less.key, less.connect, less.run.batch) == (
        scenario.key, scenario.connect, scenario.run.batch
    )  # fmt: skip
    assert 0 < less.run.requests <= scenario.run.requests
    assert less.rounds == 1


@each
def test_peers_do_the_same_work_for_a_shorter_time(scenario: Scenario) -> None:
    theirs = for_peers(scenario)
    assert (theirs.key, theirs.connect, theirs.run.batch, theirs.run.rate) == (
        scenario.key, scenario.connect, scenario.run.batch, scenario.run.rate
    )  # fmt: skip
    assert theirs.run.seconds <= scenario.run.seconds
    assert 0 < theirs.run.requests <= scenario.run.requests
    assert theirs.run.grace * 10 <= 10
    assert theirs.rounds == 1


@each
def test_a_rate_is_what_the_title_says(scenario: Scenario) -> None:
    run, connect = scenario.run, scenario.connect
    if run.rate and scenario.tables[-1] == "delivery":
        asked = run.rate * run.batch
        width = connect.count // connect.groups
        assert f"{asked * width:,.0f} deliveries/s" in scenario.title or (
            f"{asked:,.0f} events/s" in scenario.title
        )
