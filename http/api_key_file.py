"""The file of API keys: one TOML line for each, written by a command while servers read it."""

import fcntl
import logging
import os
import tomllib
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, TypeAlias

import trio

from incident_manager.http.api_keys import ApiKey, read_entries
from incident_manager.supervision import Child

__all__ = ["ApiKeyFile", "read_keys", "rewriting"]

_log = logging.getLogger(__name__)
_MOST_BYTES: Final = 4 * 1024 * 1024
_HEAD: Final = "# API keys of Incident Manager, written by `incident-manager api-key`.\n"
_State: TypeAlias = tuple[int, int, int] | None


def read_keys(path: Path, *, blank: bool = True) -> Mapping[str, ApiKey]:
    """The keys in the file; none where there is no file. Without ``blank`` there must be something
    in it: the command leaves a comment at least.

    Raises:
        ValueError: it cannot be read, or is not such a file; the text goes on after its name.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(content) > _MOST_BYTES:
        raise ValueError(f"is longer than {_MOST_BYTES} bytes")
    if not content and not blank:
        raise ValueError("is empty")
    try:
        entries = tomllib.loads(content.decode())
    except ValueError as error:
        raise ValueError("is not TOML") from error
    if not all(isinstance(entry, str) for entry in entries.values()):
        raise ValueError('holds something else than lines NAME = "ROLE sha256:…"')
    return read_entries(entries)


@contextmanager
def rewriting(path: Path) -> Generator[dict[str, ApiKey], None, None]:
    """The keys in the file, to change; written in one step when the block ends well.

    Who comes meanwhile waits.

    Raises:
        ValueError: as :func:`read_keys`.
        OSError: it cannot be written.
    """
    with path.with_name(f"{path.name}.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        keys = dict(read_keys(path))
        yield keys
        # Letters, digits, - and _ need no quotes in TOML, nor does an entry need escapes.
        lines = [f'{key.name} = "{key.entry()}"\n' for key in keys.values()]
        fresh = path.with_name(f"{path.name}.new")
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            with suppress(FileNotFoundError):
                old = path.stat()
                os.fchmod(file.fileno(), old.st_mode & 0o777)
                with suppress(PermissionError):  # the owner may be somebody else's to set
                    os.fchown(file.fileno(), old.st_uid, old.st_gid)
            file.writelines([_HEAD, *lines])
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)


class ApiKeyFile:
    """The actor that looks at the file each second, so that a revocation needs no restart.

    ``took`` is called with the keys of a file that has changed. One that cannot be used is logged,
    and leaves the keys as they are.
    """

    def __init__(
        self, path: Path, took: Callable[[Mapping[str, ApiKey]], None], period: float = 1.0
    ) -> None:
        self._path = path
        self._took = took
        self._period = period
        self._seen: _State | None = None
        self._failure: str | None = None

    @property
    def failure(self) -> str | None:
        """Why the file cannot be used, if so."""
        return self._failure

    def statistics(self) -> dict[str, object]:
        """The live figures of the actor tree."""
        return {"failure": self._failure}

    async def run(
        self,
        child: Child,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        """Follow the file until cancelled (a body of the supervisor)."""
        child.observe(self.statistics)
        task_status.started()
        self._seen = (-1, -1, -1)  # what changed before this began counts too
        while True:
            state = await trio.to_thread.run_sync(self._state)
            if state != self._seen:
                self._seen = state
                try:
                    self.take(await trio.to_thread.run_sync(self._read))
                except ValueError as error:
                    self.fail(error)
            await trio.sleep(self._period)

    def take(self, keys: Mapping[str, ApiKey]) -> None:
        """These are in the file now."""
        try:
            self._took(keys)
        except ValueError as error:
            self.fail(error)
        else:
            self._failure = None

    def fail(self, error: ValueError) -> None:
        """The file cannot be used."""
        self._failure = str(error)
        _log.error("auth.api_keys_file %s; the keys known go on", error)

    def _read(self) -> Mapping[str, ApiKey]:
        # Who writes it in place leaves it empty for a moment: that takes nobody's key away.
        return read_keys(self._path, blank=False)

    def _state(self) -> _State:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_ino, found.st_size, found.st_mtime_ns
