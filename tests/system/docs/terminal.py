"""What a reader of a document has in front of them: a shell, wscat in another one, a server."""

import os
import re
import shlex
import signal
import sys
from collections import deque
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from subprocess import PIPE, STDOUT

import trio

from incident_manager.http.settings import SETTINGS
from system.client import PATIENCE
from system.harness import ServerProcess

__all__ = ["Lines", "Terminal", "opened"]

_KEYS = {setting.variable: setting.key for setting in SETTINGS} | {"LIM_CONFIG": "config"}
_HERE = Path(__file__).parent

# Here `make run` leaves word of what is wanted, and the test starts the server.
_PRELUDE = """
make() {{ [ "$1" = run ] || return 64; env > wanted.env; shift; printf '%s\\n' "$@" > wanted; }}
{client}
export PYTHONUNBUFFERED=1
"""
# What wscat is told to send is followed by a ping: its pong says that the server has read it all.
_TALK = """npx() {{ shift; {python} {talk} "$@" -x '{ping}'; }}"""
_WSCAT = """npx() {{ ( cd {place} && exec npx --offline "$@" -x '{ping}' ); }}"""
_PING = '{"type":"ping"}'
_VARIABLE = re.compile(r"\$([A-Z_]{2,})")
_PONG = '{"type":"pong"}'


class Lines:
    """The lines of a pipe, one after the other."""

    def __init__(self, stream: trio.lowlevel.FdStream) -> None:
        self._stream = stream
        self._rest = b""

    async def next(self) -> str:
        with trio.fail_after(PATIENCE):
            while b"\n" not in self._rest:
                chunk = await self._stream.receive_some()
                assert chunk, f"it has ended; its last words: {self._rest!r}"
                self._rest += chunk
        line, _, self._rest = self._rest.partition(b"\n")
        return line.decode()

    def close(self) -> None:
        self._stream.close()


class Terminal:
    """One bash for a whole document, so that variables live on, and what runs beside it."""

    def __init__(self, bash: trio.Process, server: ServerProcess) -> None:
        self._bash = bash
        self._serial = 0
        self._wscat_input: int | None = None
        self._wscat: Lines | None = None
        self._waiting: deque[str] = deque()
        self.server = server
        self.directory = server.place.directory
        assert bash.stdout is not None
        self._output = Lines(bash.stdout)  # type: ignore[arg-type]

    def real(self, text: str) -> str:
        """The text with the address of this test's server."""
        return text.replace("localhost:8080", f"127.0.0.1:{self.server.place.port}")

    async def run(self, text: str) -> str:
        """Run a block to its end; what it printed. Fails where a command fails."""
        self._serial += 1
        end = f"end-of-block-{self._serial}"
        script = self.directory / f"block-{self._serial}.sh"
        script.write_text(self.real(text))
        failing = "failed=0; trap 'failed=$?' ERR"
        await self._tell(f"{failing}; . ./{script.name} < /dev/null; echo; echo {end} $failed\n")
        lines: list[str] = []
        while not (line := await self._output.next()).startswith(end):
            lines.append(line)
        printed = "\n".join(lines).strip("\n")
        assert line == f"{end} 0", f"{text}\nfailed with {line.split()[-1]}:\n{printed}"
        if "kill -9" in text:
            assert await self.server.wait() == -signal.SIGKILL
        await self._serve()
        return printed

    async def expand(self, text: str) -> str:
        """The text with the shell's variables ($TOKEN) in the place of their names."""
        for name in sorted(set(_VARIABLE.findall(text)), reverse=True):
            text = text.replace(f"${name}", await self.run(f'printf %s "${name}"'))
        return text

    async def watch(self, text: str) -> None:
        """Run a block with wscat in a terminal of its own; one that is open is closed first."""
        self.unwatch()
        self._serial += 1
        names = [f"wscat-{self._serial}.in", f"wscat-{self._serial}.out"]
        for name in names:
            os.mkfifo(self.directory / name)
        # Both ends are held open here, so that nobody waits for anybody to open the other.
        self._wscat_input, output = (
            os.open(self.directory / name, os.O_RDWR | os.O_NONBLOCK) for name in names
        )
        self._wscat = Lines(trio.lowlevel.FdStream(output))
        script = self.directory / f"block-{self._serial}.sh"
        script.write_text(self.real(text))
        await self._tell(f"( . ./{script.name} ) < {names[0]} > {names[1]} 2>&1 &\n")
        while (line := await self._wscat.next()) != _PONG:
            self._waiting.append(line)

    async def wscat_line(self) -> str:
        """What wscat prints next."""
        assert self._wscat is not None, "no wscat is open"
        return self._waiting.popleft() if self._waiting else await self._wscat.next()

    def unwatch(self) -> None:
        """Close wscat, which must have printed nothing more than was shown."""
        assert not self._waiting, f"not shown: {self._waiting}"
        self.close()

    def close(self) -> None:
        """Close wscat as Ctrl+D does."""
        if self._wscat is not None and self._wscat_input is not None:
            os.close(self._wscat_input)
            self._wscat.close()
            self._wscat = self._wscat_input = None

    async def _tell(self, text: str) -> None:
        assert self._bash.stdin is not None
        await self._bash.stdin.send_all(text.encode())

    async def _serve(self) -> None:
        """Do what `make run` asked for, if it was called."""
        wanted = self.directory / "wanted"
        if not wanted.exists():
            return
        arguments = wanted.read_text().split()
        wanted.unlink()
        assert not arguments, f"make run with {arguments} is not known to the test"
        variables = dict(
            line.split("=", 1)
            for line in (self.directory / "wanted.env").read_text().splitlines()
            if line.startswith("LIM_")
        )
        await self.serve({_KEYS[name]: value for name, value in variables.items()})

    async def serve(self, settings: Mapping[str, str]) -> None:
        """Start the server again, with these settings. It ended by kill -9, or is stopped now."""
        if self.server.running.poll() is None:
            assert await self.server.stop() == 0
        self.server.settings = dict(settings)
        await self.server.start()


@asynccontextmanager
async def opened(server: ServerProcess, wscat: Path | None) -> AsyncIterator[Terminal]:
    """A terminal in the server's directory; ``wscat`` is where npm has installed it, if it has."""
    directory = server.place.directory
    programs = Path(sys.executable).parent
    (directory / ".venv").symlink_to(sys.prefix)
    client = _TALK.format(
        python=shlex.quote(sys.executable), talk=shlex.quote(str(_HERE / "talk.py")), ping=_PING
    )
    if wscat is not None:
        client = _WSCAT.format(place=shlex.quote(str(wscat)), ping=_PING)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LIM_")}
    path = f"{programs}{os.pathsep}{os.environ['PATH']}"
    bash = await trio.lowlevel.open_process(
        ["bash", "--noprofile", "--norc"],
        stdin=PIPE,
        stdout=PIPE,
        stderr=STDOUT,
        cwd=directory,
        env=inherited | {"PATH": path, "npm_config_loglevel": "error"},
    )
    terminal = Terminal(bash, server)
    try:
        await terminal.run(_PRELUDE.format(client=client))
        yield terminal
        terminal.unwatch()
    finally:
        terminal.close()
        assert bash.stdin is not None
        assert bash.stdout is not None
        with trio.CancelScope(shield=True):
            await bash.stdin.aclose()
            await bash.stdout.aclose()
            bash.kill()
            await bash.wait()
