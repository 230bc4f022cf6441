"""Values: restart rules, backoff, names."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.supervision import Backoff, Child, ChildSpec, Restart


async def body(child: Child, **_: object) -> None: ...


@pytest.mark.parametrize(
    ("restart", "failed", "again"),
    [
        (Restart.PERMANENT, True, True),
        (Restart.PERMANENT, False, True),
        (Restart.TRANSIENT, True, True),
        (Restart.TRANSIENT, False, False),
        (Restart.TEMPORARY, True, False),
        (Restart.TEMPORARY, False, False),
    ],
)
def test_restart_rule(restart: Restart, failed: bool, again: bool) -> None:
    assert restart.again(failed=failed) is again


def test_backoff_doubles_up_to_its_maximum() -> None:
    backoff = Backoff(initial=0.5, factor=2.0, maximum=3.0)
    assert [backoff.delay(n) for n in (1, 2, 3, 4, 5)] == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_backoff_waits_not_at_all_by_default() -> None:
    assert Backoff().delay(1) == Backoff().delay(100_000) == 0.0


@given(
    st.floats(0, 100), st.floats(1, 10), st.floats(0, 100), st.integers(1, 10**6), st.integers(1, 9)
)
def test_backoff_never_shrinks_and_never_passes_its_maximum(
    initial: float, factor: float, maximum: float, n: int, more: int
) -> None:
    backoff = Backoff(initial, factor, maximum)
    assert 0.0 <= backoff.delay(n) <= backoff.delay(n + more) <= maximum


@pytest.mark.parametrize(
    ("field", "value"),
    [("initial", -1.0), ("factor", 0.5), ("maximum", -1.0)],
)
def test_backoff_out_of_range_names_the_field(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=field):
        Backoff(**{field: value})


@pytest.mark.parametrize("name", ["", "a.b", "."])
def test_an_id_that_could_not_be_part_of_a_node_id_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="dot"):
        ChildSpec(name, body)


def test_a_negative_shutdown_is_refused_and_an_endless_one_is_not() -> None:
    with pytest.raises(ValueError, match="shutdown"):
        ChildSpec("a", body, shutdown=-0.1)
    assert ChildSpec("a", body, shutdown=math.inf).shutdown == math.inf
