"""The one edge where SQLite's errors become the port's, and a transaction's end is certain."""

import errno
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager

from incident_manager.actors.journal.base import JournalError, JournalUnavailable

__all__ = ["outcome", "read_transaction", "translated", "write_transaction"]

_PASSING = {
    sqlite3.SQLITE_BUSY,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_INTERRUPT,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_LOCKED,
    sqlite3.SQLITE_NOMEM,
    sqlite3.SQLITE_PROTOCOL,
    sqlite3.SQLITE_READONLY,
}
"""Codes that say nothing against the file: the disk or the moment is to blame."""

_PASSING_OS = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.EMFILE, errno.ENFILE}

_REFUSED = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_READONLY}
"""Codes of a COMMIT that has not written its last frame, without which it counts for nothing."""


def outcome(code: int, *, committing: bool) -> bool | None:
    """Whether a write that failed with this (extended) result code is in the file.

    False where it is certain that it is not; None where it may be: a COMMIT whose sync failed
    can still be found complete after a power cut. (SQLite, "Result and Error Codes", and
    "Write-Ahead Logging": a transaction counts from its commit frame on.)
    """
    if not committing or code & 0xFF in _REFUSED or code == sqlite3.SQLITE_IOERR_WRITE:
        return False
    return None


def _translate(error: sqlite3.Error, where: str, *, committing: bool) -> Exception:
    code = getattr(error, "sqlite_errorcode", None) or sqlite3.SQLITE_ERROR
    if code & 0xFF in _PASSING:
        return JournalUnavailable(f"{where}: {error}", written=outcome(code, committing=committing))
    return JournalError(f"{where}: {error}")


@contextmanager
def translated(where: str) -> Iterator[None]:
    """Turn errors of SQLite and of the system into JournalUnavailable or JournalError.

    Their messages are one line each, and begin with ``where``.
    """
    try:
        yield
    except sqlite3.Error as error:
        raise _translate(error, where, committing=False) from error
    except OSError as error:
        message = f"{where}: {error.strerror or error}"
        if error.errno in _PASSING_OS:
            raise JournalUnavailable(message) from error
        raise JournalError(message) from error


@contextmanager
def write_transaction(connection: sqlite3.Connection, where: str) -> Iterator[None]:
    """One write transaction: committed at the end, or rolled back by whatever is raised."""
    committing = False
    failure: Exception | None = None
    try:
        connection.execute("BEGIN IMMEDIATE")
        yield
        committing = True
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        failure = _translate(error, where, committing=committing)
        raise failure from error
    finally:
        # SQLite ends the transaction itself after some errors, and not after others.
        if connection.in_transaction:
            try:
                connection.execute("ROLLBACK")
            except sqlite3.Error as error:
                # What is known of the outcome is the first failure's to say.
                if failure is None:
                    raise _translate(error, where, committing=False) from error
                failure.add_note(f"and it could not be rolled back: {error}")


@contextmanager
def read_transaction(connection: sqlite3.Connection, where: str) -> Iterator[None]:
    """One read transaction: everything read inside is as of one moment."""
    with translated(where):
        try:
            connection.execute("BEGIN")
            yield
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
