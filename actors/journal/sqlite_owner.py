"""One process owns an SQLite journal, and in it one opener: a lock that dies with its process."""

import fcntl
import os
from contextlib import ExitStack
from pathlib import Path

from incident_manager.actors.journal.base import JournalError

__all__ = ["OwnerLock"]

_WIDTH = 20


class OwnerLock:
    """An exclusive ``flock`` on ``<journal>.lock``, taken at once or not at all.

    The kernel drops it with the process, so kill -9 leaves nothing to clean up; the file stays,
    because removing it would let two openers lock two files of the same name. It is not the
    journal itself that is locked: closing a second descriptor of that would drop SQLite's own.
    """

    __slots__ = ("_descriptor",)

    def __init__(self, journal: Path) -> None:
        """Lock the journal at this path (canonical: without links).

        Raises :class:`JournalError` if it is taken, OSError if the file cannot be made.
        """
        place = f"{journal}.lock"
        descriptor = os.open(place, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        with ExitStack() as stack:
            stack.callback(os.close, descriptor)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                owner = os.pread(descriptor, _WIDTH, 0).decode(errors="replace").strip()
                raise JournalError(_in_use(journal, owner)) from error
            # Of fixed width, so that on a full disk it still overwrites the one before.
            os.pwrite(descriptor, f"{os.getpid():<{_WIDTH}}\n".encode(), 0)
            stack.pop_all()
        self._descriptor = descriptor

    def release(self) -> None:
        """Let the next opener have the journal."""
        os.close(self._descriptor)


def _in_use(journal: Path, owner: str) -> str:
    who = "another process"
    if owner == str(os.getpid()):
        who = "this process already"
    elif owner:
        who = f"another process (pid {owner})"
    return f"{journal} is in use by {who}; one process owns a journal"
