"""The count of active incidents: asked once a second, and never waited for long."""

import trio
import trio.testing

from incident_manager.actors.journal.base import Bounds, IncidentQuery, JournalUnavailable
from incident_manager.actors.journal.memory import MemoryJournal, MemoryStore
from incident_manager.actors.journal.reads import Stats
from incident_manager.actors.vocabulary import Severity
from incident_manager.http.active import ActiveIncidents


class Counting(MemoryJournal):
    """A journal that says how often it was asked, may fail, and may be held up."""

    def __init__(self) -> None:
        super().__init__(MemoryStore())
        self.asked = 0
        self.fails = False
        self.gate = trio.Event()
        self.gate.set()

    async def stats(self, query: IncidentQuery) -> Stats:
        assert query.active_only
        self.asked += 1
        await self.gate.wait()
        if self.fails:
            raise JournalUnavailable("no")
        by_severity = dict.fromkeys(Severity, self.asked)
        return Stats(0, 0, 0, by_severity, Bounds("e", 1, 0))


async def test_it_is_asked_once_a_second(autojump_clock: trio.testing.MockClock) -> None:
    journal, active = Counting(), ActiveIncidents()
    assert await active.read(journal) == dict.fromkeys(Severity, 1)
    autojump_clock.jump(0.9)
    assert await active.read(journal) == dict.fromkeys(Severity, 1)
    autojump_clock.jump(0.2)
    assert await active.read(journal) == dict.fromkeys(Severity, 2)


async def test_many_that_ask_at_once_ask_once() -> None:
    journal, active = Counting(), ActiveIncidents()
    async with trio.open_nursery() as nursery:
        for _ in range(10):
            nursery.start_soon(active.read, journal)
    assert journal.asked == 1


async def test_what_was_known_is_told_while_the_journal_gives_nothing(
    autojump_clock: trio.testing.MockClock,
) -> None:
    journal, active = Counting(), ActiveIncidents()
    journal.fails = True
    assert await active.read(journal) is None
    journal.fails = False
    known = await active.read(journal)
    assert known == dict.fromkeys(Severity, 2)
    autojump_clock.jump(2)
    journal.fails = True
    assert await active.read(journal) == known


async def test_it_is_not_waited_for_long(autojump_clock: trio.testing.MockClock) -> None:
    journal, active = Counting(), ActiveIncidents()
    journal.gate = trio.Event()
    began = trio.current_time()
    assert await active.read(journal) is None
    assert trio.current_time() - began == 1.0
    journal.gate.set()
    assert await active.read(journal) == dict.fromkeys(Severity, 2)
