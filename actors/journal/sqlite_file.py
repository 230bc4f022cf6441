"""An SQLite journal's file: what is there, how a new one is made, how an older one is migrated."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

from incident_manager.actors.journal.base import JournalError
from incident_manager.actors.journal.sqlite_errors import translated, write_transaction
from incident_manager.actors.journal.sqlite_schema import APPLICATION_ID, Migrations
from incident_manager.actors.journal.words import mark, words

__all__ = [
    "checkpoint",
    "clean",
    "connect",
    "create",
    "free_name",
    "look",
    "migrate",
    "put",
    "version",
]


def connect(
    path: Path, *, mode: str = "rw", busy_timeout: float = 5.0, query_only: bool = False
) -> sqlite3.Connection:
    """A connection in autocommit, for use from one thread at a time; ``mode`` as in SQLite's URIs.

    A commit returns when it survives a power cut (``synchronous=FULL``). ``busy_timeout`` is
    in seconds. Raises sqlite3.Error.
    """
    connection = sqlite3.connect(
        f"file:{quote(str(path))}?{mode if '=' in mode else f'mode={mode}'}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
        timeout=busy_timeout,
        cached_statements=256,
    )
    try:
        for pragma in (
            "synchronous = FULL",
            "temp_store = MEMORY",
            "secure_delete = ON",  # what is deleted is overwritten, not only unlinked
            f"cache_size = {-4096 if query_only else -16384}",  # KiB
            "wal_autocheckpoint = 20000",  # pages (80 MB): where nobody makes a checkpoint before
            "journal_size_limit = 67108864",  # bytes of the WAL kept after a burst
            f"query_only = {query_only:d}",
        ):
            connection.execute(f"PRAGMA {pragma}").close()
        for function, arguments in ((words, 1), (mark, 2)):
            connection.create_function(function.__name__, arguments, function, deterministic=True)
    except BaseException:
        connection.close()
        raise
    return connection


def checkpoint(connection: sqlite3.Connection) -> None:
    """Copy what the WAL has into the file, as far as nobody still reads what was there before.

    Nobody waits for it, and it waits for nobody (SQLite, "Write-Ahead Logging", PASSIVE). Where it
    has copied all, the next commit begins the WAL anew.
    """
    connection.execute("PRAGMA wal_checkpoint(PASSIVE)").close()


def version(path: Path) -> int:
    """The schema version of the journal at ``path``; 0 if nothing is there yet.

    Changes nothing. Raises :class:`JournalError` for what is no incident journal.
    """
    if not path.exists() or path.stat().st_size == 0:
        return 0
    if not path.is_file():
        raise JournalError(f"{path} is not a file")
    with path.open("rb") as file:
        if file.read(16) != b"SQLite format 3\0":
            raise JournalError(f"{path} is not an SQLite database")
    with translated(str(path)), closing(connect(path, mode=look(path))) as connection:
        mark = connection.execute("PRAGMA application_id").fetchone()[0]
        found = connection.execute("PRAGMA user_version").fetchone()[0]
    if mark != APPLICATION_ID or found < 1:
        raise JournalError(f"{path} is an SQLite database, but not an incident journal")
    return int(found)


def look(path: Path) -> str:
    """The mode in which nothing is changed, nor made beside it."""
    # Without a log nobody has it open, and SQLite need not make one (and leave it there).
    return "mode=ro" if Path(f"{path}-wal").exists() else "immutable=1"


def create(path: Path, steps: Migrations) -> None:
    """Make a new journal with a new epoch: complete under its name, or not there at all."""
    draft = Path(f"{path}.incomplete")
    draft.unlink(missing_ok=True)
    Path(f"{draft}-journal").unlink(missing_ok=True)
    try:
        with translated(str(path)), closing(connect(draft, mode="rwc")) as connection:
            with write_transaction(connection, str(path)):
                _take(connection, steps, 0)
                connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
                connection.execute(
                    "INSERT INTO meta (key, value) VALUES ('epoch', ?)", (uuid4().hex,)
                )
                connection.execute("INSERT INTO meta (key, value) VALUES ('probe', '')")
                connection.execute("DELETE FROM meta WHERE key = 'clean_due'")
            connection.execute("PRAGMA journal_mode = WAL").close()
        put(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def migrate(path: Path, steps: Migrations, found: int, *, busy_timeout: float = 5.0) -> Path:
    """Bring an older journal up to ``steps`` in one transaction; returns the copy made before.

    If it fails, the journal is as it was, and the copy is gone again.
    """
    copy = free_name(f"{path}.v{found}-backup")
    draft = Path(f"{copy}.incomplete")
    draft.unlink(missing_ok=True)
    with translated(str(path)), closing(connect(path, busy_timeout=busy_timeout)) as connection:
        try:
            draft.touch(mode=0o600)
            draft.chmod(path.stat().st_mode & 0o777)  # who may not read the one may not the other
            with closing(sqlite3.connect(draft)) as target:
                connection.backup(target)
            put(draft, copy)
            with write_transaction(connection, str(path)):
                _take(connection, steps, found)
        except BaseException:
            draft.unlink(missing_ok=True)
            copy.unlink(missing_ok=True)
            raise
    return copy


def clean(path: Path) -> None:
    """Write the whole file anew, without what was deleted, if a migration has asked for it."""
    with translated(str(path)), closing(connect(path)) as connection:
        if connection.execute("SELECT 1 FROM meta WHERE key = 'clean_due'").fetchone() is None:
            return
        connection.execute("PRAGMA temp_store = FILE").close()  # it needs room for all of it
        connection.execute("INSERT INTO search (search) VALUES ('optimize')")
        connection.execute("VACUUM")
        connection.execute("DELETE FROM meta WHERE key = 'clean_due'")
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").close()


def _take(connection: sqlite3.Connection, steps: Migrations, found: int) -> None:
    for statements in steps[found:]:
        for statement in statements:
            connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {len(steps)}")


def put(draft: Path, path: Path) -> None:
    """Give the finished draft its name, so that it keeps it after a power cut."""
    draft.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def free_name(wanted: str) -> Path:
    """The name, or the first that goes on from it and is free."""
    place, number = Path(wanted), 1
    while place.exists():  # an earlier copy is somebody's, and stays
        number += 1
        place = Path(f"{wanted}-{number}")
    return place
