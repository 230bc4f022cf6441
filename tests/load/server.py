"""The server under load: a real process on a free port of 127.0.0.1, and what it uses."""

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import IO

from attrs import frozen

from load.rivals import OURS, Rival

__all__ = ["Server", "Usage", "serving", "serving_rival"]

_START = 30.0  # seconds
_STOP = 90.0  # with 10,000 connections that end at once
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@frozen
class Usage:
    """What the process uses: bytes resident, now and at most, bytes of all TCP buffers here, and
    seconds of CPU.
    """

    rss: int
    peak: int
    tcp: int
    cpu: float


@frozen
class Server:
    """A running server."""

    pid: int
    port: int
    ws_path: str = "/graphql/ws"
    post_path: str = "/v1/alerts"
    name: str = OURS

    @property
    def ours(self) -> bool:
        """It is the server that all this is about: it has a journal, and can be asked."""
        return self.name == OURS

    def usage(self) -> Usage:
        """Its use at this moment (Linux's /proc)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        # After the name, which may hold anything: utime and stime are fields 14 and 15 of proc(5).
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        sockets = Path("/proc/net/sockstat").read_text().split("TCP:")[1].split("\n")[0].split()
        tcp = int(sockets[sockets.index("mem") + 1])
        status = Path(f"/proc/{self.pid}/status").read_text()
        peak = int(status.split("VmHWM:")[1].split()[0]) * 1024
        cpu = (int(stat[11]) + int(stat[12])) / _TICKS
        return Usage(pages * _PAGE, peak, tcp * _PAGE, cpu)

    def incidents(self) -> int:
        """How many incidents there are, asked of the server itself."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            query = {"query": "{ incidents { pageInfo { totalCount } } }"}
            headers = {"Content-Type": "application/json", "Accept": "application/json"}
            connection.request("POST", "/graphql", json.dumps(query), headers)
            answer = json.loads(connection.getresponse().read())
        finally:
            connection.close()
        total: int = answer["data"]["incidents"]["pageInfo"]["totalCount"]
        return total


class _Log:
    """Reads a server's log to its end, says when it is ready, and keeps the last lines."""

    def __init__(self, stream: IO[str], *ready: str) -> None:
        self._stream = stream
        self._marks = ready
        self.last: deque[str] = deque(maxlen=40)
        self.settled = threading.Event()
        self.ready = False
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._stream:
            self.last.append(line.rstrip())
            if any(mark in line for mark in self._marks):
                self.ready = True
                self.settled.set()
        self.settled.set()

    def close(self) -> None:
        """Read the end, which comes when the server has ended, and close."""
        self._thread.join(_STOP)
        self._stream.close()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def serving(
    folder: Path,
    *,
    profile: Path | None = None,
    port: int = 0,
    settings: Sequence[tuple[str, str]] = (),
) -> Iterator[Server]:
    """Run ``incident-manager serve`` with its SQLite journal in ``folder``.

    With ``profile`` under cProfile, whose figures are written there; on a free port unless one is
    given; with further ``settings``, pairs of a flag and its value.

    Raises:
        RuntimeError: it did not start, or did not end well; with the end of its log.
    """
    port = port or _free_port()
    python: Sequence[str] = [sys.executable]
    if profile is not None:
        python = [sys.executable, "-m", "cProfile", "-o", str(profile)]
    arguments = {
        "--server-host": "127.0.0.1",
        "--server-http-port": str(port),
        "--server-max-connections": "0",
        "--server-drain-window": "0",
        "--server-graceful-timeout": "10",
        "--state-url": f"sqlite:///{folder / 'bench.db'}",
        "--observability-log-level": "info",
        **dict(settings),
    }
    flags = [part for pair in arguments.items() for part in pair]
    command = [*python, "-m", "incident_manager", "serve", *flags, "--observability-json-logs"]
    environment = {name: value for name, value in os.environ.items() if name[:4] != "LIM_"}
    process = subprocess.Popen(
        command,
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    log = _Log(process.stderr, '"event": "ready"', '"event":"ready"')
    try:
        if not log.settled.wait(_START) or not log.ready:
            raise RuntimeError("the server did not start:\n" + "\n".join(log.last))
        yield Server(process.pid, port)
        if process.poll() is not None:
            raise RuntimeError("the server ended under load:\n" + "\n".join(log.last))
        process.send_signal(signal.SIGTERM)
        try:
            ended = f"ended with {process.wait(_STOP)}"
        except subprocess.TimeoutExpired:
            ended = f"did not end within {_STOP:g} s"
        if process.returncode != 0:
            raise RuntimeError(f"the server {ended}:\n" + "\n".join(log.last))
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
        log.close()


@contextmanager
def serving_rival(rival: Rival) -> Iterator[Server]:
    """Run a peer, which has been built, on a free port; it ends with the block.

    Raises:
        RuntimeError: it did not start, or ended under load; with the end of what it printed.
    """
    port = _free_port()
    process = subprocess.Popen(
        [*rival.command, str(port)],
        cwd=rival.home,
        env={**os.environ, **rival.environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    log = _Log(process.stdout, "ready")
    try:
        if not log.settled.wait(_START) or not log.ready:
            raise RuntimeError(f"{rival.name} did not start:\n" + "\n".join(log.last))
        yield Server(process.pid, port, name=rival.key)
        if process.poll() is not None:
            raise RuntimeError(f"{rival.name} ended under load:\n" + "\n".join(log.last))
    finally:
        # How a peer ends is not what is measured.
        process.kill()
        process.wait()
        log.close()
