import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.client.errors import ClientError, Refused, Unreachable
from incident_manager.http.client.reconnect import (
    CLOSE_CODES,
    Backoff,
    GiveUp,
    Loss,
    Reconnect,
    Retry,
    Verdict,
    judge,
)
from incident_manager.http.close_codes import FATAL_CODES, CloseCode

BROKE = Loss("broke", 1006)


def begun(
    backoff: Backoff | None = None, *, fixed: bool = False, patience: float | None = None
) -> Reconnect:
    return Reconnect(backoff or Backoff(seed=7), fixed=fixed, patience=patience, now=0.0)


def test_every_code_of_the_server_has_a_verdict() -> None:
    for code in CloseCode:
        fatal = CLOSE_CODES[code] is Verdict.FATAL
        assert fatal is (code in FATAL_CODES), code
    assert {code for code in CLOSE_CODES if CLOSE_CODES[code] is Verdict.FATAL} >= FATAL_CODES


@pytest.mark.parametrize(
    ("loss", "verdict"),
    [
        (Loss("no route"), Verdict.RETRY),
        (Loss("", 1001), Verdict.RETRY),
        (Loss("", 1016), Verdict.FATAL),
        (Loss("", 3000), Verdict.RETRY),
        (Loss("", 4999), Verdict.RETRY),
        (Loss("", 4403), Verdict.FRESH_TOKEN),
        (Loss("", 503, upgraded=False), Verdict.RETRY),
        (Loss("", 429, upgraded=False), Verdict.RETRY),
        (Loss("", 404, upgraded=False), Verdict.FATAL),
        (Loss("", 301, upgraded=False), Verdict.FATAL),
    ],
)
def test_verdicts(loss: Loss, verdict: Verdict) -> None:
    assert judge(loss) is verdict


@given(
    first=st.floats(0.01, 5),
    most=st.floats(0.01, 60),
    factor=st.floats(1, 10),
    failures=st.integers(0, 10_000),
    luck=st.floats(0, 1, exclude_max=True),
)
def test_a_delay_is_within_its_bounds(
    first: float, most: float, factor: float, failures: int, luck: float
) -> None:
    backoff = Backoff(first, most, factor)
    assert 0 <= backoff.delay(failures, luck) <= backoff.ceiling(failures) <= most
    assert backoff.ceiling(failures) <= backoff.ceiling(failures + 1)
    assert backoff.ceiling(0) == min(first, most)


@pytest.mark.parametrize(
    "wrong", [{"first": 0}, {"most": 0}, {"factor": 0.5}, {"stable": -1.0}], ids=str
)
def test_a_backoff_that_makes_no_sense(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError):
        Backoff(**wrong)  # type: ignore[arg-type]


def test_a_seed_makes_the_same_waits_again() -> None:
    luck = random.Random(7)
    backoff = Backoff(seed=7)
    reconnect = begun(backoff)
    expected = [backoff.delay(n, luck.random()) for n in range(20)]
    waits = [reconnect.lost(BROKE, 0.0) for _ in range(20)]
    assert waits == [Retry(delay, n + 1) for n, delay in enumerate(expected)]


def test_failures_count_until_a_connection_was_stable() -> None:
    reconnect = begun(Backoff(stable=5.0))
    for failures in (1, 2, 3):
        assert reconnect.lost(BROKE, 0.0).failures == failures  # type: ignore[union-attr]
    short = Loss("", 1006, lived=4.9)
    assert reconnect.lost(short, 0.0).failures == 4  # type: ignore[union-attr]
    stable = Loss("", 1006, lived=5.0)
    assert reconnect.lost(stable, 0.0).failures == 1  # type: ignore[union-attr]


@given(st.integers(1000, 4999), st.booleans(), st.none() | st.floats(0, 100), st.booleans())
def test_a_fatal_code_gives_up_and_any_other_does_not(
    code: int, upgraded: bool, lived: float | None, fixed: bool
) -> None:
    loss = Loss("because", code, upgraded, lived)
    decision = begun(fixed=fixed).lost(loss, 0.0)
    if judge(loss) is Verdict.FATAL:
        assert isinstance(decision, GiveUp)
        assert isinstance(decision.error, Refused)
        assert (decision.error.code, decision.error.reason) == (code, "because")
    elif judge(loss) is Verdict.RETRY:
        assert isinstance(decision, Retry)


class TestToken:
    refused = Loss("Forbidden", 4403)
    expired = Loss("The token has expired", 4403, lived=60.0)

    def test_a_fixed_one_that_is_refused_is_the_end(self) -> None:
        assert isinstance(begun(fixed=True).lost(self.refused, 0.0), GiveUp)

    def test_a_fixed_one_that_expires_is_shown_once_more(self) -> None:
        reconnect = begun(fixed=True)
        assert isinstance(reconnect.lost(self.expired, 0.0), Retry)
        assert isinstance(reconnect.lost(self.refused, 0.0), GiveUp)

    def test_a_fresh_one_has_a_second_chance_and_no_third(self) -> None:
        reconnect = begun()
        assert isinstance(reconnect.lost(self.expired, 0.0), Retry)
        assert isinstance(reconnect.lost(self.refused, 0.0), Retry)
        assert isinstance(reconnect.lost(BROKE, 0.0), Retry)  # says nothing of the token
        assert isinstance(reconnect.lost(self.refused, 0.0), GiveUp)

    def test_an_acknowledged_one_begins_the_count_anew(self) -> None:
        reconnect = begun()
        for _ in range(5):
            assert isinstance(reconnect.lost(self.refused, 0.0), Retry)
            assert isinstance(reconnect.lost(self.expired, 0.0), Retry)


def test_patience_counts_from_the_last_connection() -> None:
    reconnect = begun(Backoff(first=1e-6, most=1e-6), patience=10.0)
    assert isinstance(reconnect.lost(BROKE, 9.0), Retry)
    assert isinstance(reconnect.lost(Loss("", 1006, lived=1.0), 20.0), Retry)
    assert isinstance(reconnect.lost(BROKE, 29.9), Retry)
    decision = reconnect.lost(BROKE, 30.1)
    assert isinstance(decision, GiveUp)
    assert isinstance(decision.error, Unreachable)
    assert "10 seconds: broke" in str(decision.error)


def test_an_error_of_our_own_is_the_end() -> None:
    error = ClientError("x")
    assert begun().lost(Loss("x", error=error), 0.0) == GiveUp(error)
