import pytest

from incident_manager.actors.journal.memory import MemoryStore, open_memory
from unit.actors.builders import make_history, write


async def test_a_store_outlives_its_journals_and_a_new_one_is_a_new_epoch() -> None:
    store = MemoryStore()
    async with open_memory(store) as journal:
        await write(journal, *make_history(2))
        first = await journal.bounds()
    async with open_memory(store) as journal:
        assert await journal.bounds() == first
        assert (await journal.read_after(0, 9)).records == make_history(2)
    async with open_memory() as journal:
        other = await journal.bounds()
    assert other.head == 0
    assert other.epoch != first.epoch


async def test_a_journal_that_crashed_has_let_go_of_its_store() -> None:
    store = MemoryStore()
    with pytest.raises(KeyError, match="crash"):
        async with open_memory(store):
            raise KeyError("crash")
    async with open_memory(store) as journal:
        await journal.probe()
