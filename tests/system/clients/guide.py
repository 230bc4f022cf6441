"""The samples of the client guide, each made into a program that runs."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import trio

from system.client import PATIENCE
from system.clients.programs import CACHE, EXAMPLES, call, npm
from system.docs.blocks import ROOT, blocks
from system.docs.runner import CLIENT
from system.harness import Place

__all__ = ["GUIDE", "Printer", "command", "printing", "samples", "typed", "written"]

GUIDE = ROOT / "docs" / "WEBSOCKET_CLIENT_GUIDE.md"
_HERE = Path(__file__).parent
_TSC = (
    *("npx", "--offline", "tsc", "--strict", "--noUncheckedIndexedAccess"),
    *("--target", "es2023", "--module", "esnext", "--moduleResolution", "bundler"),
    *("--jsx", "react-jsx", "--types", "node"),
)


def samples() -> dict[str, str]:
    """The programs in the guide, by their names."""
    return {
        block.mark.removeprefix(CLIENT): block.text
        for block in blocks(GUIDE)
        if block.mark.startswith(CLIENT)
    }


def command(name: str, place: Place) -> tuple[Sequence[str], Path]:
    """Write a sample into a new folder, for this server; how it is run, and where."""
    kind = Path(name).suffix
    if kind in (".mjs", ".ts"):
        return _node(name, place)
    directory = _folder(kind.removeprefix("."), place, name, "Cargo.toml")
    if kind == ".py":
        return (sys.executable, name), directory
    if kind == ".go":
        for each in ("go.mod", "go.sum"):
            shutil.copy(_HERE / "go" / each, directory)
        call("go", "vet", name, cwd=directory, GOFLAGS="-mod=readonly")
        call("go", "build", "-o", "follow", name, cwd=directory, GOFLAGS="-mod=readonly")
        return ("./follow",), directory
    if kind == ".rs":
        shutil.copy(EXAMPLES / "Cargo.lock", directory)
        target = str(CACHE / "cargo")
        call(
            "cargo", "clippy", "-q", "--", "-D", "warnings", cwd=directory, CARGO_TARGET_DIR=target
        )
        call("cargo", "build", "-q", cwd=directory, CARGO_TARGET_DIR=target)
        return (f"{target}/debug/follow",), directory
    assert kind == ".sh", name
    if "npx" in samples()[name]:
        shutil.rmtree(directory)
        directory = npm(_HERE / "js", CACHE / "guide")
        _write(directory, place, name)
    return ("bash", name), directory


def written(name: str, place: Place, *parts: str) -> Path:
    """A sample beside the packages that it stands on, for this server."""
    directory = npm(_HERE / "js", CACHE / "guide") / "sample"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
    _write(directory, place, name, *parts)
    return directory / name


def typed(name: str, place: Place) -> Path:
    """The same for one in TypeScript: its types are right, and the JavaScript is beside it."""
    sample = written(name, place, "resuming-client.ts")
    call(*_TSC, name, cwd=sample.parent)
    return sample


def _node(name: str, place: Place) -> tuple[Sequence[str], Path]:
    if Path(name).suffix == ".ts":
        sample = typed(name, place).with_suffix(".js")
    else:
        sample = written(name, place)
    return ("node", sample.name), sample.parent


def _folder(kind: str, place: Place, *names: str) -> Path:
    directory = CACHE / f"guide-{kind}"
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir(parents=True)
    _write(directory, place, *names)
    return directory


def _write(directory: Path, place: Place, *names: str) -> None:
    for name in names:
        text = samples()[name].replace("localhost:8080", f"127.0.0.1:{place.port}")
        (directory / name).write_text(text)


class Printer:
    """A running sample: the lines that it has printed so far, and a way to wait for one."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._more = trio.Event()
        self._over = False
        self.lines: list[str] = []

    async def read(self) -> None:
        assert self._process.stdout is not None
        rest = b""
        async with self._process.stdout as stream:
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                self.lines += [line.decode() for line in lines]
                self._stir()
        self._over = True
        self._stir()

    def _stir(self) -> None:
        self._more.set()
        self._more = trio.Event()

    def has(self, text: str) -> bool:
        return any(text in line for line in self.lines)

    async def prints(self, text: str) -> None:
        """Wait for a line with this in it."""
        with trio.move_on_after(PATIENCE) as scope:
            while not self.has(text):
                assert not self._over, f"it ended without {text!r}: {self.lines}"
                await self._more.wait()
        assert not scope.cancelled_caught, f"no {text!r} in {self.lines}"

    async def ended(self) -> None:
        """Wait until it has said its last."""
        with trio.fail_after(PATIENCE):
            while not self._over:
                await self._more.wait()


def _kill_all(process: trio.Process) -> None:
    """A shell's children with it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


@asynccontextmanager
async def printing(run: Sequence[str], directory: Path, **variables: str) -> AsyncIterator[Printer]:
    """The sample, started; killed at the end."""
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            list(run),
            cwd=directory,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env=os.environ | variables,
        )
        printer = Printer(process)
        nursery.start_soon(printer.read)
        try:
            yield printer
        finally:
            _kill_all(process)
            with trio.CancelScope(shield=True):
                await process.wait()
            nursery.cancel_scope.cancel()
