from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.key_keeper import Pace

PACE = Pace()


def test_keys_are_fresh_for_as_long_as_the_key_server_says_within_bounds() -> None:
    assert PACE.fresh_for(None) == 600
    assert PACE.fresh_for(300.0) == 300
    assert PACE.fresh_for(0.0) == 60
    assert PACE.fresh_for(1e9) == 3600


@given(st.integers(1, 10**6))
def test_retries_get_rarer_up_to_a_limit(failures: int) -> None:
    assert 1.0 <= PACE.retry_after(failures) <= PACE.retry_after(failures + 1) <= 60.0


def test_the_first_retries() -> None:
    assert [PACE.retry_after(number) for number in (1, 2, 3, 7)] == [1.0, 2.0, 4.0, 60.0]
