"""One connection of Hypercorn's, with an end to its writes and to its failures."""

import logging
import socket
from collections.abc import Iterator
from contextlib import suppress

import h2.exceptions
import h11
import trio
import wsproto.utilities
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, LifespanState

from incident_manager.http.transport import Stream, guard_of

__all__ = ["GuardedServer"]

_log = logging.getLogger(__name__)
_SLICE = 65536  # bytes written before the time that a write may take begins anew
_FAULTS_OF_CLIENTS = (
    h11.RemoteProtocolError,
    h2.exceptions.ProtocolError,
    wsproto.utilities.RemoteProtocolError,
)


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
        self._guard = guard_of(app)

    async def run(self) -> None:
        """Serve the connection to its end."""
        _keep_little(self.stream)
        self._guard.enter(self.stream, self.context)
        try:
            await super().run()
        except* _FAULTS_OF_CLIENTS as faults:
            _log.debug("a client broke the protocol: %s", faults.exceptions)
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
        # Shielded, because after a part of a frame nothing else may follow. Time runs for who has
        # the lock, from slice to slice: a slow reader of a large frame is not one that stalls.
        with trio.CancelScope(shield=True) as scope:
            try:
                async with self.send_lock:
                    for data in _slices(event.data):
                        scope.deadline = trio.current_time() + self._guard.write_timeout
                        await self.stream.send_all(data)
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


def _keep_little(stream: Stream) -> None:
    """Have the kernel hold little of what it has not sent: otherwise it takes nothing before a
    third of a full buffer of megabytes is gone, and a slow reader looks like one that stalls.
    """
    plain = getattr(stream, "transport_stream", stream)
    option = getattr(socket, "TCP_NOTSENT_LOWAT", None)
    if option is not None and isinstance(plain, trio.SocketStream):
        with suppress(OSError):  # it is gone, or is no TCP
            plain.setsockopt(socket.IPPROTO_TCP, option, _SLICE)


def _slices(data: bytes) -> Iterator[memoryview]:
    whole = memoryview(data)
    for start in range(0, len(whole), _SLICE):
        yield whole[start : start + _SLICE]


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
