"""The seam to Hypercorn's connections: none of them can hold the server up, or pull it down.

:func:`install` puts it in, for ``incident-manager serve`` and plain ``hypercorn`` alike.
"""

import logging
import math
from contextlib import suppress

import h11
import hypercorn.trio.run
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, LifespanState

__all__ = ["Guard", "GuardedServer", "install"]

_log = logging.getLogger(__name__)

Stream = trio.SSLStream[trio.SocketStream]


class Guard:
    """The open connections of one application.

    ``write_timeout`` is how long, in seconds, one write may take: whoever takes nothing for so
    long is cut off, and ``stalled`` counts them.
    """

    __slots__ = ("_begun", "_context", "_streams", "stalled", "write_timeout")

    def __init__(self, write_timeout: float = math.inf) -> None:
        self.write_timeout = write_timeout
        self.stalled = 0
        self._streams: set[Stream] = set()
        self._begun = trio.Event()
        self._context: WorkerContext | None = None

    def enter(self, stream: Stream, context: WorkerContext) -> None:
        """A connection begins."""
        self._streams.add(stream)
        self._context = context
        self._begun.set()

    def leave(self, stream: Stream) -> None:
        """It has ended."""
        self._streams.discard(stream)

    async def terminated(self) -> None:
        """Wait until Hypercorn, for whatever reason, has begun to stop; of that it tells its
        connections and not the application.
        """
        await self._begun.wait()
        assert self._context is not None  # noqa: S101 -- set before the event
        await self._context.terminated.wait()

    async def cut_off(self) -> None:
        """Close every connection as it is: what is being written to it or read ends now."""
        with trio.CancelScope(shield=True):
            for stream in tuple(self._streams):
                await trio.aclose_forcefully(stream)


class GuardedServer(TCPServer):
    """Hypercorn's handling of one connection, with an end to its writes and to its failures.

    Hypercorn 0.18 shields what it writes, so a client that reads nothing would hold its
    connection, and with it the server, past every grace period; and what it does not expect in
    one connection ends the process.
    """

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        state: LifespanState,
        stream: Stream,
    ) -> None:
        super().__init__(app, config, context, state, stream)
        guard = getattr(getattr(app, "app", None), "guard", None)
        self._guard = guard if isinstance(guard, Guard) else Guard()

    async def run(self) -> None:
        """Serve the connection to its end."""
        self._guard.enter(self.stream, self.context)
        try:
            await super().run()
        except* Exception:  # noqa: BLE001 -- ends this connection, not the others
            _log.exception("a connection failed")
        finally:
            self._guard.leave(self.stream)

    async def protocol_send(self, event: Event) -> None:
        """Write, or have the connection closed."""
        if isinstance(event, Closed):
            await self._end(event)
            return
        if not isinstance(event, RawData):
            await super().protocol_send(event)
            return
        # Shielded, because after a part of a frame nothing else may follow.
        deadline = trio.current_time() + self._guard.write_timeout
        with trio.CancelScope(shield=True, deadline=deadline) as scope:
            try:
                async with self.send_lock:
                    await self.stream.send_all(event.data)
            except (trio.BrokenResourceError, trio.ClosedResourceError):
                pass
            else:
                return
        if scope.cancelled_caught:
            self._guard.stalled += 1
            await trio.aclose_forcefully(self.stream)
        await self.protocol.handle(Closed())

    async def _end(self, event: Closed) -> None:
        """Close the connection; if a request is still coming in, close our direction only.

        To close it whole would make the kernel answer what comes with a reset, and the client
        might never see its answer (RFC 9112, section 9.6). So what comes is thrown away, for as
        long as a connection may be idle.

        Hypercorn asks for this in the application's task, which Quart cancels that very moment.
        """
        deadline = trio.current_time() + self._guard.write_timeout
        with trio.CancelScope(shield=True, deadline=deadline):
            if not _is_sending(self.protocol):
                await super().protocol_send(event)
                return
            with suppress(AttributeError, trio.BrokenResourceError, trio.ClosedResourceError):
                await self.stream.send_eof()  # which TLS does not have
            self.protocol = _Discard(self.protocol)
            await self.idle_task.restart(self._task_group, self._idle_timeout)


def _is_sending(protocol: ProtocolWrapper) -> bool:
    """Whether a client of HTTP/1.1 has not sent all of its request."""
    inner = protocol.protocol
    return isinstance(inner, H11Protocol) and inner.connection.their_state is h11.SEND_BODY


class _Discard(ProtocolWrapper):
    """What is left of a connection that has had its last answer."""

    def __init__(self, ended: ProtocolWrapper) -> None:
        self.protocol = ended.protocol

    async def handle(self, event: Event) -> None:  # noqa: ARG002 -- thrown away
        await trio.lowlevel.checkpoint()


def install() -> None:
    """Have Hypercorn's Trio worker use it. Again is no harm."""
    hypercorn.trio.run.TCPServer = GuardedServer  # type: ignore[attr-defined]
