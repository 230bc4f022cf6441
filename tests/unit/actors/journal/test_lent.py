"""What is lent: the journal that is open, whichever that is."""

import pytest
import trio
from trio.testing import wait_all_tasks_blocked

from incident_manager.actors.journal.base import JournalUnavailable
from incident_manager.actors.journal.lent import Lent
from incident_manager.actors.journal.memory import MemoryStore, open_memory


class Lender(Lent):
    lend = Lent._lend
    take_back = Lent._take_back


async def test_reads_wait_for_a_journal_and_writes_are_refused(nursery: trio.Nursery) -> None:
    lender = Lender()
    assert lender.location == ""
    found: list[bytes] = []

    async def read() -> None:
        found.append(await lender.secret())

    nursery.start_soon(read)
    await wait_all_tasks_blocked()
    with pytest.raises(JournalUnavailable, match="restarting"):
        await lender.tidy()
    async with open_memory(MemoryStore()) as journal:
        lender.lend(journal)
        await wait_all_tasks_blocked()
        assert found == [await journal.secret()]
        assert lender.location == journal.location
        await lender.tidy()
        lender.take_back()
    with pytest.raises(JournalUnavailable):
        await lender.probe()


async def test_a_read_that_its_journal_ends_is_made_again_from_the_next(
    nursery: trio.Nursery,
) -> None:
    lender, store = Lender(), MemoryStore()
    async with open_memory(store) as first:
        lender.lend(first)
    found: list[bytes] = []

    async def read() -> None:
        found.append(await lender.secret())

    nursery.start_soon(read)
    lender.take_back()  # what was lent is closed, and the keeper says so
    await wait_all_tasks_blocked()
    assert found == []
    async with open_memory(store) as second:
        lender.lend(second)
        await wait_all_tasks_blocked()
        assert found == [await second.secret()]


async def test_one_that_fails_while_it_is_lent_says_why() -> None:
    lender = Lender()
    async with open_memory(MemoryStore()) as closed:
        lender.lend(closed)
    with pytest.raises(JournalUnavailable, match="closed"):
        await lender.secret()
