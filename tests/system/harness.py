"""Servers to test against: as a process of its own, and in the test's own nursery."""

import json
import logging
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog
import trio
from attrs import field, frozen

from incident_manager.http import address
from incident_manager.http.config import load_settings
from incident_manager.http.gateway import Gateway
from incident_manager.http.server import serve
from system.certificates import Certificates
from system.client import PATIENCE

__all__ = [
    "LocalServer",
    "Place",
    "ServerProcess",
    "environment",
    "free_port",
    "local",
    "own_logging",
    "run",
]

COMMAND = (sys.executable, "-m", "incident_manager", "serve")
_LISTENS = ("server.host", "server.http_port", "server.tls_cert", "server.tls_key")


def free_port() -> int:
    """A port on loopback below the ones that connecting sockets get.

    While a server is down its port must stay free: of one from the ephemeral range, a client
    that connects again and again would in the end connect to itself.
    """
    while True:
        port = random.randint(15_000, 32_000)
        try:
            return address.probe("127.0.0.1", port)
        except OSError:
            continue


@frozen
class Place:
    """Where a server is and lies, whatever runs it; with ``tls`` it speaks nothing else."""

    directory: Path
    port: int = field(factory=free_port)
    tls: Certificates | None = None

    @property
    def journal(self) -> Path:
        return self.directory / "incidents.db"

    @property
    def http(self) -> str:
        return f"http{'' if self.tls is None else 's'}://127.0.0.1:{self.port}"

    @property
    def ws(self) -> str:
        return f"ws{'' if self.tls is None else 's'}://127.0.0.1:{self.port}/graphql/ws"

    def settings(self, given: Mapping[str, object]) -> dict[str, str]:
        """Settings by their key: those given over those of all tests."""
        base = {
            "server.host": "127.0.0.1",
            "server.http_port": str(self.port),
            "server.drain_window": "0.2",
            "state.url": f"sqlite:///{self.journal}",
            "observability.json_logs": "true",
        }
        if self.tls is not None:
            base |= {"server.tls_cert": str(self.tls.cert), "server.tls_key": str(self.tls.key)}
        return base | {key: str(value) for key, value in given.items()}


def environment(settings: Mapping[str, str]) -> dict[str, str]:
    """This process's environment with these settings as its only ``LIM_*`` variables."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LIM_")}
    given = {f"LIM_{key.replace('.', '_').upper()}": value for key, value in settings.items()}
    return own | given | {"PYTHONUNBUFFERED": "1"}


class ServerProcess:
    """``incident-manager serve`` (or another command that serves) as a process of its own.

    In the command ``{port}`` stands for the port; ``ready_line`` is what a line of its standard
    error bears when clients may come.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        place: Place,
        settings: Mapping[str, object],
        *,
        command: Sequence[str] = COMMAND,
        ready_line: str = '"event": "ready"',
    ) -> None:
        self._nursery = nursery
        self._command = command
        self._ready_line = ready_line
        self._process: trio.Process | None = None
        self._drained = trio.Event()
        self._more = trio.Event()
        self.place = place
        self.settings = dict(settings)
        self.lines: list[str] = []

    async def start(self) -> None:
        """Start it (again), on the same port and journal, and wait until it is ready."""
        ready = trio.Event()
        self._drained = trio.Event()
        self._process = await trio.lowlevel.open_process(
            [part.replace("{port}", str(self.place.port)) for part in self._command],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=environment(self._all_settings()),
            cwd=self.place.directory,
            start_new_session=True,
        )
        self._nursery.start_soon(self._read, self._process, ready, self._drained)
        with trio.fail_after(PATIENCE):
            await ready.wait()
            if self._drained.is_set():
                code = await self._process.wait()
                raise AssertionError("\n".join([f"it ended with {code}:", *self.lines]))

    def _all_settings(self) -> dict[str, str]:
        """Where it is to listen, another command than ``serve`` says by its flags."""
        found = self.place.settings(self.settings)
        if self._command is COMMAND:
            return found
        flags = set(_LISTENS) - self.settings.keys()
        return {key: value for key, value in found.items() if key not in flags}

    async def _read(self, process: trio.Process, ready: trio.Event, drained: trio.Event) -> None:
        assert process.stderr is not None
        rest = b""
        try:
            async for chunk in process.stderr:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self.lines.append(line.decode())
                    if self._ready_line in self.lines[-1]:
                        ready.set()
                self._more.set()
                self._more = trio.Event()
        finally:
            await process.stderr.aclose()
            drained.set()
            self._more.set()
            ready.set()  # it has ended; the starter looks

    @property
    def running(self) -> trio.Process:
        assert self._process is not None
        return self._process

    async def says(self, text: str) -> str:
        """Wait for a line of its standard error with this text in it, and take it out."""
        with trio.fail_after(PATIENCE):
            while True:
                for line in self.lines:
                    if text in line:
                        self.lines.remove(line)
                        return line
                assert not self._drained.is_set(), f"it has ended without {text!r}"
                await self._more.wait()

    def signal(self, number: int) -> None:
        self.running.send_signal(number)

    async def wait(self) -> int:
        """Wait for its end; the exit code (minus the signal that killed it)."""
        with trio.fail_after(PATIENCE):
            code = await self.running.wait()
            await self._drained.wait()
        return code

    async def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        self.signal(signal.SIGKILL)
        assert await self.wait() == -signal.SIGKILL

    async def stop(self) -> int:
        """SIGTERM; the exit code."""
        self.signal(signal.SIGTERM)
        return await self.wait()

    def logged(self) -> list[dict[str, Any]]:
        """Its log so far; what is no JSON object (a traceback of the interpreter) fails."""
        return [json.loads(line) for line in self.lines]

    def complaints(self) -> list[dict[str, Any]]:
        """What it logged above INFO."""
        return [entry for entry in self.logged() if entry["level"] not in ("info", "debug")]


