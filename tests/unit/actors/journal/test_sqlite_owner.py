import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from incident_manager.actors.journal.base import JournalError
from incident_manager.actors.journal.sqlite_owner import OwnerLock

HOLD = """
import sys
from pathlib import Path
from incident_manager.actors.journal.sqlite_owner import OwnerLock
lock = OwnerLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_one_opener_at_a_time(tmp_path: Path) -> None:
    journal = tmp_path / "incidents.db"
    first = OwnerLock(journal)
    message = rf"{journal} is in use by this process already; one process owns a journal"
    with pytest.raises(JournalError, match=message):
        OwnerLock(journal)
    first.release()
    OwnerLock(journal).release()
    assert not journal.exists()


def test_another_process_is_named_and_its_death_frees_the_journal(tmp_path: Path) -> None:
    journal = tmp_path / "incidents.db"
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(journal)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        message = rf"in use by another process \(pid {holder.pid}\); one process owns a journal"
        with pytest.raises(JournalError, match=message):
            OwnerLock(journal)
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        lock = OwnerLock(journal)
    assert Path(f"{journal}.lock").read_text().strip() == str(os.getpid())
    lock.release()


def test_an_owner_that_has_not_said_who_it_is(tmp_path: Path) -> None:
    journal = tmp_path / "incidents.db"
    lock = OwnerLock(journal)
    Path(f"{journal}.lock").write_text("")
    with pytest.raises(JournalError, match="in use by another process; one"):
        OwnerLock(journal)
    lock.release()


def test_a_lock_that_cannot_be_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        OwnerLock(tmp_path / "nowhere" / "incidents.db")
