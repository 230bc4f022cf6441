"""How an SQLite journal's file comes to be open: owned, of this version, with its connections."""

import os
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

from attrs import frozen

from incident_manager.actors.journal import sqlite_file, sqlite_read
from incident_manager.actors.journal.base import JournalError
from incident_manager.actors.journal.sqlite_errors import translated
from incident_manager.actors.journal.sqlite_owner import OwnerLock
from incident_manager.actors.journal.sqlite_schema import Migrations

__all__ = ["Opened", "open_file"]


@frozen
class Opened:
    """A journal file that is owned and open: ``resources`` lets go of all of it."""

    path: Path
    backup: Path | None
    writer: sqlite3.Connection
    readers: tuple[sqlite3.Connection, ...]
    aside: sqlite3.Connection
    """For what is done beside the writer, and must not take a reader away."""
    resources: ExitStack


def open_file(
    given: str | os.PathLike[str], readers: int, busy_timeout: float, migrations: Migrations
) -> Opened:
    """Own the journal's file, make or migrate it, and connect to it.

    Raises JournalError and JournalUnavailable, as ``open_sqlite`` says.
    """
    path = Path(os.path.realpath(given))  # by whatever name: the same file, the same lock
    with translated(str(path)), ExitStack() as stack:
        stack.callback(OwnerLock(path).release)
        backup = _prepare(path, migrations)
        sqlite_file.clean(path)

        def connect(*, query_only: bool) -> sqlite3.Connection:
            connection = sqlite_file.connect(path, busy_timeout=busy_timeout, query_only=query_only)
            return stack.enter_context(closing(connection))

        writer = connect(query_only=False)
        sqlite_read.read_bounds(writer)
        pool = tuple(connect(query_only=True) for _ in range(readers))
        aside = connect(query_only=True)
        return Opened(path, backup, writer, pool, aside, stack.pop_all())


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
