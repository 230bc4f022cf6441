"""One socket whose writes end: by being taken, or because nothing is taken for too long."""

import math
import os
import socket
import struct
from collections.abc import Callable
from contextlib import suppress
from fcntl import ioctl
from termios import FIONREAD, TIOCOUTQ
from typing import Final, Protocol

import trio

__all__ = ["GuardedSocket", "Hold", "keep_little"]

_INTERNET: Final = frozenset({socket.AF_INET, socket.AF_INET6})
_KEPT: Final = 64 * 1024  # bytes not yet sent that the kernel is to hold of one connection
_SEND_BUFFER: Final = 128 * 1024  # of SO_SNDBUF, which Linux doubles for its own book-keeping
_CHUNK: Final = 64 * 1024  # bytes read at a time
_QUIET: Final = 60  # seconds of silence before TCP asks whether the peer is still there
_ASK_AGAIN: Final = 15  # seconds between such questions
_ASK: Final = 4  # unanswered questions after which the connection is gone
_GONE: Final = _QUIET + _ASK * _ASK_AGAIN  # seconds after which a silent peer is gone
_RESET: Final = struct.pack("ii", 1, 0)  # SO_LINGER: on, for no time at all


class Hold(Protocol):
    """What writes to a socket by its number."""

    def settle(self) -> None:
        """Have it end that, in one step."""
        ...


def keep_little(sock: trio.socket.SocketType) -> None:
    """Bound what the kernel holds for a peer, and have it ask now and then whether it is there.

    Without a bound Linux lets a send buffer grow to megabytes, takes nothing before a third of it
    is gone, and a slow reader looks like one that stalls.
    """
    with suppress(OSError):  # it is gone
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
        if sock.family not in _INTERNET:
            return
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        options = {
            "TCP_NOTSENT_LOWAT": _KEPT,
            "TCP_KEEPIDLE": _QUIET,
            "TCP_KEEPINTVL": _ASK_AGAIN,
            "TCP_KEEPCNT": _ASK,
        }
        for name, value in options.items():
            option = getattr(socket, name, None)  # not every system has each
            if option is not None:
                sock.setsockopt(socket.IPPROTO_TCP, option, value)


def _miss(sock: trio.socket.SocketType, patience: float) -> None:
    """Have TCP give up a peer that acknowledges nothing (RFC 5482), as it is gone without a word.

    A heartbeat always fits into the kernel, so nobody waits for it to be taken; left alone, TCP
    would send it again for a quarter of an hour. Who is there, but takes nothing, acknowledges
    nothing either: such a one is given up by its ``patience`` first.
    """
    option = getattr(socket, "TCP_USER_TIMEOUT", None)  # Linux has it
    if option is None or math.isinf(patience) or sock.family not in _INTERNET:
        return
    with suppress(OSError):  # it is gone
        sock.setsockopt(socket.IPPROTO_TCP, option, round(max(_GONE, 1.5 * patience) * 1000))


