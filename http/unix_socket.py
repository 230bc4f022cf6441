"""A Unix socket to listen on: taken only where nobody else has it, and tidied away at the end."""

import errno
import fcntl
import os
import socket
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

__all__ = ["MODE", "unix_listener"]

MODE: Final = 0o660
"""Who may connect: the user and the group of the server, whatever the umask."""

_BACKLOG: Final = 4096


@contextmanager
def unix_listener(path: str) -> Iterator[socket.socket]:
    """A socket that listens at ``path``; at the end it is closed and its file removed.

    The file of a server that has ended without removing it is replaced. Where the socket is closed
    before the end, another server may have put its own in the place, and that one stays.

    Raises:
        OSError: there is something else, a server has it, or it cannot be made. ``strerror``, or
            the text, says why.
    """
    with _turn(path), socket.socket(socket.AF_UNIX) as sock:
        _make_room(path)
        _bind(sock, path)
        sock.listen(_BACKLOG)
        listener = socket.socket(fileno=sock.detach())
    try:
        yield listener
    finally:
        listener.close()
        with suppress(OSError), _turn(path):
            _make_room(path)


@contextmanager
def _turn(path: str) -> Iterator[None]:
    """Between the look and the replacement no other server looks: the folder is locked, shortly."""
    folder = os.open(os.path.dirname(path) or ".", os.O_RDONLY | os.O_DIRECTORY)
    try:
        with suppress(OSError):  # some network file systems lock no folder
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def _make_room(path: str) -> None:
    """Remove a socket that nobody listens on; raises OSError where there is anything else."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISSOCK(mode):
        raise FileExistsError(errno.EEXIST, "there is something that is no socket", path)
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        try:
            probe.connect(path)
        except ConnectionRefusedError:
            os.unlink(path)
            return
        except BlockingIOError:
            pass  # its queue is full
    raise OSError(errno.EADDRINUSE, "another server listens there", path)


def _bind(sock: socket.socket, path: str) -> None:
    # The mode comes into being with the file: there is no moment in which others may connect.
    before = os.umask(0o777 & ~MODE)
    try:
        sock.bind(path)
    finally:
        os.umask(before)
