"""The journal in an SQLite file: one writer, a few readers, all in threads.

WAL with ``synchronous=FULL``. The table of incidents is a snapshot that every append keeps up
to date, so that opening replays nothing, however many events there are.
"""

import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import structlog
import trio

from incident_manager.actors.audit import AuditEntry
from incident_manager.actors.journal import (
    sqlite_audit,
    sqlite_beside,
    sqlite_file,
    sqlite_read,
    sqlite_redact,
    sqlite_write,
)
from incident_manager.actors.journal.base import (
    Append,
    Bounds,
    Chunk,
    JournalUnavailable,
    Loaded,
    Needs,
    nothing,
)
from incident_manager.actors.journal.place import check_first
from incident_manager.actors.journal.query import check_query
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
from incident_manager.actors.journal.rules import check_batch, check_read
from incident_manager.actors.journal.sqlite_errors import (
    read_transaction,
    translated,
    write_transaction,
)
from incident_manager.actors.journal.sqlite_interrupt import interruptible
from incident_manager.actors.journal.sqlite_open import open_file
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS, Migrations
from incident_manager.actors.journal.sqlite_writer import Writer, open_writer
from incident_manager.actors.model import Alert, Incident, Micros
from incident_manager.actors.selectors import Selectors

__all__ = ["SqliteJournal", "open_sqlite"]

_T = TypeVar("_T")

_PROBE = "UPDATE meta SET value = randomblob(65536) WHERE key = 'probe'"

logger = structlog.get_logger(__name__)


