import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.journal.base import Append, Bounds
from incident_manager.actors.journal.rules import check_batch, check_read, trim_to
from unit.actors.builders import make_history


@given(st.integers(0, 100), st.integers(0, 5))
def test_a_batch_goes_on_from_its_head(head: int, count: int) -> None:
    history = make_history(count, head + 1)
    check_batch(Append(head, history))
    if count:
        with pytest.raises(ValueError, match=f"offset {head + 1} where {head + 2} follows"):
            check_batch(Append(head + 1, history))


def test_a_read_has_an_offset_and_a_limit() -> None:
    check_read(0, 1)
    with pytest.raises(ValueError, match="offset is -1"):
        check_read(-1, 1)
    with pytest.raises(ValueError, match="limit is 0"):
        check_read(0, 0)


@given(
    st.integers(1, 5),
    st.lists(st.integers(1, 9), max_size=8),
    st.integers(0, 9),
    st.integers(0, 9),
    st.integers(1, 9),
)
def test_trimming(oldest: int, times: list[int], keep: int, before: int, limit: int) -> None:
    head = oldest + len(times) - 1
    bounds = Bounds("e", oldest, head)
    last = trim_to(bounds, iter(times), keep=keep, before=before, limit=limit)
    gone = last + 1 - oldest
    assert 0 <= gone <= min(limit, max(0, len(times) - 1))
    # Each that went had a reason to, and the first that stays has none or the call was full.
    old = list(itertools.takewhile(lambda time: time < before, times)) if before else []
    due = max(len(old), len(times) - keep if keep else 0)
    assert gone == max(0, min(due, limit, len(times) - 1))
