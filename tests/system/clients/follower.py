"""A client program under test: a process that prints events and logs what happens to it."""

import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import trio
from attrs import frozen

from incident_manager.http.auth import Role, issue_token
from incident_manager.http.config import load_settings
from system.client import PATIENCE

__all__ = ["SECRET", "Entry", "Event", "Follower", "Token", "following"]

SECRET = "a secret of tests that is long enough"


@frozen
class Event:
    """A line of standard output."""

    stream: str
    cursor: str
    data: dict[str, Any]


Entry = Mapping[str, Any]
"""A line of the log. Each language's own library names the text of it as it likes."""


class Token:
    """The file that a client reads its token from."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._taken = trio.Event()
        self._settings = load_settings({"auth.jwt_secret": SECRET}, {}, lambda _: b"")

    def issue(self, ttl: float) -> str:
        """A token that is good for so many seconds."""
        return issue_token(self._settings, Role.RESPONDER, "tests", ttl)

    def give(self, ttl: float) -> None:
        """Put a new one there, as a whole."""
        fresh = self.path.with_suffix(".new")
        fresh.write_text(self.issue(ttl) + "\n")
        fresh.replace(self.path)

    async def keep_fresh(self, ttl: float) -> None:
        """Give a new one each second, as a sidecar would, until it is taken away."""
        while not self._taken.is_set():
            self.give(ttl)
            with trio.move_on_after(1):
                await self._taken.wait()

    def take_away(self) -> None:
        """Let there be none; nobody keeps it fresh any more."""
        self._taken.set()
        self.path.unlink()


class Follower:
    """The process: what it has printed so far, and a way to wait for more."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._more = trio.Event()
        self._open = 2
        self.events: list[Event] = []
        self.log: list[Entry] = []

    async def read(self, stream: trio.abc.ReceiveStream, *, events: bool) -> None:
        rest = b""
        async with stream:
            async for chunk in stream:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    found = json.loads(line)
                    if events:
                        self.events.append(Event(**found))
                    else:
                        self.log.append(found)
                self._stir()
        assert not rest, rest
        self._open -= 1
        self._stir()

    def _stir(self) -> None:
        self._more.set()
        self._more = trio.Event()

    def of(self, stream: str) -> list[Event]:
        return [event for event in self.events if event.stream == stream]

    async def has(self, stream: str, count: int) -> None:
        """Wait until it has had so many events of a stream."""
        while len(self.of(stream)) < count:
            await self._wait(f"{count} of {stream}, it has {len(self.of(stream))}")

    async def says(self, text: str, **fields: object) -> Entry:
        """Wait for an entry of the log with these fields, and take it out."""
        while True:
            for entry in self.log:
                if said(entry) == text and fields.items() <= entry.items():
                    self.log.remove(entry)
                    return entry
            await self._wait(f"{text!r} {fields}")

    def forget(self, text: str) -> None:
        """Take out what it has said of this so far: the next is news."""
        self.log = [entry for entry in self.log if said(entry) != text]

    async def _wait(self, what: str) -> None:
        assert self._open, f"it ended without {what}: {self.log}"
        with trio.move_on_after(PATIENCE) as scope:
            await self._more.wait()
        assert not scope.cancelled_caught, f"nothing happens; wanted: {what}; {self.log[-20:]}"

    async def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal; the exit code."""
        self._process.send_signal(number)
        return await self.ended()

    async def ended(self) -> int:
        """Wait for its end; the exit code."""
        with trio.fail_after(PATIENCE):
            code = await self._process.wait()
            while self._open:
                await self._more.wait()
        return code

    @property
    def running(self) -> bool:
        return self._process.poll() is None


def said(entry: Entry) -> str:
    """The text of an entry."""
    return next(str(entry[name]) for name in ("message", "msg", "event") if name in entry)


@asynccontextmanager
async def following(
    command: Sequence[str], url: str, **variables: object
) -> AsyncIterator[Follower]:
    """The program, started; killed at the end if it still runs."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("LIM_")}
    given = {name: str(value) for name, value in variables.items()}
    async with trio.open_nursery() as nursery:
        process = await trio.lowlevel.open_process(
            list(command),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=own | {"WS_URL": url} | given,
        )
        follower = Follower(process)
        assert process.stdout is not None
        assert process.stderr is not None
        nursery.start_soon(partial(follower.read, process.stdout, events=True))
        nursery.start_soon(partial(follower.read, process.stderr, events=False))
        try:
            yield follower
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
            nursery.cancel_scope.cancel()
