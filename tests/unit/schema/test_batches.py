"""Batches: one read for all who ask beside each other, whatever becomes of any one of them."""

from collections.abc import Mapping, Sequence

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.schema.batches import Batches
from incident_manager.schema.tally import Most, Tally


class Library:
    """Says what was read; ``gate`` holds readers up, ``failure`` is what they meet."""

    def __init__(self, size: int = 1) -> None:
        self.reads: list[tuple[str, ...]] = []
        self.gate = trio.Event()
        self.gate.set()
        self.begun = trio.Event()
        self.failure: Exception | None = None
        self.size = size

    async def read(self, keys: Sequence[str]) -> Mapping[str, str]:
        self.reads.append(tuple(keys))
        self.begun.set()
        await self.gate.wait()
        if self.failure is not None:
            raise self.failure
        return {key: key.upper() for key in keys if key != "nothing"}

    def batches(self, tally: Tally | None = None) -> Batches[str]:
        return Batches(tally or Tally(), self.read, lambda _: self.size)


async def load_all(batches: Batches[str], keys: Sequence[str]) -> list[str | None]:
    found: list[str | None] = [None] * len(keys)

    async def load(place: int, key: str) -> None:
        found[place] = await batches.load(key)

    async with trio.open_nursery() as nursery:
        for place, key in enumerate(keys):
            nursery.start_soon(load, place, key)
    return found


async def test_one_read_for_all_who_ask_together() -> None:
    library = Library()
    assert await load_all(library.batches(), ["a", "b", "a", "nothing"]) == ["A", "B", "A", None]
    [read] = library.reads
    assert sorted(read) == ["a", "b", "nothing"]


@given(st.lists(st.integers(0, 2), max_size=30))
def test_who_asks_some_ticks_later_is_still_in_time(ticks: list[int]) -> None:
    library = Library()

    async def main() -> None:
        batches = library.batches()

        async def later(place: int, ticks: int) -> None:
            for _ in range(ticks):
                await trio.lowlevel.checkpoint()
            await batches.load(str(place))

        async with trio.open_nursery() as nursery:
            for place, number in enumerate(ticks):
                nursery.start_soon(later, place, number)

    trio.run(main)
    assert len(library.reads) == bool(ticks)


async def test_nothing_is_kept() -> None:
    library = Library()
    batches = library.batches()
    assert [await batches.load("a"), await batches.load("a")] == ["A", "A"]
    assert library.reads == [("a",), ("a",)]


async def test_who_asks_while_it_is_read_is_in_the_next() -> None:
    library = Library()
    library.gate = trio.Event()
    batches = library.batches()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(batches.load, "a")
        await library.begun.wait()
        library.begun = trio.Event()
        nursery.start_soon(batches.load, "b")
        await library.begun.wait()
        library.gate.set()
    assert library.reads == [("a",), ("b",)]


async def test_a_failure_is_raised_by_all_who_wait() -> None:
    library = Library()
    library.failure = ValueError("no")
    batches = library.batches()
    met: list[str] = []

    async def load(key: str) -> None:
        try:
            await batches.load(key)
        except ValueError as failure:
            met.append(str(failure))

    async with trio.open_nursery() as nursery:
        for key in "abc":
            nursery.start_soon(load, key)
    assert met == ["no"] * 3
    assert len(library.reads) == 1
    library.failure = None
    assert await batches.load("a") == "A"


@pytest.mark.parametrize("others", [0, 1, 5])
async def test_another_one_reads_where_the_first_is_cancelled(others: int) -> None:
    library = Library()
    library.gate = trio.Event()
    batches = library.batches()
    found: list[str | None] = []

    async def load(key: str) -> None:
        found.append(await batches.load(key))

    async with trio.open_nursery() as nursery:
        with trio.CancelScope() as first:
            async with trio.open_nursery() as theirs:
                theirs.start_soon(load, "first")
                await trio.lowlevel.checkpoint()  # it leads
                for number in range(others):
                    nursery.start_soon(load, str(number))
                await library.begun.wait()
                first.cancel()
        library.gate.set()
    assert sorted(filter(None, found)) == [str(number) for number in range(others)]
    assert len(library.reads) == 1 + bool(others)
    assert await batches.load("z") == "Z"


async def test_who_is_cancelled_before_the_read_leaves_the_batch_to_the_next() -> None:
    library = Library()
    batches = library.batches()
    with trio.CancelScope() as scope:
        scope.cancel()
        await batches.load("a")
    assert library.reads == []
    assert await batches.load("b") == "B"
    assert len(library.reads) == 1


async def test_a_long_batch_is_read_in_steps() -> None:
    library = Library()
    keys = [str(number) for number in range(2_500)]
    assert len(await load_all(library.batches(), keys)) == 2_500
    assert [len(read) for read in library.reads] == [1_000, 1_000, 500]


async def test_what_is_too_much_is_not_read_to_its_end() -> None:
    library = Library(size=100)
    tally = Tally(Most(asks=10_000, objects=150_000))
    batches = library.batches(tally)

    async def load(key: str) -> None:
        with pytest.raises(Refused):
            await batches.load(key)

    with tally.bounded():
        async with trio.open_nursery() as nursery:
            for number in range(5_000):
                nursery.start_soon(load, str(number))
    assert tally.exceeded is not None
    assert tally.exceeded.code is ErrorCode.COMPLEXITY_LIMITED
    assert len(library.reads) == 2


async def test_what_is_given_is_counted_for_everybody() -> None:
    library = Library(size=4)
    batches = library.batches(Tally(Most(asks=10, objects=10)))
    await batches.load("a")
    await batches.load("a")
    with pytest.raises(Refused):
        await batches.load("a")
