"""A client pays for what costs us, and who stays below the rate is never refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.h2_budget import CAPACITY, RATE, REFUND, Budget, price
from incident_manager.http.h2_frames import Head, Kind

STEPS = st.lists(st.tuples(st.floats(0, 10), st.floats(0, 500)), max_size=60)


@given(STEPS, st.lists(st.floats(0, 50), max_size=60))
def test_no_more_is_spent_than_there_was_and_came_back(
    steps: list[tuple[float, float]], earned: list[float]
) -> None:
    budget = Budget(0.0, capacity=100.0, rate=10.0)
    now = spent = income = 0.0
    for number, (pause, tokens) in enumerate(steps):
        now += pause
        if number < len(earned):
            budget.earn(earned[number])
            income += earned[number]
        if budget.spend(tokens, now):
            spent += tokens
        assert 0 <= budget.level <= 100.0
        assert spent <= 100.0 + 10.0 * now + income + 1e-6


@given(st.lists(st.tuples(st.floats(0.001, 10), st.floats(0, 1)), max_size=60))
def test_who_stays_below_the_rate_is_never_refused(steps: list[tuple[float, float]]) -> None:
    budget = Budget(0.0, capacity=100.0, rate=10.0)
    now = 0.0
    for pause, share in steps:
        now += pause
        assert budget.spend(min(100.0, pause * 10.0 * share), now)


def test_what_is_refused_costs_nothing() -> None:
    budget = Budget(0.0, capacity=10.0, rate=1.0)
    assert not budget.spend(11.0, 0.0)
    assert budget.spend(10.0, 0.0)
    assert not budget.spend(1.0, 0.5)
    assert budget.spend(1.0, 1.0)


@pytest.mark.parametrize(
    ("head", "tokens"),
    [
        (Head(Kind.DATA, 0, 0, 9), REFUND),
        (Head(Kind.HEADERS, 4, 30, 39), REFUND),
        (Head(Kind.HEADERS, 4, 16384, 16393), REFUND + 32),
        (Head(Kind.PRIORITY, 0, 5, 14), 2),
        (Head(Kind.RST_STREAM, 0, 4, 13), 10),
        (Head(Kind.SETTINGS, 0, 36, 45), 26),
        (Head(Kind.SETTINGS, 1, 0, 9), 1),
        (Head(Kind.PING, 0, 8, 17), 2),
        (Head(Kind.WINDOW_UPDATE, 0, 4, 13), 1),
        (Head(Kind.CONTINUATION, 0, 10, 19), 20),
        (Head(0xB, 0, 10, 19), 1),
    ],
)
def test_what_frames_cost(head: Head, tokens: float) -> None:
    assert price(head) == tokens


def test_a_browser_that_leaves_a_page_of_a_hundred_requests_is_let() -> None:
    budget = Budget(0.0)
    reset = price(Head(Kind.RST_STREAM, 0, 4, 13))
    assert all(budget.spend(reset, 0.0) for _ in range(100))
    assert CAPACITY / reset >= 100
    assert RATE / reset >= 10