class GuardedSocket(trio.abc.HalfCloseableStream):
    """A stream over a socket that gives up on a peer which takes nothing for ``patience`` seconds.

    What the peer has acknowledged counts, so that a slow reader is not cut off. ``stalled`` is
    called when one is. ``preface`` is what was read of the stream already. ``descriptor`` is -1
    once it is closed; before it is, what is on its way by ``hold`` must have landed.
    """

    __slots__ = (
        "_emptied",
        "_patience",
        "_stalled",
        "_stream",
        "descriptor",
        "hold",
        "preface",
        "socket",
    )

    def __init__(
        self, stream: trio.SocketStream, patience: float, stalled: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._patience = patience
        self._stalled = stalled
        self.socket = stream.socket
        # Asked once; -1 as soon as it is closed, when the system may give it to another.
        self.descriptor = self.socket.fileno()
        self.preface = b""
        self._emptied = False  # by the last read, of what the peer had sent by then
        self.hold: Hold | None = None
        _miss(self.socket, patience)

    def try_send(self, data: bytes | bytearray | memoryview) -> int:
        """Have the kernel take what it takes at once: so many bytes, 0 if there is no room.

        Raises OSError where the connection is gone.
        """
        try:
            return os.write(self.descriptor, data)
        except BlockingIOError:
            return 0

    async def writable(self) -> None:
        """Wait until the kernel takes more.

        Raises:
            trio.BrokenResourceError: the peer took nothing for too long, and was cut off.
            trio.ClosedResourceError: the socket is closed, or was meanwhile.
        """
        if self.descriptor < 0:
            await trio.lowlevel.checkpoint()
            raise trio.ClosedResourceError("the socket was closed")
        left = self.outstanding()
        while True:
            with trio.move_on_after(self._patience):
                await trio.lowlevel.wait_writable(self.socket)
                return
            still = self.outstanding()
            if still is None or left is None or still >= left:
                break
            left = still
        self._stalled()
        self.abort()
        raise trio.BrokenResourceError("the peer takes nothing")

    def outstanding(self) -> int | None:
        """Bytes that the peer has not acknowledged; None where the system does not say."""
        return _ask(self.socket, TIOCOUTQ)

    def unread(self) -> int:
        """Bytes that the peer has sent and nobody has read; 0 where the system does not say."""
        return _ask(self.socket, FIONREAD) or 0

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """Send all of it (see :meth:`writable` for when it raises)."""
        await trio.lowlevel.checkpoint()
        rest = memoryview(data)
        try:
            while rest:
                taken = self.try_send(rest)
                rest = rest[taken:]
                if rest and not taken:
                    await self.writable()
        except OSError as gone:
            raise trio.BrokenResourceError("the connection is gone") from gone

    async def wait_send_all_might_not_block(self) -> None:
        """Wait until the kernel takes more."""
        await self.writable()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """What the peer has sent; empty at its end.

        Raises:
            trio.BrokenResourceError: the connection is gone.
            trio.ClosedResourceError: the socket was closed.
        """
        await trio.lowlevel.checkpoint_if_cancelled()
        waited = False
        if self._emptied and self.descriptor >= 0 and not self.preface:  # there is nothing yet
            await trio.lowlevel.wait_readable(self.socket)
            waited = True
        while True:
            some = self.try_receive(max_bytes or _CHUNK)
            if some is not None:
                if not waited:  # others have a turn
                    await trio.lowlevel.cancel_shielded_checkpoint()
                return some
            await trio.lowlevel.wait_readable(self.socket)
            waited = True

    def try_receive(self, max_bytes: int) -> bytes | None:
        """What is there of what the peer has sent: None if nothing, empty at its end.

        Raises as :meth:`receive_some`.
        """
        if self.preface:
            some = self.preface[:max_bytes]
            self.preface = self.preface[len(some) :]
            return some
        try:
            some = os.read(self.descriptor, max_bytes)
        except BlockingIOError:
            return None
        except OSError as gone:
            if self.descriptor < 0:
                raise trio.ClosedResourceError("the socket was closed") from None
            raise trio.BrokenResourceError("the connection is gone") from gone
        self._emptied = len(some) < max_bytes
        return some

    async def send_eof(self) -> None:
        """Close our direction."""
        await self._stream.send_eof()

    async def aclose(self) -> None:
        """Close both; what the kernel has goes out."""
        self._release()
        await self._stream.aclose()

    def _release(self) -> None:
        if self.hold is not None:
            self.hold.settle()
        self.descriptor = -1

    def abort(self) -> None:
        """Cut the peer off: the kernel throws away what it has for it."""
        with suppress(OSError):
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        self._release()
        self.socket.close()


def _ask(sock: trio.socket.SocketType, question: int) -> int | None:
    """How many bytes there are of something; None where the system does not say."""
    try:
        answer = ioctl(sock.fileno(), question, bytes(4))
    except (OSError, ValueError):  # ValueError: it is closed
        return None
    return int(struct.unpack("i", answer)[0])
