"""What the bench measures inside of one process is what it says: it waits for each delivery."""

from pathlib import Path

import pytest

from load import inside
from load.inside import filters_cost, journal_cost, shapes_cost


@pytest.fixture(autouse=True)
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inside, "_EVENTS", 2)
    monkeypatch.setattr(inside, "_READS", 3)
    monkeypatch.setattr(inside, "_SUBSCRIBERS", 10)


def test_each_subscription_gets_each_event_whatever_there_is_of_shapes_and_filters(
    tmp_path: Path,
) -> None:
    assert shapes_cost(tmp_path, 2) > 0
    assert all(cost > 0 for cost in filters_cost(tmp_path, 3).values())


def test_a_journal_holds_as_many_events_as_it_says(tmp_path: Path) -> None:
    assert all(cost > 0 for cost in journal_cost(tmp_path, 1_000).values())
    assert not [*tmp_path.glob("journal-1000.db")]