class SqliteJournal:
    """The :class:`~incident_manager.actors.journal.base.Journal` in an SQLite file.

    Made by :func:`open_sqlite`. Nothing that has begun in a thread is ever abandoned: a write
    that is cancelled meanwhile ends its work first; a read is interrupted, and its thread is free.
    """

    def __init__(
        self,
        path: Path,
        backup: Path | None,
        writer: Writer,
        readers: Sequence[sqlite3.Connection],
        aside: sqlite3.Connection,
        *,
        scrub_due: bool,
    ) -> None:
        self.backup = backup
        """The copy of the older file, if opening has migrated it."""
        self._where = str(path)
        self._writer = writer
        self._readers = tuple(readers)
        self._idle = list(readers)
        self._read_limit = trio.CapacityLimiter(len(readers))
        self._aside = aside
        self._aside_limit = trio.CapacityLimiter(1)
        self._closed = False
        self._scrub_due = scrub_due

    @property
    def location(self) -> str:
        """The file's absolute path, without links."""
        return self._where

    async def bounds(self) -> Bounds:
        """See the port."""
        return await self._read(sqlite_read.read_bounds)

    async def load(self, needs: Needs, now: Micros, since: Micros) -> Loaded:
        """See the port."""
        return await self._read(lambda connection: sqlite_read.load(connection, needs, now, since))

    async def append(self, batch: Append, meanwhile: Callable[[], None] = nothing) -> None:
        """See the port."""
        check_batch(batch)

        def work(connection: sqlite3.Connection) -> None:
            rows = sqlite_write.rows_of(batch)
            with write_transaction(connection, self._where):
                sqlite_write.write(connection, batch.expected_head, rows)
                for redaction in batch.redactions:
                    sqlite_redact.redact(connection, redaction)
                self._writer.nearly()
            if batch.redactions:
                self._scrub(connection)

        await self._write(work, meanwhile)

    async def read_after(self, offset: int, limit: int) -> Chunk:
        """See the port."""
        check_read(offset, limit)
        return await self._read(
            lambda connection: sqlite_read.read_after(connection, offset, limit)
        )

    async def read_bearing(self, labels: Selectors, offset: int, limit: int) -> Chunk:
        """See the port."""
        check_read(offset, limit)
        return await self._read(
            lambda connection: sqlite_read.read_bearing(connection, labels, offset, limit)
        )

    async def secret(self) -> bytes:
        """See the port."""
        return await self._read(sqlite_read.read_secret)

    async def alerts_by_id(self, ids: Iterable[str]) -> Mapping[str, Alert]:
        """See the port."""
        return await self._read(lambda connection: sqlite_beside.read_alerts(connection, ids))

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

    async def trim(self, *, keep: int, before: Micros, limit: int, expired: Micros = 0) -> int:
        """See the port."""

        def work(connection: sqlite3.Connection) -> int:
            with write_transaction(connection, self._where):
                bounds = sqlite_read.read_bounds(connection)
                return sqlite_write.trim(
                    connection, bounds, keep=keep, before=before, limit=limit, expired=expired
                )

        return await self._write(work)

    async def audit(self, query: AuditQuery) -> AuditPage:
        """See the port."""
        check_first(query.size)
        return await self._read(lambda connection: sqlite_audit.read_audit(connection, query))

    async def note(self, entries: tuple[AuditEntry, ...]) -> None:
        """See the port."""

        def work(connection: sqlite3.Connection) -> None:
            rows = [sqlite_audit.audit_row(entry) for entry in entries]
            with write_transaction(connection, self._where):
                connection.executemany(sqlite_audit.ADD_AUDIT, rows)

        await self._write(work)

    async def trim_audit(self, *, before: Micros, limit: int) -> int:
        """See the port."""

        def work(connection: sqlite3.Connection) -> int:
            with write_transaction(connection, self._where):
                return sqlite_audit.trim_audit(connection, before=before, limit=limit)

        return await self._write(work)

    async def probe(self) -> None:
        """See the port. It commits 64 KiB: what is rolled back never reaches the disk, and on a
        disk that is nearly full a few bytes would pass where an append does not.
        """

        def work(connection: sqlite3.Connection) -> None:
            with write_transaction(connection, self._where):
                connection.execute(_PROBE)
            if self._scrub_due:
                self._scrub(connection)

        await self._write(work)

    async def tidy(self) -> None:
        """See the port: a checkpoint. Commits do not make any (but for one that finds a WAL of
        80 MB), as they would be late by all that it writes.

        Most is copied beside them. What they have added meanwhile is little: it is copied in
        between two of them, so that the WAL is empty for once and begins anew.
        """

        def copy(connection: sqlite3.Connection) -> None:
            with translated(self._where):
                sqlite_file.checkpoint(connection)

        self._check_open()
        await trio.to_thread.run_sync(copy, self._aside, limiter=self._aside_limit)
        await self._write(copy)

    def _scrub(self, connection: sqlite3.Connection) -> None:
        """The change stands already: what fails here, or must wait, is tried with each probe."""
        self._scrub_due = True
        with suppress(sqlite3.OperationalError):
            self._scrub_due = not sqlite_redact.scrub(connection)

    async def _write(
        self, work: Callable[[sqlite3.Connection], _T], meanwhile: Callable[[], None] = nothing
    ) -> _T:
        self._check_open()
        return await self._writer.run(work, meanwhile)

    async def _read(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        def in_thread() -> _T:
            connection = self._idle.pop()
            try:
                with read_transaction(connection, self._where), interruptible(connection):
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
        readers = [self._read_limit] * len(self._readers)
        with trio.CancelScope(shield=True):
            for limit in (self._aside_limit, *readers):
                await limit.acquire_on_behalf_of(object())


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
    opened = await trio.to_thread.run_sync(open_file, path, readers, busy_timeout, migrations)
    try:
        async with open_writer(opened.writer) as writer:
            journal = SqliteJournal(
                opened.path,
                opened.backup,
                writer,
                opened.readers,
                opened.aside,
                scrub_due=sqlite_redact.scrub_due(opened.writer),
            )
            if opened.backup is not None:
                logger.info("journal migrated", journal=journal.location, backup=str(opened.backup))
            try:
                yield journal
            finally:
                await journal._drain()
    finally:
        with trio.CancelScope(shield=True):
            await trio.to_thread.run_sync(opened.resources.close)
