"""The bytes that leave one connection: everything goes through its wire, in order, and bounded.

Answers, frames of streams, pongs and closes of WebSockets, frames of HTTP/2: whoever has
something to say puts it here, whole, in one step. Nothing can come between two halves of a frame.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final

import trio

from incident_manager.http.guarded_socket import GuardedSocket
from incident_manager.http.volley import Volley

__all__ = ["HIGH_WATER", "Wire"]

HIGH_WATER: Final = 64 * 1024
"""Bytes: with more waiting, whoever can wait waits before saying more."""
_SMALL: Final = 16 * 1024  # bytes that may be on their way by a volley: they are not counted
_SLICE: Final = 64 * 1024  # bytes that the kernel is offered at a time

Spawn = Callable[[Callable[[], Awaitable[None]]], object]


class Wire:
    """What waits for one peer: ``size`` bytes.

    In cleartext the kernel is offered what is written at once, without a change of tasks. What it
    does not take is sent by one task, which lives as long as there is something to send. Over
    TLS (``secure``) that task does all of it, and what has come together becomes one record.

    What is written while a ``volley`` gathers leaves by it; until it has landed nothing else does.

    Nothing is refused here. Who writes without waiting in :meth:`room` bounds what it writes (see
    ``Outbox``). ``taken`` counts the bytes that have left.
    """

    __slots__ = (
        "_buffer",
        "_changed",
        "_draining",
        "_flight",
        "_progressed",
        "_secure",
        "_socket",
        "_spawn",
        "_volley",
        "closed",
        "taken",
    )

    def __init__(
        self,
        socket: GuardedSocket,
        spawn: Spawn,
        secure: "trio.SSLStream[GuardedSocket] | None" = None,
        volley: Volley | None = None,
    ) -> None:
        self._socket = socket
        self._spawn = spawn
        self._secure = secure
        self._volley = volley if secure is None else None
        self._buffer: bytearray | None = None
        self._flight = 0
        self._changed: trio.Event | None = None
        self._draining = False
        self._progressed: Callable[[], None] | None = None
        self.taken = 0
        self.closed = False

    def watch(self, progressed: Callable[[], None]) -> None:
        """Have it called when the peer has taken some of what waited, and at the end."""
        self._progressed = progressed

    @property
    def size(self) -> int:
        """Bytes that neither the kernel has nor TLS."""
        return self._flight + (0 if self._buffer is None else len(self._buffer))

    def write(self, data: bytes) -> int:
        """Send it after all that waits; no more than that where the connection is closed. The
        bytes that wait then.
        """
        if self.closed:
            return 0
        if self._buffer is not None:
            self._buffer += data
            return self.size
        sent = 0
        if self._secure is None and not self._draining:
            volley = self._volley
            if volley is not None and volley.gathering and len(data) <= _SMALL:
                self._draining = True
                self._socket.hold = volley
                volley.add(self, data)
                return 0
            try:
                sent = self._socket.try_send(data)
            except OSError:
                self.close()
                return 0
            self.taken += sent
            if sent == len(data):
                return 0
        self._buffer = bytearray(memoryview(data)[sent:])
        if not self._draining:
            self._draining = True
            self._spawn(self._drain)
        return self.size

    @property
    def descriptor(self) -> int:
        """The socket's; -1 when nothing can be sent any more."""
        return -1 if self.closed else self._socket.descriptor

    def write_now(self, data: bytes) -> None:
        """What the volley has for it, without the volley."""
        taken = -1
        if not self.closed:
            with suppress(OSError):
                taken = self._socket.try_send(data)
        self.landed(data, taken)

    def landed(self, data: bytes, taken: int) -> None:
        """What the volley sent: the kernel took so many bytes of it, or -1: nobody is there."""
        self._draining = False
        self._socket.hold = None
        if self.closed:
            self._tell()
            return
        if taken < 0:
            self.close()
            return
        self.taken += taken
        if taken < len(data):
            rest = bytearray(memoryview(data)[taken:])
            self._buffer = rest if self._buffer is None else rest + self._buffer
        if self._buffer is not None:
            self._draining = True
            self._spawn(self._drain)
            self._tell()
        elif self._changed is not None:
            self._tell()

    async def room(self) -> None:
        """Wait until less than ``HIGH_WATER`` waits, or the connection is closed."""
        if self.size < HIGH_WATER:
            await trio.lowlevel.checkpoint()
        while self.size >= HIGH_WATER and not self.closed:
            await self._change()

    async def emptied(self) -> None:
        """Wait until nothing waits, or the connection is closed."""
        await trio.lowlevel.checkpoint()
        while (self.size or self._draining) and not self.closed:
            await self._change()

    def close(self) -> None:
        """Nothing leaves any more: what waits is dropped, and nobody waits."""
        self.closed = True
        self._buffer = None
        self._flight = 0
        self._tell()

    async def _change(self) -> None:
        if self._changed is None:
            self._changed = trio.Event()
        await self._changed.wait()

    def _tell(self) -> None:
        if self._changed is not None:
            self._changed.set()
            self._changed = None
        if self._progressed is not None:
            self._progressed()

    async def _drain(self) -> None:
        try:
            while self._buffer is not None:
                if self._secure is None:
                    await self._pass()
                else:
                    await self._encrypt(self._secure)
                self._tell()
        except (OSError, trio.BrokenResourceError, trio.ClosedResourceError):
            self.close()
        finally:
            self._draining = False
            if self.size:  # cancelled: the connection ends
                self.close()
        self._tell()

    async def _pass(self) -> None:
        await self._socket.writable()
        buffer = self._buffer
        if buffer is None:  # closed meanwhile
            return
        with memoryview(buffer) as whole:
            sent = self._socket.try_send(whole[:_SLICE])
        self.taken += sent
        del buffer[:sent]
        if not buffer:
            self._buffer = None

    async def _encrypt(self, stream: "trio.SSLStream[GuardedSocket]") -> None:
        buffer = self._buffer
        if buffer is None:
            return
        some = bytes(buffer[:_SLICE])
        del buffer[: len(some)]
        self._flight = len(some)
        if not buffer:
            self._buffer = None
        await stream.send_all(some)
        self._flight = 0
        self.taken += len(some)
