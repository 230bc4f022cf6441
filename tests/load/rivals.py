"""The peers: other servers that do the same work, each built from its lock file."""

import hashlib
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from attrs import field, frozen

__all__ = [
    "LIMIT",
    "OURS",
    "RIVALS",
    "Rival",
    "build",
    "built",
    "missing",
    "source_hash",
    "versions",
]

_HERE = Path(__file__).resolve().parent
_PEERS = _HERE / "peers"
CACHE = _HERE.parent.parent / ".cache" / "bench"
"""Where they are built."""

OURS = "incident-manager"
LIMIT = "write-loop"
"""Not a server, but what none can be faster than on one core, with a write for each frame."""

_STAMP = ".built"
_PATIENCE = 1200.0  # seconds for one step of a build


@frozen(kw_only=True)
class Rival:
    """A server beside ours: how to build it and how to start it, in a folder of its own.

    ``key`` is its folder in ``tests/load/peers``; ``shared`` are files beside it that it needs.
    ``command`` gets the port as its last argument, and says ``ready`` when it may be connected to.
    ``packages`` are what its figures are figures of: patterns of their versions in the lock file.
    """

    key: str
    name: str
    cores: str
    needs: tuple[str, ...]
    steps: tuple[tuple[str, ...], ...]
    command: tuple[str, ...]
    lock: str
    packages: Mapping[str, str]
    runtime: tuple[str, ...]
    environment: Mapping[str, str] = field(factory=dict)
    shared: tuple[str, ...] = ()

    @property
    def home(self) -> Path:
        """Where it is built and run."""
        return CACHE / self.key


def _python(key: str, name: str, package: str) -> Rival:
    pip = ("venv/bin/python", "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    return Rival(
        key=key,
        name=name,
        cores="one process, one core",
        needs=(),
        steps=(
            (sys.executable, "-m", "venv", "venv"),
            (*pip, "--no-deps", "--requirement", "requirements.txt"),
        ),
        command=("venv/bin/python", "server.py"),
        lock="requirements.txt",
        packages={
            one: rf"(?m)^{one}==(\S+)" for one in (package, "uvicorn", "uvloop", "httptools")
        },
        runtime=("venv/bin/python", "--version"),
        shared=("asgi.py",),
    )


def _locked(name: str) -> str:
    return rf'(?m)^name = "{name}"\nversion = "([^"]+)"'


RIVALS = (
    Rival(
        key="graphql-ws",
        name="graphql-ws on Node",
        cores="one process, one core",
        needs=("node", "npm"),
        steps=(("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"),),
        command=("node", "server.mjs"),
        lock="package-lock.json",
        packages={
            one: rf'"node_modules/{one}": \{{\s*"version": "([^"]+)"'
            for one in ("graphql-ws", "ws", "graphql")
        },
        runtime=("node", "--version"),
        environment={"NODE_ENV": "production"},
    ),
    _python("strawberry", "Strawberry on uvicorn", "strawberry-graphql"),
    _python("ariadne", "Ariadne on uvicorn", "ariadne"),
    Rival(
        key="async-graphql",
        name="async-graphql on axum",
        cores="a thread on every core",
        needs=("cargo", "cc"),
        steps=(("cargo", "build", "--release", "--locked", "--quiet", "--jobs", "2"),),
        command=("target/release/async-graphql-peer",),
        lock="Cargo.lock",
        packages={one: _locked(one) for one in ("async-graphql", "axum", "tokio")},
        runtime=("rustc", "--version"),
    ),
    Rival(
        key="gqlgen",
        name="gqlgen",
        cores="goroutines on every core",
        needs=("go",),
        steps=(
            ("go", "tool", "gqlgen", "generate"),
            ("go", "build", "-mod=readonly", "-p", "2", "-o", "server", "."),
        ),
        command=("./server",),
        lock="go.mod",
        packages={
            one: rf"{re.escape(path)} v(\S+)"
            for one, path in {
                "gqlgen": "github.com/99designs/gqlgen",
                "coder/websocket": "github.com/coder/websocket",
            }.items()
        },
        runtime=("go", "version"),
    ),
    Rival(
        key=LIMIT,
        name="C loop of write()",
        cores="one thread",
        needs=("cc",),
        steps=(("cc", "-O2", "-o", "server", "main.c"),),
        command=("./server",),
        lock="main.c",
        packages={},
        runtime=("cc", "--version"),
    ),
)


def missing(rival: Rival) -> list[str]:
    """The programs it needs that are not on this machine."""
    return [name for name in rival.needs if shutil.which(name) is None]


def _sources(rival: Rival) -> dict[str, Path]:
    """What it is built from, by its path in the folder where it is built."""
    folder = _PEERS / rival.key
    found = {str(path.relative_to(folder)): path for path in folder.rglob("*") if path.is_file()}
    found |= {name: _PEERS / name for name in rival.shared}
    return {name: found[name] for name in sorted(found) if "__pycache__" not in name}


def source_hash(rival: Rival) -> str:
    """Changes with anything that it is built from, and with how."""
    digest = hashlib.sha256(repr(rival.steps).encode())
    for name, path in _sources(rival).items():
        digest.update(name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def built(rival: Rival) -> bool:
    """Whether it stands as its sources are now."""
    stamp = rival.home / _STAMP
    return stamp.exists() and stamp.read_text() == source_hash(rival)


def build(rival: Rival, say: Callable[[str], None]) -> None:
    """Build it, unless it stands; ``say`` is told what is done.

    Raises:
        RuntimeError: a step failed; with what it printed.
    """
    if built(rival):
        return
    (rival.home / _STAMP).unlink(missing_ok=True)
    for name, path in _sources(rival).items():
        place = rival.home / name
        place.parent.mkdir(parents=True, exist_ok=True)
        # A file that is as it was keeps its time, so that cargo need not start anew.
        if not place.exists() or place.read_bytes() != path.read_bytes():
            shutil.copyfile(path, place)
    for step in rival.steps:
        say(" ".join([Path(step[0]).name, *step[1:]]))
        done = subprocess.run(
            step, cwd=rival.home, capture_output=True, text=True, timeout=_PATIENCE, check=False
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(step)} failed:\n{done.stdout}{done.stderr}")
    (rival.home / _STAMP).write_text(source_hash(rival))


def versions(rival: Rival) -> str:
    """What was measured, such as ``gqlgen 0.17.98, go version go1.26.8 linux/amd64``.

    Raises:
        ValueError: a package is not in the lock file.
    """
    text = (_PEERS / rival.key / rival.lock).read_text()
    parts = []
    for package, pattern in rival.packages.items():
        found = re.search(pattern, text)
        if found is None:
            raise ValueError(f"{rival.lock} of {rival.key} does not name {package}")
        parts.append(f"{package} {found[1]}")
    said = subprocess.run(
        rival.runtime, cwd=rival.home, capture_output=True, text=True, timeout=30, check=True
    )
    line = said.stdout.strip().splitlines()[0]
    return ", ".join([*parts, f"Node {line}" if rival.runtime[0] == "node" else line])
