"""The example clients, built: for each language the command that runs it."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from attrs import frozen

__all__ = ["CACHE", "EXAMPLES", "PROGRAMS", "Program", "call", "npm"]

_ROOT = Path(__file__).parents[3]
EXAMPLES = _ROOT / "examples" / "websocket"
CACHE = _ROOT / ".cache" / "examples"
_BUILD_SECONDS = 600


def call(*command: str, cwd: Path = EXAMPLES, **variables: str) -> str:
    """Run a tool to its end; what it said. Fails with that where it fails."""
    done = subprocess.run(
        command,
        cwd=cwd,
        env=os.environ | variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_BUILD_SECONDS,
        check=False,
    )
    assert done.returncode == 0, f"{' '.join(command)}\n{done.stdout}"
    return done.stdout


def npm(source: Path, place: Path) -> Path:
    """Install what a lock file names, unless that has been done; the folder of it."""
    lock = (source / "package-lock.json").read_bytes()
    stamp = place / f".stamp-{hashlib.sha256(lock).hexdigest()[:16]}"
    if not stamp.exists():
        place.mkdir(parents=True, exist_ok=True)
        for name in ("package.json", "package-lock.json"):
            shutil.copy(source / name, place)
        call("npm", "ci", "--no-audit", "--no-fund", "--loglevel=error", cwd=place)
        stamp.touch()
    return place


def typescript() -> Sequence[str]:
    place = npm(EXAMPLES, CACHE / "node")
    for name in ("package.json", "tsconfig.json", "typescript-client.ts"):
        shutil.copy(EXAMPLES / name, place)
    call("npx", "--offline", "tsc", cwd=place)
    return ("node", str(place / "dist" / "typescript-client.js"))


def python(name: str) -> Callable[[], Sequence[str]]:
    return lambda: (sys.executable, str(EXAMPLES / name))


def go() -> Sequence[str]:
    program = CACHE / "go-client"
    call("go", "build", "-o", str(program), "go-client.go", GOFLAGS="-mod=readonly")
    return (str(program),)


def rust() -> Sequence[str]:
    place = CACHE / "cargo"
    call("cargo", "build", "--locked", "--quiet", CARGO_TARGET_DIR=str(place))
    return (str(place / "debug" / "rust-client"),)


@frozen
class Program:
    """``needs`` is the tool that must be on the machine, None for what the tests run on."""

    name: str
    needs: str | None
    build: Callable[[], Sequence[str]]


PROGRAMS = (
    Program("typescript", "node", typescript),
    Program("python", None, python("python-client.py")),
    Program("python-asyncio", None, python("python-asyncio-client.py")),
    Program("go", "go", go),
    Program("rust", "cargo", rust),
)
