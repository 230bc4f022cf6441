"""Where a stream starts: the contract's section 2, "Cursors"."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.base import Bounds
from incident_manager.actors.ports import Gap
from incident_manager.actors.resume import Start, resume

BOUNDS = Bounds("e1", oldest=5, head=9)


def test_without_a_cursor_a_stream_starts_at_the_head() -> None:
    assert resume(None, BOUNDS) == Start(9, None, None)


@pytest.mark.parametrize("offset", [4, 5, 8, 9])
def test_what_the_journal_still_has_is_recovered(offset: int) -> None:
    assert resume(Cursor("e1", offset), BOUNDS) == Start(offset, recovered=True)


@pytest.mark.parametrize(
    "cursor", [Cursor("e1", 3), Cursor("e1", 0), Cursor("e1", 10), Cursor("e2", 7)], ids=str
)
def test_anything_else_is_a_gap_and_goes_on_from_the_oldest(cursor: Cursor) -> None:
    expected = Start(4, recovered=False, gap=Gap(cursor, Cursor("e1", 4)))
    assert resume(cursor, BOUNDS) == expected


def test_nothing_is_missing_from_an_empty_journal() -> None:
    empty = Bounds("e1", oldest=1, head=0)
    assert resume(Cursor("e1", 0), empty) == Start(0, recovered=True)
    assert resume(None, empty) == Start(0)


@given(
    st.sampled_from(["e1", "e2"]),
    st.integers(0, 20),
    st.integers(1, 10),
    st.integers(0, 10),
)
def test_it_starts_inside_the_journal_and_skips_nothing_unsaid(
    epoch: str, offset: int, oldest: int, length: int
) -> None:
    bounds = Bounds("e1", oldest, oldest - 1 + length)
    start = resume(Cursor(epoch, offset), bounds)
    assert oldest - 1 <= start.position <= bounds.head
    assert (start.gap is None) is (start.recovered is True)
    if start.gap is None:
        assert (epoch, start.position) == ("e1", offset)
