"""Where the figures were taken, and who else was using that machine meanwhile."""

import os
import platform
import resource
import time
from datetime import date
from pathlib import Path

__all__ = ["Neighbours", "file_system", "machine", "wait_for_quiet"]

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK = 5.0  # seconds
_QUIET = 0.2  # cores


class Neighbours:
    """What other programs than this one and its (ended) children use, since it was made."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._all, self._ours = _busy(), _ours()

    def cores(self) -> float:
        """How many cores they have kept busy on average."""
        theirs = (_busy() - self._all) - (_ours() - self._ours)
        return max(0.0, theirs / max(time.monotonic() - self._began, 1e-9))


def wait_for_quiet(seconds: float) -> bool:
    """Wait, ``seconds`` at most, until others leave the machine alone; whether they do."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        neighbours = Neighbours()
        time.sleep(_LOOK)
        if neighbours.cores() < _QUIET:
            return True
    return False


def _busy() -> float:
    """Seconds of CPU that the machine has spent on work: user, nice, system, irq, softirq."""
    words = Path("/proc/stat").read_text().split("\n", 1)[0].split()
    return sum(int(words[at]) for at in (1, 2, 3, 6, 7)) / _TICKS


def _ours() -> float:
    spent = 0.0
    for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
        usage = resource.getrusage(who)
        spent += usage.ru_utime + usage.ru_stime
    return spent


def file_system(folder: Path) -> str:
    """The type of the file system that ``folder`` is on, from Linux's table of mounts."""
    found = (0, "unknown")
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, mount, kind, *_ = line.split()
        if folder.resolve().is_relative_to(mount):
            found = max(found, (len(mount), kind))
    return found[1]


def machine(client: str, data: Path, command: str) -> str:
    """Where, when and how the figures were taken."""
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return (
        f"{date.today().isoformat()}, `{command}`: {os.cpu_count()} cores "
        f"({models[0] if models else platform.machine()}), {memory:.0f} GB, "
        f"Linux {platform.release()}, {platform.python_implementation()} "
        f"{platform.python_version()}, journal on {file_system(data)}. "
        f"Load client: {client}."
    )
