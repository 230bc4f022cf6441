"""The real Prometheus and Alertmanager, with the very files of the integration guide."""

import subprocess
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import trio
from attrs import field, frozen

from system.docs.blocks import ROOT, blocks
from system.harness import ServerProcess, free_port, run

__all__ = [
    "Gauges",
    "alertmanager",
    "checked",
    "guide_files",
    "prometheus",
    "watched",
    "write_files",
]

GUIDE = ROOT / "docs" / "integration-guide.md"

# What takes minutes in the guide takes moments here.
FASTER = {
    "scrape_interval: 15s": "scrape_interval: 200ms",
    "evaluation_interval: 15s": "evaluation_interval: 200ms",
    "for: 1m": "for: 0s",
    "group_wait: 5s": "group_wait: 0s",
    "group_interval: 30s": "group_interval: 200ms",
}


def guide_files() -> dict[str, str]:
    """The files that the guide shows, by their names, as they stand there."""
    return {
        block.mark.removeprefix("file: "): block.text
        for block in blocks(GUIDE)
        if block.mark.startswith("file: ")
    }


def write_files(directory: Path, token: str, ports: Mapping[int, int]) -> None:
    """Write the guide's files, faster, and with other ports in the place of the guide's.

    Fails if one of these is not in the guide at all: then it would not be tested.
    """
    places = {f"localhost:{shown}": f"127.0.0.1:{port}" for shown, port in ports.items()}
    unused = set(FASTER) | set(places)
    for name, text in guide_files().items():
        for old, new in (FASTER | places).items():
            if old in text:
                unused.discard(old)
                text = text.replace(old, new)
        (directory / name).write_text(text)
    assert not unused, unused
    (directory / "incident-manager.token").write_text(f"{token}\n")


@frozen
class Gauges:
    """A service that tells Prometheus how slow its shards are."""

    port: int
    seconds: dict[str, float] = field(factory=dict)

    async def serve(
        self, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        serve = partial(trio.serve_tcp, self._answer, self.port, host="127.0.0.1")
        await serve(task_status=task_status)

    async def _answer(self, stream: trio.SocketStream) -> None:
        asked = b""
        while not asked.endswith(b"\r\n\r\n"):
            chunk = await stream.receive_some()
            if not chunk:
                return
            asked += chunk
        body = "# TYPE checkout_latency_seconds gauge\n" + "".join(
            f'checkout_latency_seconds{{shard="{shard}"}} {seconds}\n'
            for shard, seconds in self.seconds.items()
        )
        head = (
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        await stream.send_all((head + body).encode())


@asynccontextmanager
async def watched() -> AsyncIterator[Gauges]:
    """A service to watch; gone at the end."""
    gauges = Gauges(free_port())
    async with trio.open_nursery() as nursery:
        await nursery.start(gauges.serve)
        try:
            yield gauges
        finally:
            nursery.cancel_scope.cancel()


@asynccontextmanager
async def prometheus(directory: Path, config: str) -> AsyncIterator[ServerProcess]:
    """A ready Prometheus; killed at the end."""
    command = (
        "prometheus",
        f"--config.file={directory / config}",
        f"--web.listen-address=127.0.0.1:{free_port()}",
        f"--storage.tsdb.path={directory / 'prometheus'}",
        "--rules.alert.resend-delay=1s",
    )
    async with run(directory, command=command, ready_line="Server is ready") as process:
        yield process


@asynccontextmanager
async def alertmanager(directory: Path, port: int) -> AsyncIterator[ServerProcess]:
    """An Alertmanager that listens, alone; killed at the end."""
    command = (
        "prometheus-alertmanager",
        f"--config.file={directory / 'alertmanager.yml'}",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.path={directory / 'alertmanager'}",
        "--cluster.listen-address=",
    )
    async with run(directory, command=command, ready_line="Listening") as process:
        yield process


def checked(directory: Path, *command: str) -> str:
    """What a tool that checks a file says of it; fails where it is not content."""
    done = subprocess.run(
        command, cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
