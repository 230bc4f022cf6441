"""A program in a terminal of its own (a pty), and what it has drawn there last."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import trio

from system.client import PATIENCE

__all__ = ["Terminal", "in_terminal"]

_CONTROL = re.compile(r"\x1b(?:\[[0-9;?]*[A-Za-z]|\].*?\x07|.)")
_HOME = "\x1b[H"

# The pty becomes the controlling terminal of a session of its own, so that ^C is a SIGINT.
_LAUNCH = """
import fcntl, os, sys, termios
os.setsid()
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


class Terminal:
    """What the program writes, as text; a frame is what came after the last "cursor home"."""

    def __init__(self, process: trio.Process, fd: int) -> None:
        self._fd = fd
        self._more = trio.Event()
        self.process = process
        self.written = ""
        self.over = False

    @property
    def frame(self) -> str:
        """The last thing drawn, without colours."""
        return _CONTROL.sub("", self.written.rpartition(_HOME)[2]).replace("\r", "")

    async def read(self) -> None:
        """Take in what it writes until it ends."""
        rest = b""
        try:
            while True:
                await trio.lowlevel.wait_readable(self._fd)
                rest += os.read(self._fd, 65536)
                try:
                    text, rest = rest.decode(), b""
                except UnicodeDecodeError as cut:
                    text, rest = rest[: cut.start].decode(), rest[cut.start :]
                self.written += text
                self._moved()
        except OSError:  # Linux says EIO when nobody holds the other side any more
            self.over = True
            self._moved()

    def _moved(self) -> None:
        self._more.set()
        self._more = trio.Event()

    async def until(self, seen: Callable[[str], object]) -> str:
        """Wait for a frame that is as wanted; it."""
        with trio.move_on_after(PATIENCE):
            while not seen(self.frame):
                assert not self.over, f"it ended: {self.written}"
                await self._more.wait()
            return self.frame
        raise AssertionError(f"never seen; last: {self.frame}")

    async def shows(self, *texts: str) -> str:
        """Wait for a frame with all these texts; it."""
        return await self.until(lambda frame: all(text in frame for text in texts))

    def type(self, text: str) -> None:
        """What the user types."""
        os.write(self._fd, text.encode())

    def resize(self, columns: int, lines: int) -> None:
        """The user makes the window larger or smaller."""
        fcntl.ioctl(self._fd, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))

    async def end(self) -> int:
        """Wait for its end; the exit code."""
        with trio.fail_after(PATIENCE):
            return await self.process.wait()


@asynccontextmanager
async def in_terminal(
    command: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    columns: int = 120,
    lines: int = 24,
) -> AsyncIterator[Terminal]:
    """Run a command in a terminal of that size; killed at the end if it still runs."""
    ours, theirs = pty.openpty()
    size = struct.pack("HHHH", lines, columns, 0, 0)
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, size)
    process = await trio.lowlevel.open_process(
        [sys.executable, "-c", _LAUNCH, *command],
        stdin=theirs,
        stdout=theirs,
        stderr=subprocess.STDOUT,
        cwd=cwd,
        env={**env, "TERM": "xterm-256color", "COLUMNS": "", "LINES": ""},
    )
    os.close(theirs)
    terminal = Terminal(process, ours)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(terminal.read)
        try:
            yield terminal
        finally:
            if process.poll() is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()
            nursery.cancel_scope.cancel()
    os.close(ours)
