import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.ring import Ring
from incident_manager.actors.weight import record_weight
from unit.actors.builders import make_history, make_record

HISTORY = make_history(60)


def test_a_ring_that_was_told_nothing_knows_nothing() -> None:
    ring = Ring(4)
    assert ring.after(0, 9) is None
    assert ring.after(7, 9) is None


def test_the_oldest_give_way() -> None:
    ring = Ring(3)
    ring.extend(HISTORY[:5])
    assert ring.after(1, 9) is None
    assert ring.after(2, 9) == [*HISTORY[2:5]]
    assert ring.after(4, 9) == [HISTORY[4]]
    assert ring.after(5, 9) == []
    assert ring.after(6, 9) == []


def test_no_more_than_asked_for() -> None:
    ring = Ring(9)
    ring.extend(HISTORY[:5])
    assert ring.after(0, 2) == [*HISTORY[:2]]
    assert ring.after(2, 2) == [*HISTORY[2:4]]


def test_what_comes_twice_is_kept_once() -> None:
    ring = Ring(9)
    ring.extend(HISTORY[:3])
    ring.extend(HISTORY[1:4])
    assert ring.after(0, 9) == [*HISTORY[:4]]


def test_a_hole_makes_it_forget_what_was_before() -> None:
    ring = Ring(9)
    ring.extend(HISTORY[:3])
    ring.extend(HISTORY[4:6])
    assert ring.after(2, 9) is None
    assert ring.after(3, 9) is None
    assert ring.after(4, 9) == [*HISTORY[4:6]]


@given(
    st.integers(1, 12),
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 8)), max_size=8),
    st.integers(0, 60),
    st.integers(1, 9),
)
def test_what_it_gives_follows_without_a_hole(
    capacity: int, parts: list[tuple[int, int]], offset: int, limit: int
) -> None:
    ring = Ring(capacity)
    newest = 0
    for start, length in parts:
        part = HISTORY[start : start + length]
        ring.extend(part)
        newest = max([newest, *(record.offset for record in part)])
    found = ring.after(offset, limit)
    if found is None:
        assert offset < newest or newest == 0
        return
    assert [record.offset for record in found] == [*range(offset + 1, offset + 1 + len(found))]
    assert len(found) <= min(limit, capacity)
    if offset < newest:
        assert found
        assert len(found) == limit or found[-1].offset == newest


@pytest.mark.parametrize("capacity", [1, 2])
def test_a_small_ring_still_has_the_newest(capacity: int) -> None:
    ring = Ring(capacity)
    ring.extend(HISTORY)
    assert ring.after(59, 9) == [make_record(60)]


def test_the_oldest_give_way_to_bytes_too() -> None:
    weight = record_weight(HISTORY[0])
    ring = Ring(50, budget=3 * weight + weight // 2)
    ring.extend(HISTORY[:10])
    held = ring.after(9, 50)
    assert held is not None
    assert ring.after(10, 50) == []
    assert ring.after(5, 50) is None


def test_one_that_is_too_heavy_leaves_it_empty() -> None:
    ring = Ring(50, budget=10)
    ring.extend(HISTORY[:1])
    assert ring.after(0, 9) is None


def test_one_that_was_cleared_begins_again_anywhere() -> None:
    ring = Ring(3)
    ring.extend(HISTORY[:10])
    ring.clear()
    assert ring.after(9, 9) is None
    ring.extend(HISTORY[20:25])
    assert ring.after(23, 9) == list(HISTORY[23:25])
