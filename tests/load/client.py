"""The load client: compiled where there is a C compiler, in Python where there is none."""

import json
import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

from attrs import frozen

from load.scenarios import Connect, Run
from load.server import Server

__all__ = ["ALERT", "PEER_QUERY", "QUERY", "WIDE_QUERY", "Client", "LoadClient", "build", "driving"]

_HERE = Path(__file__).resolve().parent
_MARGIN = 60.0  # seconds that a command may take beyond its own limits

_SELECTED = "id title severity state source createdAt"
QUERY = f'subscription {{ newIncidents(filter: {{sources: ["g@G@"]}}) {{ {_SELECTED} }} }}'
# Where our frames bear the cursor as an extension, those of a peer bear it as a field.
PEER_QUERY = QUERY.replace(_SELECTED, f"{_SELECTED} cursor")
WIDE_QUERY = QUERY.replace(_SELECTED, f"{_SELECTED} description")
ALERT = {"source": "g@G@", "title": "@T@", "description": "load", "severity": "P1"}


@frozen
class Client:
    """How to start the load client, and what to call it."""

    command: tuple[str, ...]
    name: str
    compiled: bool = False


def build(folder: Path, kind: str = "auto") -> Client:
    """Compile the load client into ``folder``; ``kind`` is ``c``, ``python`` or ``auto``.

    Raises:
        RuntimeError: ``c`` was asked for and cannot be had.
    """
    compiler = shutil.which(os.environ.get("CC", "cc")) if sys.platform == "linux" else None
    if kind == "c" and compiler is None:
        raise RuntimeError("a compiled load client needs Linux and a C compiler (cc)")
    if kind == "python" or compiler is None:
        return Client((sys.executable, str(_HERE / "pyclient.py")), "Python (no C compiler used)")
    program = folder / "loadclient"
    sources = sorted(str(path) for path in (_HERE / "loadclient").glob("*.c"))
    command = [compiler, "-O2", "-o", str(program), *sources]
    built = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if built.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{built.stderr}")
    return Client((str(program),), "C, one epoll loop", compiled=True)


class LoadClient:
    """A load client that runs; every method is one of its commands."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self._answers: queue.Queue[str] = queue.Queue()
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._answers.put(line)
        self._answers.put("")

    def _ask(self, command: str, seconds: float) -> dict[str, Any]:
        assert self._process.stdin is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        try:
            line = self._answers.get(timeout=seconds + _MARGIN)
        except queue.Empty:
            raise RuntimeError(f"the load client does not answer: {command}") from None
        if not line:
            raise RuntimeError(f"the load client ended at: {command}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def prepare(self, query: str, description: str = "load") -> Self:
        """Say what is subscribed to and what is sent."""
        self._ask("subscribe " + json.dumps({"query": query}), 0)
        # Without blanks, as the least of parsers would have it.
        alert = {**ALERT, "description": description}
        self._ask("alert " + json.dumps(alert, separators=(",", ":")), 0)
        return self

    def connect(self, wanted: Connect) -> dict[str, Any]:
        """Open the WebSockets; what came of it."""
        words = (wanted.count, wanted.in_flight, wanted.groups, 1, wanted.seconds)
        return self._ask("connect " + " ".join(map(str, words)), wanted.seconds)

    def run(self, run: Run) -> dict[str, Any]:
        """Send the alerts; what was delivered, and when."""
        words = (run.senders, run.batch, run.requests, run.seconds, run.rate, int(run.lockstep))
        command = "run " + " ".join(map(str, (*words, run.grace)))
        return self._ask(command, run.seconds + run.grace * 10)

    def stall(self, count: int) -> None:
        """Do not read from the first ``count`` WebSockets; 0: read from all again."""
        self._ask(f"stall {count}", 0)

    def leave(self) -> None:
        """Drop the WebSockets, to come back with the cursor of each."""
        self._ask("leave", 0)

    def come_back(self, in_flight: int, seconds: float) -> dict[str, Any]:
        """Open them again, ``in_flight`` at a time; what came of it."""
        return self._ask(f"return {in_flight} {seconds}", seconds)

    def settle(self, seconds: float) -> dict[str, Any]:
        """Wait until everybody has all that was acknowledged in the last run."""
        return self._ask(f"settle {seconds}", seconds)

    def close(self) -> None:
        """Drop the WebSockets."""
        self._ask("close", 0)

    def join(self) -> None:
        """Read its last answers; it has ended."""
        self._thread.join(_MARGIN)


@contextmanager
def driving(client: Client, server: Server) -> Iterator[LoadClient]:
    """Start the load client against ``server``; it ends with the block."""
    command = [*client.command, str(server.port), server.ws_path, server.post_path]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    )
    load = LoadClient(process)
    try:
        yield load.prepare(QUERY if server.ours else PEER_QUERY)
        assert process.stdin is not None
        process.stdin.close()
        process.wait(10)
    finally:
        if process.poll() is None:
            process.kill()
        with process:  # closes its pipes
            load.join()
