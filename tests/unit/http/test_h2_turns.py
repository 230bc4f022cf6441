"""Streams send one after the other."""

from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.h2_turns import Turns


def test_each_has_its_turn() -> None:
    turns = Turns()
    assert turns.next() is None
    for stream_id in (1, 3, 5, 1):
        turns.add(stream_id)
    assert [turns.next() for _ in range(7)] == [1, 3, 5, 1, 3, 5, 1]
    turns.discard(5)
    turns.discard(7)
    assert [turns.next() for _ in range(4)] == [3, 1, 3, 1]
    assert len(turns) == 2


@given(st.sets(st.integers(1, 99), min_size=1), st.integers(1, 5))
def test_nobody_waits_for_longer_than_a_round(streams: set[int], rounds: int) -> None:
    turns = Turns()
    for stream_id in streams:
        turns.add(stream_id)
    for _ in range(rounds):
        assert {turns.next() for _ in streams} == streams
