"""Copies of an SQLite journal: one taken while it is in use, and one put in its place again.

A copy is made page by page inside one read transaction: it is of one moment, and the writer goes
on meanwhile (its log only cannot be cut before the copy is done). The memory that this takes
does not depend on the size of the file.
"""

import os
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from uuid import uuid4

from attrs import frozen

from incident_manager.actors.audit import AuditAction, AuditEntry
from incident_manager.actors.journal import sqlite_file
from incident_manager.actors.journal.base import Bounds, JournalError
from incident_manager.actors.journal.sqlite_audit import ADD_AUDIT, audit_row
from incident_manager.actors.journal.sqlite_errors import (
    read_transaction,
    translated,
    write_transaction,
)
from incident_manager.actors.journal.sqlite_owner import OwnerLock
from incident_manager.actors.journal.sqlite_read import read_bounds
from incident_manager.actors.journal.sqlite_schema import MIGRATIONS

__all__ = ["Restored", "back_up", "known_version", "restore"]

_STEP = 1024  # pages (4 MiB) between two looks at what else there is to do

Progress = Callable[[int, int], None]
"""Called with the pages that are left, and with all of them."""


def _quiet(left: int, all_: int) -> None:
    """Tell nobody."""


def known_version(path: Path) -> int:
    """The schema version of the journal at ``path``.

    Raises :class:`JournalError` where there is none, or one that this version does not know.
    """
    found = sqlite_file.version(path)
    if found == 0:
        raise JournalError(f"{path} is not there, or empty")
    if found > len(MIGRATIONS):
        raise JournalError(
            f"{path} has schema version {found}; this version knows {len(MIGRATIONS)} at most"
        )
    return found


def back_up(
    journal: Path, target: Path, *, force: bool = False, progress: Progress = _quiet
) -> Bounds:
    """Copy the journal to a new file, which only its owner may read; returns what it holds.

    ``target`` is complete under its name, and on the disk, or not there. Raises
    :class:`JournalError` where it is there already (unless ``force``), or where there is no
    journal; JournalUnavailable where the disk does not let it be written.
    """
    source = Path(os.path.realpath(journal))
    known_version(source)
    if target.exists() and (not force or not target.is_file()):
        raise JournalError(f"{target} is there already")
    if source == Path(os.path.realpath(target)):
        raise JournalError(f"{target} is the journal itself")
    with translated(str(target)), _draft(target) as draft:
        # Not mode=ro: that could not read the log of a journal whose server was killed.
        with closing(sqlite_file.connect(source, query_only=True)) as connection:
            bounds = _copy(connection, draft, str(source), progress)
        sqlite_file.put(draft, target)
    return bounds


@contextmanager
def _draft(target: Path) -> Iterator[Path]:
    """A new file beside ``target`` that only its owner may read; gone at the end if still there."""
    descriptor, name = tempfile.mkstemp(".incomplete", f"{target.name}.", target.parent)
    os.close(descriptor)  # before SQLite opens it: closing any descriptor drops its locks
    try:
        yield Path(name)
    finally:
        for each in (name, f"{name}-wal", f"{name}-shm", f"{name}-journal"):
            Path(each).unlink(missing_ok=True)


def _copy(source: sqlite3.Connection, draft: Path, where: str, progress: Progress) -> Bounds:
    """All pages as of now, synced; returns what they hold."""
    with closing(sqlite3.connect(draft, isolation_level=None)) as target:
        # Nobody needs half a draft: it is synced once, when it is whole.
        target.execute("PRAGMA journal_mode = OFF").close()
        target.execute("PRAGMA synchronous = OFF").close()
        with read_transaction(source, where):
            bounds = read_bounds(source)
            # The transaction is open already, so that every step copies of the same moment.
            source.backup(target, pages=_STEP, progress=lambda _, left, all_: progress(left, all_))
    _sync(draft)
    return bounds


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@frozen
class Restored:
    """What a restored journal holds, and where the one before it lies now, if there was one."""

    bounds: Bounds
    aside: Path | None


def restore(
    source: Path, journal: Path, *, force: bool = False, progress: Progress = _quiet
) -> Restored:
    """Put a copy of ``source`` in the journal's place, with a new epoch.

    The new epoch tells every client with an older cursor that there is a gap. A journal that is
    there already is moved aside, with ``force`` only; nothing is deleted. Raises
    :class:`JournalError` where it is there or in use, or where ``source`` is no journal.
    """
    version = known_version(source)
    path = Path(os.path.realpath(journal))
    if path == Path(os.path.realpath(source)):
        raise JournalError(f"{source} is the journal itself")
    with translated(str(path)):
        lock = OwnerLock(path)
        try:
            if path.exists() and not force:
                raise JournalError(f"{path} is there already")
            with _draft(path) as draft:
                with closing(sqlite_file.connect(source, mode=sqlite_file.look(source))) as given:
                    bounds = _copy(given, draft, str(source), progress)
                restored = _renew(draft, bounds, version)
                aside = _set_aside(path)
                sqlite_file.put(draft, path)
            return Restored(restored, aside)
        finally:
            lock.release()


def _renew(draft: Path, old: Bounds, version: int) -> Bounds:
    """Give the copy an epoch of its own, and say so in its audit."""
    where = str(draft)
    detail = {"epoch": old.epoch, "head": str(old.head)}
    entry = AuditEntry(time.time_ns() // 1000, AuditAction.RESTORED, "", detail=detail)
    with closing(sqlite_file.connect(draft)) as connection:
        with write_transaction(connection, where):
            connection.execute("UPDATE meta SET value = ? WHERE key = 'epoch'", (uuid4().hex,))
            if version == len(MIGRATIONS):
                connection.execute(ADD_AUDIT, audit_row(entry))
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()
        bounds = read_bounds(connection)
    _sync(draft)
    return bounds


def _set_aside(path: Path) -> Path | None:
    """Give what is at ``path`` another name, its log first: no log may meet another journal."""
    aside = sqlite_file.free_name(f"{path}.before-restore")
    for end in ("-wal", "-shm"):
        if Path(f"{path}{end}").exists():
            Path(f"{path}{end}").replace(f"{aside}{end}")
    if not path.exists():
        return None
    path.replace(aside)
    return aside
