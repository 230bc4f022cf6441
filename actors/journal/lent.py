"""The journal lent out: the port's calls, each on the journal that is open at that moment."""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import TypeVar

import trio

from incident_manager.actors.audit import AuditEntry
from incident_manager.actors.journal.base import (
    Chunk,
    Journal,
    JournalUnavailable,
    Loaded,
    Needs,
)
from incident_manager.actors.journal.reads import (
    AlertPage,
    AlertQuery,
    AuditPage,
    AuditQuery,
    CommentPage,
    IncidentPage,
    IncidentQuery,
    SearchQuery,
    Stats,
    TimelinePage,
)
from incident_manager.actors.model import Alert, Incident, Micros
from incident_manager.actors.selectors import Selectors

__all__ = ["Lent"]

_T = TypeVar("_T")


class Lent:
    """What of a :class:`~incident_manager.actors.journal.base.Journal` needs no more than one that
    is open. Reads wait until one is, writes are refused meanwhile.
    """

    def __init__(self) -> None:
        self._journal: Journal | None = None
        self._opened = trio.Event()

    def _lend(self, journal: Journal) -> None:
        self._journal = journal
        self._opened.set()

    def _take_back(self) -> None:
        self._journal = None
        self._opened = trio.Event()

    @property
    def location(self) -> str:
        """Where the data lies."""
        return "" if self._journal is None else self._journal.location

    async def _read(self, read: Callable[[Journal], Awaitable[_T]]) -> _T:
        """Read from the open journal, and again from the next if it is closed meanwhile."""
        while True:
            while self._journal is None:
                await self._opened.wait()
            journal = self._journal
            try:
                return await read(journal)
            except JournalUnavailable:
                if self._journal is journal:
                    raise

    def _writable(self) -> Journal:
        if self._journal is None:
            raise JournalUnavailable("The journal is restarting.", written=False)
        return self._journal

    async def load(self, needs: Needs, now: Micros, since: Micros) -> Loaded:
        """As the port says; refused while the journal is not open."""
        return await self._writable().load(needs, now, since)

    async def secret(self) -> bytes:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.secret())

    async def read_bearing(self, labels: Selectors, offset: int, limit: int) -> Chunk:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.read_bearing(labels, offset, limit))

    async def alerts_by_id(self, ids: Iterable[str]) -> Mapping[str, Alert]:
        """As the port says; waits while the journal is not open."""
        wanted = tuple(ids)  # a read that is repeated needs them again
        return await self._read(lambda journal: journal.alerts_by_id(wanted))

    async def read_after(self, offset: int, limit: int) -> Chunk:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.read_after(offset, limit))

    async def incident(self, incident_id: str) -> Incident | None:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.incident(incident_id))

    async def incidents(self, query: IncidentQuery) -> IncidentPage:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.incidents(query))

    async def search(self, query: SearchQuery) -> IncidentPage:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.search(query))

    async def stats(self, query: IncidentQuery) -> Stats:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.stats(query))

    async def alert(self, alert_id: str) -> Alert | None:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.alert(alert_id))

    async def alerts(self, query: AlertQuery) -> AlertPage:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.alerts(query))

    async def incidents_by_id(self, ids: Iterable[str]) -> Mapping[str, Incident]:
        """As the port says; waits while the journal is not open."""
        wanted = tuple(ids)  # a read that is repeated needs them again
        return await self._read(lambda journal: journal.incidents_by_id(wanted))

    async def related(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Incident, ...]]:
        """As the port says; waits while the journal is not open."""
        wanted = tuple(ids)  # a read that is repeated needs them again
        return await self._read(lambda journal: journal.related(wanted, first, labels))

    async def alerts_of(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Alert, ...]]:
        """As the port says; waits while the journal is not open."""
        wanted = tuple(ids)  # a read that is repeated needs them again
        return await self._read(lambda journal: journal.alerts_of(wanted, first, labels))

    async def comments_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, CommentPage]:
        """As the port says; waits while the journal is not open."""
        wanted = tuple(ids)  # a read that is repeated needs them again
        return await self._read(lambda journal: journal.comments_of(wanted, first, after))

    async def timeline_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, TimelinePage]:
        """As the port says; waits while the journal is not open."""
        wanted = tuple(ids)  # a read that is repeated needs them again
        return await self._read(lambda journal: journal.timeline_of(wanted, first, after))

    async def audit(self, query: AuditQuery) -> AuditPage:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.audit(query))

    async def note(self, entries: tuple[AuditEntry, ...]) -> None:
        """As the port says; refused while the journal is not open."""
        await self._writable().note(entries)

    async def trim_audit(self, *, before: Micros, limit: int) -> int:
        """As the port says; waits while the journal is not open."""
        return await self._read(lambda journal: journal.trim_audit(before=before, limit=limit))

    async def probe(self) -> None:
        """As the port says; refused while the journal is not open."""
        await self._writable().probe()

    async def tidy(self) -> None:
        """As the port says; refused while the journal is not open."""
        await self._writable().tidy()
