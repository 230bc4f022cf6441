"""What came lies within windows, and opens them again when it is taken."""

import trio
import trio.testing
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.h2_inbox import ENOUGH, Credit, Inbox, Room

WINDOW = 65535


async def test_who_takes_waits_until_there_is_something(nursery: trio.Nursery) -> None:
    inbox, got = Inbox(), []

    async def take() -> None:
        for _ in range(3):
            await inbox.wait()
            got.append(inbox.take(2))

    nursery.start_soon(take)
    await trio.testing.wait_all_tasks_blocked()
    inbox.put(b"ab")
    inbox.put(b"c")
    await trio.testing.wait_all_tasks_blocked()
    assert got == [b"ab", b"c"]
    assert len(inbox) == 0
    inbox.end()
    await trio.testing.wait_all_tasks_blocked()
    assert got == [b"ab", b"c", b""]


async def test_a_closed_one_is_empty() -> None:
    inbox = Inbox()
    inbox.put(b"abc")
    assert inbox.close() == 3
    await inbox.wait()
    assert inbox.closed
    assert inbox.take(9) == b""


@given(st.lists(st.integers(0, 40_000)))
def test_credit_loses_nothing(sizes: list[int]) -> None:
    credit = Credit()
    given = [credit.owe(size) for size in sizes]
    assert 0 <= sum(sizes) - sum(given) < ENOUGH
    assert all(size == 0 or size >= ENOUGH for size in given)


@given(st.lists(st.tuples(st.sampled_from(["came", "went", "passed"]), st.integers(0, 60_000))))
def test_the_window_of_a_connection_bounds_what_lies_in_its_streams(
    steps: list[tuple[str, int]],
) -> None:
    most = 100_000
    room, window = Room(most), WINDOW
    for what, size in steps:
        if what == "went":
            window += room.went(min(size, room.held))
        else:
            sent = min(size, window)
            window -= sent
            window += getattr(room, what)(sent)
        assert room.held <= most + WINDOW
        assert 0 <= window <= WINDOW
        if room.held <= most:
            assert window > WINDOW - ENOUGH  # nothing is held up
