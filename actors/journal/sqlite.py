"""The journal in an SQLite file: one writer, a few readers, all in threads.

WAL with ``synchronous=FULL``. The table of incidents is a snapshot that every append keeps up
to date, so that opening replays nothing, however many events there are.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from pathlib import Path
from typing import TypeVar

import structlog
import trio
from attrs import frozen

from incident_manager.actors.journal import sqlite_beside, sqlite_file, sqlite_read, sqlite_write
from incident_manager.actors.journal.base import (
    Append,
    Bounds,
    Chunk,
    JournalError,
    JournalUnavailable,
    Loaded,
    Needs,
)
from incident_manager.actors.journal.place import check_first
from incident_manager.actors.journal.query import check_query
from incident_manager.actors.journal.reads import (
    AlertPage,
    AlertQuery,
    CommentPage,
    IncidentPage,
    IncidentQuery,
    SearchQuery,
    Stats,
    TimelinePage,
)
from incident_manager.actors.journal.rules import check_batch, check_read
from incident_manager.actors.journal.sqlite_errors import (
    read_transaction,
    translated,
    write_transaction,
)
from incident_manager.actors.journal.sqlite_owner import OwnerLock
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS, Migrations
from incident_manager.actors.model import Alert, Incident, Micros

__all__ = ["SqliteJournal", "open_sqlite"]

_T = TypeVar("_T")

_PROBE = "UPDATE meta SET value = randomblob(65536) WHERE key = 'probe'"

logger = structlog.get_logger(__name__)


class SqliteJournal:
    """The :class:`~incident_manager.actors.journal.base.Journal` in an SQLite file.

    Made by :func:`open_sqlite`. Nothing that has begun in a thread is ever abandoned: a call
    that is cancelled meanwhile ends its work first.
    """

    def __init__(
        self,
        path: Path,
        backup: Path | None,
        writer: sqlite3.Connection,
        readers: Sequence[sqlite3.Connection],
    ) -> None:
        self.backup = backup
        """The copy of the older file, if opening has migrated it."""
        self._where = str(path)
        self._writer = writer
        self._readers = tuple(readers)
        self._idle = list(readers)
        self._write_limit = trio.CapacityLimiter(1)
        self._read_limit = trio.CapacityLimiter(len(readers))
        self._closed = False
        self._loaded_at: Micros = 0

    @property
    def location(self) -> str:
        """The file's absolute path, without links."""
        return self._where

    async def bounds(self) -> Bounds:
        """See the port."""
        return await self._read(sqlite_read.read_bounds)

    async def load(self, needs: Needs, now: Micros, since: Micros) -> Loaded:
        """See the port."""
        self._loaded_at = max(self._loaded_at, now)
        return await self._read(lambda connection: sqlite_read.load(connection, needs, now, since))

    async def append(self, batch: Append) -> None:
        """See the port."""
        check_batch(batch)

        def work(connection: sqlite3.Connection) -> None:
            rows = sqlite_write.rows_of(batch)
            with write_transaction(connection, self._where):
                sqlite_write.write(connection, batch.expected_head, rows)

        await self._write(work)

    async def read_after(self, offset: int, limit: int) -> Chunk:
        """See the port."""
        check_read(offset, limit)
        return await self._read(
            lambda connection: sqlite_read.read_after(connection, offset, limit)
        )

    async def incident(self, incident_id: str) -> Incident | None:
        """See the port."""
        return await self._read(
            lambda connection: sqlite_read.read_incident(connection, incident_id)
        )

    async def incidents(self, query: IncidentQuery) -> IncidentPage:
        """See the port."""
        check_query(query)
        return await self._read(lambda connection: sqlite_read.read_page(connection, query))

    async def search(self, query: SearchQuery) -> IncidentPage:
        """See the port."""
        check_query(query)
        return await self._read(lambda connection: sqlite_read.read_search(connection, query))

    async def stats(self, query: IncidentQuery) -> Stats:
        """See the port."""
        check_query(query)
        return await self._read(lambda connection: sqlite_read.read_stats(connection, query))

    async def alert(self, alert_id: str) -> Alert | None:
        """See the port."""
        return await self._read(lambda connection: sqlite_read.read_alert(connection, alert_id))

    async def alerts(self, query: AlertQuery) -> AlertPage:
        """See the port."""
        check_query(query)
        return await self._read(lambda connection: sqlite_read.read_alert_page(connection, query))

    async def incidents_by_id(self, ids: Iterable[str]) -> Mapping[str, Incident]:
        """See the port."""
        return await self._read(lambda connection: sqlite_beside.read_incidents(connection, ids))

    async def related(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Incident, ...]]:
        """See the port."""
        check_first(first)
        return await self._read(
            lambda connection: sqlite_beside.read_related(connection, ids, first, labels)
        )

    async def alerts_of(
        self, ids: Iterable[str], first: int, labels: Mapping[str, str] | None = None
    ) -> Mapping[str, tuple[Alert, ...]]:
        """See the port."""
        check_first(first)
        return await self._read(
            lambda connection: sqlite_beside.read_alerts_of(connection, ids, first, labels)
        )

    async def comments_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, CommentPage]:
        """See the port."""
        check_first(first)
        return await self._read(
            lambda connection: sqlite_beside.read_comments_of(connection, ids, first, after)
        )

    async def timeline_of(
        self, ids: Iterable[str], first: int, after: str | None = None
    ) -> Mapping[str, TimelinePage]:
        """See the port."""
        check_first(first)
        return await self._read(
            lambda connection: sqlite_beside.read_timeline_of(connection, ids, first, after)
        )

    async def trim(self, *, keep: int, before: Micros, limit: int) -> int:
        """See the port; an answer has expired by the latest ``now`` that a load has named."""
        expired = self._loaded_at

        def work(connection: sqlite3.Connection) -> int:
            with write_transaction(connection, self._where):
                bounds = sqlite_read.read_bounds(connection)
                return sqlite_write.trim(
                    connection, bounds, keep=keep, before=before, limit=limit, expired=expired
                )

        return await self._write(work)

    async def probe(self) -> None:
        """See the port. It commits 64 KiB: what is rolled back never reaches the disk, and on a
        disk that is nearly full a few bytes would pass where an append does not.
        """

        def work(connection: sqlite3.Connection) -> None:
            with write_transaction(connection, self._where):
                connection.execute(_PROBE)

        await self._write(work)

    async def _write(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        self._check_open()
        return await trio.to_thread.run_sync(work, self._writer, limiter=self._write_limit)

    async def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        def in_thread() -> _T:
            connection = self._idle.pop()
            try:
                with read_transaction(connection, self._where):
                    return work(connection)
            finally:
                self._idle.append(connection)

        self._check_open()
        return await trio.to_thread.run_sync(in_thread, limiter=self._read_limit)

    def _check_open(self) -> None:
        if self._closed:
            raise JournalUnavailable(f"{self._where}: the journal is closed")

    async def _drain(self) -> None:
        """Refuse what comes from now on, and wait for what came before: limiters are fair."""
        self._closed = True
        for limit in (self._write_limit, *[self._read_limit] * len(self._readers)):
            await limit.acquire_on_behalf_of(object())


@frozen
class _Opened:
    path: Path
    backup: Path | None
    writer: sqlite3.Connection
    readers: tuple[sqlite3.Connection, ...]
    resources: ExitStack


@asynccontextmanager
async def open_sqlite(
    path: str | os.PathLike[str],
    *,
    readers: int = 3,
    busy_timeout: float = 5.0,
    migrations: Migrations = MIGRATIONS,
) -> AsyncIterator[SqliteJournal]:
    """Open the journal in the file at ``path``, and make it if it is not there.

    ``readers`` is how many reads can run at once; ``busy_timeout`` how long, in seconds, a call
    waits where a foreign program holds the file's lock. An older schema is migrated after a copy.

    Raises :class:`JournalError` if another opener owns the file, if its schema is newer than
    this version's, or if it is no journal or a damaged one; :class:`JournalUnavailable` if the
    disk does not let it be opened now. What is refused is not changed.
    """
    # A thread that has begun ends: cancellation cannot part it from what it has opened.
    opened = await trio.to_thread.run_sync(_open, path, readers, busy_timeout, migrations)
    journal = SqliteJournal(opened.path, opened.backup, opened.writer, opened.readers)
    try:
        if opened.backup is not None:
            logger.info("journal migrated", journal=journal.location, backup=str(opened.backup))
        yield journal
    finally:
        with trio.CancelScope(shield=True):
            await journal._drain()
            await trio.to_thread.run_sync(opened.resources.close)


def _open(
    given: str | os.PathLike[str], readers: int, busy_timeout: float, migrations: Migrations
) -> _Opened:
    path = Path(os.path.realpath(given))  # by whatever name: the same file, the same lock
    with translated(str(path)), ExitStack() as stack:
        stack.callback(OwnerLock(path).release)
        backup = _prepare(path, migrations)

        def connect(*, query_only: bool) -> sqlite3.Connection:
            connection = sqlite_file.connect(path, busy_timeout=busy_timeout, query_only=query_only)
            return stack.enter_context(closing(connection))

        writer = connect(query_only=False)
        sqlite_read.read_bounds(writer)
        pool = tuple(connect(query_only=True) for _ in range(readers))
        return _Opened(path, backup, writer, pool, stack.pop_all())


def _prepare(path: Path, migrations: Migrations) -> Path | None:
    """Make or migrate the file; returns the copy of an older one."""
    found, known = sqlite_file.version(path), len(migrations)
    if found > known:
        raise JournalError(f"{path} has schema version {found}; this version knows {known} at most")
    if found == 0:
        sqlite_file.create(path, migrations)
    elif found < known:
        return sqlite_file.migrate(path, migrations, found)
    return None
