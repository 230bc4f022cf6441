"""Real clients on Node, each in a process of its own, driven by lines of JSON."""

import json
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import trio

from system.client import PATIENCE, SUBMIT, alert_input

__all__ = ["Stock", "installed", "stock"]

_HERE = Path(__file__).parent / "clients_js"
_LEFT_ALONE = shutil.ignore_patterns("node_modules")


def installed(place: Path) -> Path:
    """Have npm install what the lock file names, beside the scripts."""
    shutil.copytree(_HERE, place, ignore=_LEFT_ALONE, dirs_exist_ok=True)
    command = ["npm", "ci", "--no-audit", "--no-fund", "--loglevel=error"]
    subprocess.run(command, cwd=place, check=True, timeout=300)
    return place


class Stock:
    """The stock client."""

    def __init__(self, process: trio.Process) -> None:
        self._process = process
        self._read = b""
        self.kept: list[dict[str, Any]] = []

    async def tell(self, command: str, **fields: object) -> None:
        assert self._process.stdin is not None
        line = json.dumps({"command": command, **fields})
        await self._process.stdin.send_all(line.encode() + b"\n")

    async def subscribe(self, name: str, query: str, **payload: object) -> None:
        await self.tell("subscribe", id=name, payload={"query": query, **payload})

    async def event(self, kind: str, name: str | None = None, **fields: object) -> dict[str, Any]:
        """The next event of a kind (of an operation, with these fields); the others are kept."""
        wanted = {"event": kind, **({} if name is None else {"id": name}), **fields}
        while True:
            for event in self.kept:
                if wanted.items() <= event.items():
                    self.kept.remove(event)
                    return event
            self.kept.append(await self._line())

    async def _line(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        while b"\n" not in self._read:
            with trio.fail_after(PATIENCE):
                chunk = await self._process.stdout.receive_some()
            assert chunk, f"the client has ended: {self.kept}"
            self._read += chunk
        line, _, self._read = self._read.partition(b"\n")
        event: dict[str, Any] = json.loads(line)
        return event

    async def title(self, name: str) -> str:
        result = (await self.event("next", name))["result"]
        title: str = result["data"]["newIncidents"]["title"]
        return title

    async def submit(self, title: str, **fields: object) -> dict[str, Any]:
        """Send an alert in; a mutation completes after its one result."""
        name = f"mutation {title}"
        await self.subscribe(name, SUBMIT, variables={"input": alert_input(title, **fields)})
        result = (await self.event("next", name))["result"]
        await self.event("complete", name)
        ack: dict[str, Any] = result["data"]["submitAlert"]
        return ack


@asynccontextmanager
async def stock(clients: Path, *arguments: str, script: str = "client.mjs") -> AsyncIterator[Stock]:
    """The client as a process; killed at the end."""
    process = await trio.lowlevel.open_process(
        ["node", script, *arguments], cwd=clients, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    assert process.stdin is not None
    assert process.stdout is not None
    async with process.stdin, process.stdout:
        try:
            yield Stock(process)
        finally:
            process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
