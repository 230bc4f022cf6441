"""Token buckets, as a virtual clock."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.errors import ErrorCode
from incident_manager.http.rates import WINDOW, RateLimited, Rates, Spent


def test_no_limit_keeps_nothing() -> None:
    rates = Rates(0)
    assert rates.spend("a", 0) is None
    assert rates.wait("a", 0) == 0
    assert len(rates) == 0


def test_a_bucket_is_emptied_and_fills() -> None:
    rates = Rates(3)
    assert [rates.spend("a", 100.0) for _ in range(4)] == [
        Spent(True, 3, 2, 20),
        Spent(True, 3, 1, 40),
        Spent(True, 3, 0, 60),
        Spent(False, 3, 0, 20),
    ]
    assert rates.wait("a", 100.0) == 20
    assert rates.wait("a", 120.0) == 0
    assert rates.wait("b", 100.0) == 0
    assert rates.spend("b", 100.0) == Spent(True, 3, 2, 20)
    assert rates.spend("a", 120.0) == Spent(True, 3, 0, 60)
    assert rates.spend("a", 1000.0) == Spent(True, 3, 2, 20)


def test_what_clients_are_told() -> None:
    assert Spent(True, 100, 7, 56).headers() == {
        "RateLimit-Policy": '"default";q=100;w=60',
        "RateLimit": '"default";r=7;t=56',
    }
    Spent(True, 100, 7, 56).check()
    with pytest.raises(RateLimited, match=r"limits\.requests_per_minute") as raised:
        Spent(False, 100, 0, 5).check()
    assert (raised.value.code, raised.value.retry_after) == (ErrorCode.RATE_LIMIT_EXCEEDED, 5)


def test_the_quietest_is_forgotten() -> None:
    rates = Rates(1, most=2)
    for key in ("a", "b"):
        rates.spend(key, 0)
    assert rates.spend("a", 1) == Spent(False, 1, 0, 59)  # and so b is the quietest
    rates.spend("c", 2)
    assert len(rates) == 2
    assert rates.wait("a", 2) == 58
    assert rates.wait("b", 2) == 0


@given(
    st.integers(1, 20),
    st.lists(st.tuples(st.sampled_from("ab"), st.floats(0, 30)), max_size=100),
)
def test_never_more_than_the_limit_and_its_refill(
    limit: int, steps: list[tuple[str, float]]
) -> None:
    rates = Rates(limit)
    now = 0.0
    let_in: dict[str, list[float]] = {"a": [], "b": []}
    for key, pause in steps:
        now += pause
        waits = rates.wait(key, now)
        spent = rates.spend(key, now)
        assert spent is not None
        assert spent.allowed is (waits == 0)
        assert 0 <= spent.remaining < limit
        if spent.allowed:
            let_in[key].append(now)
            first = let_in[key][0]
            assert len(let_in[key]) <= limit + (now - first) * limit / WINDOW + 0.5
            for since in let_in[key]:
                count = sum(moment >= since for moment in let_in[key])
                assert count <= limit + (now - since) * limit / WINDOW + 0.5
        else:
            # Whoever waits as long as is said is let in.
            assert rates.wait(key, now + spent.reset) == 0
