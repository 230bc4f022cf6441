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

__all__ = ["Server", "Usage", "serving"]

_START = 30.0  # seconds
_STOP = 30.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@frozen
class Usage:
    """What the process uses: bytes resident, bytes of all TCP buffers here, seconds of CPU."""

    rss: int
    tcp: int
    cpu: float


@frozen
class Server:
    """A running server."""

    pid: int
    port: int
    ws_path: str = "/graphql/ws"
    post_path: str = "/v1/alerts"

    def usage(self) -> Usage:
        """Its use at this moment (Linux's /proc)."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        # After the name, which may hold anything: utime and stime are fields 14 and 15 of proc(5).
        stat = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        sockets = Path("/proc/net/sockstat").read_text().split("TCP:")[1].split("\n")[0].split()
        tcp = int(sockets[sockets.index("mem") + 1])
        return Usage(pages * _PAGE, tcp * _PAGE, (int(stat[11]) + int(stat[12])) / _TICKS)

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

    def __init__(self, stream: IO[str]) -> None:
        self._stream = stream
        self.last: deque[str] = deque(maxlen=40)
        self.settled = threading.Event()
        self.ready = False
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        for line in self._stream:
            self.last.append(line.rstrip())
            if '"event": "ready"' in line or '"event":"ready"' in line:
                self.ready = True
                self.settled.set()
        self.settled.set()


def _free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@contextmanager
def serving(folder: Path, *, profile: Path | None = None) -> Iterator[Server]:
    """Run ``incident-manager serve`` with a fresh SQLite journal in ``folder``.

    With ``profile`` under cProfile, whose figures are written there.

    Raises:
        RuntimeError: it did not start, or did not end well; with the end of its log.
    """
    port = _free_port()
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
    log = _Log(process.stderr)
    try:
        if not log.settled.wait(_START) or not log.ready:
            raise RuntimeError("the server did not start:\n" + "\n".join(log.last))
        yield Server(process.pid, port)
        if process.poll() is not None:
            raise RuntimeError("the server ended under load:\n" + "\n".join(log.last))
        process.send_signal(signal.SIGTERM)
        if process.wait(_STOP) != 0:
            raise RuntimeError(
                f"the server ended with {process.returncode}:\n" + "\n".join(log.last)
            )
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
