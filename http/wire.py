"""The bytes that leave one connection: everything goes through its wire, in order, and bounded.

Answers, frames of streams, pongs and closes of WebSockets, frames of HTTP/2: whoever has
something to say puts it here, whole, in one step. Nothing can come between two halves of a frame.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Protocol

import trio

from incident_manager.http.guarded_socket import GuardedSocket
from incident_manager.http.volley import Volley

__all__ = ["HIGH_WATER", "SMALL", "Member", "Wire"]

HIGH_WATER: Final = 64 * 1024
"""Bytes: with more waiting, whoever can wait waits before saying more."""
SMALL: Final = 16 * 1024
"""Bytes that may be on their way by a volley: they are not counted."""
_SLICE: Final = 64 * 1024  # bytes that the kernel is offered at a time

Spawn = Callable[[Callable[[], Awaitable[None]]], object]


class Member(Protocol):
    """The place of a wire's one subscription in a rank, which writes to the socket by itself."""

    @property
    def sent(self) -> int:
        """Bytes that it has written."""
        ...

    @property
    def aloft(self) -> bool:
        """Whether something is on its way."""
        ...

    def fall_out(self) -> None:
        """Write no more: the wire is not clear, or is being closed."""
        ...

    def settle(self) -> None:
        """Wait, and have everybody else wait, until nothing is on its way; and write no more."""
        ...


class Wire:
    """What waits for one peer: ``size`` bytes.

    In cleartext the kernel is offered what is written at once, without a change of tasks. What it
    does not take is sent by one task, which lives as long as there is something to send. Over
    TLS (``secure``) that task does all of it, and what has come together becomes one record.

    What is written while a ``volley`` gathers leaves by it; until it has landed nothing else does.
    While it is clear, a ``member`` of a rank may write past it.

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
        "member",
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
        self.member: Member | None = None
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
        member = self.member
        if member is not None and member.aloft:
            member.fall_out()
        if self._secure is None and not self._draining:
            volley = self._volley if self.member is None and len(data) <= SMALL else None
            if volley is not None and volley.gathering:
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
        if self.member is not None:
            self.member.fall_out()
        if not self._draining:
            self._draining = True
            self._spawn(self._drain)
        return self.size

    @property
    def volley(self) -> Volley | None:
        """By which a member may write: None over TLS."""
        return self._volley

    @property
    def clear(self) -> bool:
        """Whether a member may come: there is none, and nothing waits or is on its way."""
        return (
            self._buffer is None and not self._draining and self.member is None and not self.closed
        )

    def enlist(self, member: Member) -> None:
        """Have a member write past it."""
        self.member = member
        self._socket.hold = member

    def dismiss(self, *, late: bool) -> None:
        """The member writes no more; ``late``: what it has written is on its way, until
        :meth:`landed`.
        """
        member, self.member = self.member, None
        if member is not None:
            self.taken += member.sent
        self._draining = late
        self._socket.hold = self._volley if late else None

    def try_now(self, data: bytes) -> int:
        """Write past it: so many bytes are taken, -1: nobody is there."""
        if not self.closed:
            with suppress(OSError):
                return self._socket.try_send(data)
        return -1

    def undone(self, data: bytes, taken: int) -> None:
        """The member that there was has written it, and only so many bytes were taken; -1: nobody
        is there.
        """
        if self.closed:
            return
        if taken < 0:
            self.close()
            return
        self.taken -= len(data) - taken
        rest = bytearray(memoryview(data)[taken:])
        self._buffer = rest if self._buffer is None else rest + self._buffer
        if not self._draining:
            self._draining = True
            self._spawn(self._drain)
        self._tell()

    @property
    def descriptor(self) -> int:
        """The socket's; -1 when nothing can be sent any more."""
        return -1 if self.closed else self._socket.descriptor

    def write_now(self, data: bytes) -> None:
        """What the volley has for it, without the volley."""
        self.landed(data, self.try_now(data))

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
        if self.member is not None:  # what it has written may be on its way
            self.member.fall_out()
        while (self.size or self._draining) and not self.closed:
            await self._change()

    def close(self) -> None:
        """Nothing leaves any more: what waits is dropped, and nobody waits."""
        self.closed = True
        if self.member is not None:
            self.member.fall_out()
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
