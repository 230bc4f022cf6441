"""What a wire writes to, in place of a socket."""

from typing import Any

import trio

from incident_manager.http.guarded_socket import Hold

__all__ = ["Peer"]


class Peer:
    """A kernel that takes ``room`` bytes of one socket, and a peer that makes room."""

    def __init__(self, descriptor: int = 0) -> None:
        self.descriptor = descriptor
        self.hold: Hold | None = None
        self.got = bytearray()
        self.room = 0
        self.more = trio.Event()
        self.gone = False
        self.passes = 0

    def open(self, size: int) -> None:
        self.room += size
        self.more.set()

    def try_send(self, data: Any) -> int:
        if self.gone:
            raise BrokenPipeError
        some = bytes(data[: self.room])
        self.room -= len(some)
        self.got += some
        return len(some)

    async def writable(self) -> None:
        self.passes += 1
        while not self.room and not self.gone:
            self.more = trio.Event()
            await self.more.wait()
        await trio.lowlevel.checkpoint()

    async def send_all(self, data: bytes) -> None:
        await self.writable()
        if self.gone:
            raise trio.BrokenResourceError
        self.passes += 1
        self.got += data
        self.room = max(0, self.room - len(data))
