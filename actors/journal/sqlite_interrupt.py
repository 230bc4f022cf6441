"""An end to statements that nobody waits for any more."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import trio

__all__ = ["STEPS", "interruptible"]

STEPS: Final = 10_000
"""Instructions of SQLite's virtual machine between two looks: about a millisecond."""


@contextmanager
def interruptible(connection: sqlite3.Connection) -> Iterator[None]:
    """Have statements of this thread end soon after the call of the thread has been cancelled.

    For a thread of :func:`trio.to_thread.run_sync`, which waits for it. Cancellation comes out as
    what it is, whatever SQLite makes of it. The look is the statement's own ("Query Progress
    Callbacks"), so that it can never hit the statement of another call, as
    ``sqlite3_interrupt`` from outside could.
    """
    connection.set_progress_handler(_cancelled, STEPS)
    try:
        yield
    except BaseException:
        trio.from_thread.check_cancelled()
        raise
    finally:
        connection.set_progress_handler(None, STEPS)


def _cancelled() -> int:
    """Not zero ends the statement: SQLITE_INTERRUPT."""
    try:
        trio.from_thread.check_cancelled()
    except trio.Cancelled:  # it is raised again where the statement was begun
        return 1
    return 0
