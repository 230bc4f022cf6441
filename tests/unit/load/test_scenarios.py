"""The scenarios can be told apart, and their fan-outs come out even."""

import pytest

from load.scenarios import QUICK, SCENARIOS, Scenario, quick

each = pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.key)


def test_keys_differ_and_quick_ones_exist() -> None:
    keys = [scenario.key for scenario in SCENARIOS]
    assert len(set(keys)) == len(keys)
    assert set(QUICK) <= set(keys)


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