@asynccontextmanager
async def run(
    directory: Path,
    *,
    command: Sequence[str] = COMMAND,
    ready_line: str = '"event": "ready"',
    tls: Certificates | None = None,
    **settings: object,
) -> AsyncIterator[ServerProcess]:
    """A ready server process; killed at the end if it still runs.

    Settings are given by their key with a double underscore for the dot: ``server__host=...``.
    With ``tls`` (of ``system.certificates.make``) it speaks TLS, and its URLs say so; clients then
    need ``tls.trust()``.
    """
    given = {key.replace("__", "."): value for key, value in settings.items()}
    async with trio.open_nursery() as nursery:
        server = ServerProcess(
            nursery, Place(directory, tls=tls), given, command=command, ready_line=ready_line
        )
        try:
            await server.start()
            yield server
        finally:
            with suppress(ProcessLookupError):  # it has ended, and all that it started
                os.killpg(server.running.pid, signal.SIGKILL)
            with trio.CancelScope(shield=True):
                await server.running.wait()
            nursery.cancel_scope.cancel()


@frozen
class LocalServer:
    """A server inside the test's own process, with its gateway at hand."""

    place: Place
    gateway: Gateway

    @property
    def ws(self) -> str:
        return self.place.ws

    @property
    def http(self) -> str:
        return self.place.http


@asynccontextmanager
async def local(
    directory: Path, *, tls: Certificates | None = None, **settings: object
) -> AsyncIterator[LocalServer]:
    """A ready server in a nursery of its own; it drains at the end. Arguments as for ``run``."""
    place = Place(directory, tls=tls)
    given = place.settings({key.replace("__", "."): value for key, value in settings.items()})
    loaded = load_settings(given, {}, lambda path: Path(path).read_bytes())
    with own_logging():
        async with trio.open_nursery() as nursery:
            with trio.fail_after(PATIENCE):
                gateway: Gateway = await nursery.start(serve, loaded)
            assert gateway.ready, gateway.failure
            yield LocalServer(place, gateway)
            gateway.drain()


@contextmanager
def own_logging() -> Iterator[None]:
    """Give pytest its log handlers back when the server is gone."""
    loggers = [logging.getLogger(name) for name in ("", "hypercorn.error", "hypercorn.access")]
    kept = [(logger, list(logger.handlers), logger.level, logger.propagate) for logger in loggers]
    try:
        yield
    finally:
        for logger, handlers, level, propagate in kept:
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)
        structlog.reset_defaults()
