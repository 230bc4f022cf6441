"""Reads that many share: one at a time of the same, kept as long as the journal is the same."""

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import wait_all_tasks_blocked

from incident_manager.actors.journal.base import Bounds, Chunk, JournalUnavailable
from incident_manager.actors.journal.shared import CHUNK, Shared
from incident_manager.actors.weight import record_weight
from unit.actors.builders import make_history

HISTORY = make_history(3 * CHUNK)


class Source:
    """A journal of ``head`` events from ``oldest`` on; its reads wait while it is ``held``."""

    def __init__(self, head: int, oldest: int = 1) -> None:
        self.head = head
        self.oldest = oldest
        self.held = trio.Event()
        self.held.set()
        self.failure: Exception | None = None
        self.asked: list[int] = []

    @property
    def bounds(self) -> Bounds:
        return Bounds("e", self.oldest, self.head)

    async def read(self, offset: int, limit: int) -> Chunk:
        self.asked.append(offset)
        records = HISTORY[max(offset, self.oldest - 1) : self.head][:limit]
        chunk = Chunk(records, self.bounds, records[-1].offset if records else self.head)
        await self.held.wait()
        if self.failure is not None:
            raise self.failure
        return chunk


async def offsets(shared: Shared, offset: int, limit: int = 1000) -> list[int]:
    return [record.offset for record in (await shared.after(offset, limit)).records]


async def test_neighbours_share_one_read_and_each_gets_what_follows_its_place() -> None:
    source = Source(100)
    shared = Shared(source.read)
    assert await offsets(shared, 0) == [*range(1, 65)]
    assert await offsets(shared, 10) == [*range(11, 65)]
    assert await offsets(shared, 63) == [64]
    assert await offsets(shared, 64) == [*range(65, 101)]
    assert await offsets(shared, 80, 2) == [81, 82]
    assert source.asked == [0, 64]
    assert shared.reads == 2


async def test_what_was_kept_is_read_again_only_by_those_who_are_through_with_it() -> None:
    source = Source(5)
    shared = Shared(source.read)
    assert await offsets(shared, 0) == [1, 2, 3, 4, 5]
    source.head = 7
    assert await offsets(shared, 3) == [4, 5]
    assert await offsets(shared, 5) == [6, 7]
    assert await offsets(shared, 3) == [4, 5, 6, 7]
    assert await offsets(shared, 7) == []
    assert source.asked == [0, 0, 0]
    assert shared.bounds == source.bounds


async def test_who_asks_for_what_is_being_read_waits_for_that() -> None:
    source = Source(100)
    source.held = trio.Event()
    shared = Shared(source.read)
    found: list[list[int]] = []

    async def ask(offset: int) -> None:
        found.append(await offsets(shared, offset))

    async with trio.open_nursery() as nursery:
        for offset in range(60):
            nursery.start_soon(ask, offset)
        await wait_all_tasks_blocked()
        source.held.set()
    assert sorted(found) == [[*range(offset + 1, 65)] for offset in range(60)]
    assert source.asked == [0]


async def test_one_who_is_cancelled_takes_nothing_from_those_who_wait() -> None:
    source = Source(5)
    source.held = trio.Event()
    shared = Shared(source.read)
    first = trio.CancelScope()
    found: list[list[int]] = []

    async def ask(scope: trio.CancelScope) -> None:
        with scope:
            found.append(await offsets(shared, 0))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask, first)
        await wait_all_tasks_blocked()
        for _ in range(3):
            nursery.start_soon(ask, trio.CancelScope())
        await wait_all_tasks_blocked()
        first.cancel()
        await wait_all_tasks_blocked()
        source.held.set()
    assert found == [[1, 2, 3, 4, 5]] * 3
    assert source.asked == [0, 0]


async def test_all_who_wait_hear_that_the_journal_cannot_be_read() -> None:
    source = Source(5)
    source.held = trio.Event()
    source.failure = JournalUnavailable("The disk is away.")
    shared = Shared(source.read)
    heard: list[str] = []

    async def ask() -> None:
        try:
            await shared.after(0, 9)
        except JournalUnavailable as failure:
            heard.append(str(failure))

    async with trio.open_nursery() as nursery:
        for _ in range(3):
            nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        source.held.set()
    assert heard == ["The disk is away."] * 3
    assert source.asked == [0]
    source.failure = None
    assert await offsets(shared, 0) == [1, 2, 3, 4, 5]


async def test_what_is_forgotten_is_read_anew_and_a_read_from_before_is_not_kept() -> None:
    source = Source(5)
    shared = Shared(source.read)
    await shared.after(0, 9)
    shared.forget()
    assert shared.bounds is None
    source.held = trio.Event()
    found: list[list[int]] = []

    async def ask() -> None:
        found.append(await offsets(shared, 0))

    async with trio.open_nursery() as nursery:
        nursery.start_soon(ask)
        await wait_all_tasks_blocked()
        shared.forget()
        source.oldest = 4
        nursery.start_soon(ask)  # not of what was read before
        await wait_all_tasks_blocked()
        source.held.set()
    assert sorted(found) == [[1, 2, 3, 4, 5], [4, 5]]
    assert await offsets(shared, 0) == [4, 5]
    assert source.asked == [0, 0, 0]
    assert shared.bounds == source.bounds


def test_bounds_from_before_are_not_learnt() -> None:
    shared = Shared(Source(5).read)
    turn = shared.turn
    shared.learn(Bounds("e", 1, 5), turn)
    assert shared.bounds == Bounds("e", 1, 5)
    shared.forget()
    shared.learn(Bounds("e", 1, 5), turn)
    assert shared.bounds is None


async def test_only_so_many_bytes_are_kept_those_used_last_longest() -> None:
    source = Source(3 * CHUNK)
    two = sum(map(record_weight, HISTORY[: 2 * CHUNK])) + record_weight(HISTORY[-1])
    shared = Shared(source.read, budget=two)
    for offset in (0, 64, 0, 128):
        await shared.after(offset, 1)
    assert source.asked == [0, 64, 128]
    for offset in (0, 128, 64):
        await shared.after(offset, 1)
    assert source.asked == [0, 64, 128, 64]


@given(
    st.integers(0, 2 * CHUNK),
    st.integers(1, 100),
    st.lists(st.tuples(st.integers(0, 3 * CHUNK), st.integers(1, 100), st.integers(0, 40))),
)
def test_it_says_what_the_journal_says_or_the_beginning_of_it(
    head: int, oldest: int, asks: list[tuple[int, int, int]]
) -> None:
    async def run() -> None:
        source = Source(head, min(oldest, head + 1))
        shared = Shared(source.read)
        for offset, limit, more in asks:
            source.head = min(source.head + more, len(HISTORY))
            place = min(offset, source.head)
            chunk = await shared.after(place, limit)
            truth = await source.read(place, limit)
            assert chunk.records == truth.records[: len(chunk.records)]
            assert bool(chunk.records) == bool(truth.records)
            last = chunk.records[-1].offset if chunk.records else source.head
            assert chunk.examined == last
            assert chunk.bounds.epoch == "e"

    trio.run(run)


async def test_a_failure_of_another_kind_is_each_ones_own() -> None:
    source = Source(5)
    source.failure = ValueError("damaged")
    shared = Shared(source.read)
    for _ in range(2):
        with pytest.raises(ValueError, match="damaged"):
            await shared.after(0, 9)
    assert source.asked == [0, 0]
