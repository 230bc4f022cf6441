"""A TCP proxy in front of a server whose network can be cut."""

import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import TypeAlias

import trio

from system.client import PATIENCE
from system.harness import free_port

__all__ = ["Proxy", "proxied"]

_NO_LINGER = struct.pack("ii", 1, 0)
_GONE = (OSError, trio.BrokenResourceError, trio.ClosedResourceError)
"""One of the two ends is gone; the other hears of it."""


Pair: TypeAlias = tuple[trio.SocketStream, trio.SocketStream]


class Proxy:
    """Carries bytes both ways; while it is cut it swallows them, and says so to nobody."""

    def __init__(self, target: int) -> None:
        self._target = target
        self._pairs: set[Pair] = set()
        self._dead: set[Pair] = set()
        self._cut = False
        self._more = trio.Event()
        self._shown = b""
        self.port = free_port()
        self.swallowed = 0

    @property
    def ws(self) -> str:
        return f"ws://127.0.0.1:{self.port}/graphql/ws"

    def cut(self) -> None:
        """From now on nothing comes through, and nothing is closed."""
        self._cut = True

    def forget(self) -> None:
        """Nothing more of the connections that are comes through; new ones are carried."""
        self._dead |= self._pairs

    def mend(self) -> None:
        """The network is back, and knows nothing of the connections that were."""
        self._cut = False
        for pair in list(self._pairs):
            for stream in pair:
                with suppress(*_GONE):
                    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
                    stream.socket.close()

    async def shows(self, text: bytes) -> None:
        """Wait until the client has been sent this."""
        with trio.fail_after(PATIENCE):
            while text not in self._shown:
                await self._more.wait()

    async def serve(self, task_status: trio.TaskStatus[object]) -> None:
        await trio.serve_tcp(self._carry, self.port, host="127.0.0.1", task_status=task_status)

    async def _carry(self, client: trio.SocketStream) -> None:
        try:
            server = await trio.open_tcp_stream("127.0.0.1", self._target)
        except OSError:
            return  # no server: the client finds its connection closed
        pair = (client, server)
        self._pairs.add(pair)
        try:
            async with server, trio.open_nursery() as nursery:
                nursery.start_soon(self._copy, pair, client, server)
                await self._copy(pair, server, client)
                nursery.cancel_scope.cancel()
        finally:
            self._pairs.discard(pair)
            self._dead.discard(pair)

    async def _copy(self, pair: Pair, source: trio.SocketStream, sink: trio.SocketStream) -> None:
        with suppress(*_GONE):
            while data := await source.receive_some(65_536):
                if self._is_cut(pair):
                    self.swallowed += len(data)
                else:
                    await sink.send_all(data)
                    if sink is pair[0]:
                        self._show(data)
            if not self._is_cut(pair):
                await sink.send_eof()
                return
        if self._is_cut(pair):
            await trio.sleep_forever()  # the end of it does not come through either

    def _is_cut(self, pair: Pair) -> bool:
        return self._cut or pair in self._dead

    def _show(self, data: bytes | bytearray) -> None:
        self._shown = (self._shown + data)[-65_536:]
        self._more.set()
        self._more = trio.Event()


@asynccontextmanager
async def proxied(target: int) -> AsyncIterator[Proxy]:
    """A proxy in front of this port of loopback."""
    proxy = Proxy(target)
    async with trio.open_nursery() as nursery:
        await nursery.start(proxy.serve)
        yield proxy
        nursery.cancel_scope.cancel()
