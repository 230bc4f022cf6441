"""One connection of Hypercorn's, with an end to its writes and to its failures."""

import logging
from contextlib import suppress
from typing import Any, cast

import h2.exceptions
import h11
import trio
import wsproto.utilities
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import H11Protocol, H11WSConnection
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.tcp_server import MAX_RECV, TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import AppWrapper, ConnectionState, LifespanState
from hypercorn.utils import parse_socket_addr

from incident_manager.http.guarded_socket import GuardedSocket, keep_little
from incident_manager.http.hypercorn_events import Held, Last
from incident_manager.http.hypercorn_upgrade import Upgraded
from incident_manager.http.idle_task import IdleTask
from incident_manager.http.introduction import introduced
from incident_manager.http.own_task import OwnTask
from incident_manager.http.proxy_header import ProxyHeaderError
from incident_manager.http.transport import Stream, guard_of
from incident_manager.http.whole_upgrade import read_upgrade
from incident_manager.http.wire import Wire

__all__ = ["GuardedServer"]

_log = logging.getLogger(__name__)
_HANDSHAKE = 10.0  # seconds, at most, for a proxy's header and for TLS
_FAULTS_OF_CLIENTS = (
    h11.RemoteProtocolError,
    h2.exceptions.ProtocolError,
    wsproto.utilities.RemoteProtocolError,
    trio.BrokenResourceError,
    OSError,
)


class GuardedServer(TCPServer):
    """Hypercorn's handling of one connection, with an end to its writes and to its failures.

    Hypercorn 0.18 shields what it writes, so a client that reads nothing would hold its
    connection, and with it the server, past every grace period; and what it does not expect in
    one connection ends the process. Here everything leaves through the one ``wire``, and the
    ``socket`` ends what is not taken.
    """

    wire: Wire
    application: OwnTask | None = None
    """What is to be run instead of reading on: it reads itself."""
    _gone = False
    _requested = False
    _given: Any = None  # what a protocol is made with, until the first bytes have come

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        state: LifespanState,
        stream: Stream,
    ) -> None:
        super().__init__(app, config, context, state, stream)
        del self.send_lock  # the wire keeps the order
        self._guard = guard_of(app)
        self.idle_task: Any = IdleTask()
        given: Any = stream  # Hypercorn says SSLStream for both
        plain = given.transport_stream if isinstance(given, trio.SSLStream) else given
        self.socket = GuardedSocket(plain, self._guard.write_timeout, self._guard.has_stalled)

    async def run(self) -> None:
        """Serve the connection to its end."""
        keep_little(self.socket.socket)
        self._guard.enter(self.socket, self.context)
        try:
            await self._serve()
        except* _FAULTS_OF_CLIENTS as faults:
            _log.debug("a client broke the protocol: %s", faults.exceptions)
        except* Exception:  # noqa: BLE001 -- ends this connection, not the others
            _log.exception("a connection failed")
        finally:
            self._guard.leave(self.socket)
            with trio.CancelScope(shield=True):
                await self.socket.aclose()

    async def _serve(self) -> None:
        sock = self.socket.socket
        client = parse_socket_addr(sock.family, sock.getpeername())
        server = parse_socket_addr(sock.family, sock.getsockname())
        alpn: str | None = "http/1.1"
        secure = self._secured()
        if secure is not None or self._guard.trusted.trusts(client and client[0]):
            try:
                with trio.fail_after(min(_HANDSHAKE, self.config.ssl_handshake_timeout)):
                    client = await introduced(self.socket, client, self._guard.trusted)
                    if secure is not None:
                        await secure.do_handshake()
                        alpn = secure.selected_alpn_protocol()
            except (trio.BrokenResourceError, trio.ClosedResourceError, trio.TooSlowError):
                return
            except ProxyHeaderError as wrong:
                _log.info("a trusted proxy sent a wrong PROXY header: %s", wrong)
                return
        async with TaskGroup() as group:
            self._task_group = group
            self.wire = Wire(self.socket, group.spawn, secure, self._guard.volley)
            given: Any = (
                self.app,
                self.config,
                self.context,
                group,
                ConnectionState(self.state),
                secure is not None,
                client,
                server,
                self.protocol_send,
            )
            try:
                await self._begin(given, alpn, here=secure is None)
                del given
                if not self._requested:
                    await self.idle_task.restart(group, self._idle_timeout)
                await self._read_data()
            finally:
                await self._close()
                await self.idle_task.end()

    @property
    def nursery(self) -> trio.Nursery | None:
        """Where its tasks run."""
        return self._task_group._nursery

    async def _begin(self, given: Any, alpn: str | None, *, here: bool) -> None:
        """Most clients' request is ``here`` by now: then no task need wait for it."""
        data = None
        if here:
            with suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                data = self.socket.try_receive(MAX_RECV)
        if not data or not await self._upgrade(data, given):
            self.protocol = ProtocolWrapper(*[*given, alpn])
            await self.protocol.initiate()
            if data:
                await self.protocol.handle(RawData(data))
            elif alpn != "h2":
                self._given = given

    async def _upgrade(self, data: bytes, given: Any) -> bool:
        """Have a WebSocket begin, if these first bytes ask for one."""
        upgrade = None if self.config.server_names else read_upgrade(data)
        if upgrade is None:
            return False
        self._requested = True
        await self.idle_task.stop()
        self.protocol = Upgraded(upgrade, *given)
        await self.protocol.initiate()
        return True

    async def _read_data(self) -> None:
        await self._run_application()
        while not self._gone:
            data = await self.read()
            given, self._given = self._given, None
            if data is not None and (given is None or not await self._upgrade(data, given)):
                await self.protocol.handle(RawData(data))
            if data:
                await self._run_application()
            else:
                await self.gone()

    async def _run_application(self) -> None:
        application, self.application = self.application, None
        if application is not None:
            await application.run()

    async def read(self) -> bytes | None:
        """What comes next: empty at the end, None where the connection is broken."""
        try:
            if self.config.read_timeout is None:
                return bytes(await self.stream.receive_some(MAX_RECV))
            with trio.fail_after(self.config.read_timeout):
                return bytes(await self.stream.receive_some(MAX_RECV))
        except (trio.ClosedResourceError, trio.BrokenResourceError, trio.TooSlowError):
            return None

    async def gone(self) -> None:
        """Nothing comes any more: say so, once."""
        if self._gone:
            await trio.sleep_forever()
        self._gone = True
        await self.protocol.handle(Closed())

    def _secured(self) -> "trio.SSLStream[GuardedSocket] | None":
        stream: Any = self.stream
        if not isinstance(stream, trio.SSLStream):
            self.stream = cast(Any, self.socket)
            return None
        stream.transport_stream = self.socket
        return stream

    async def protocol_send(self, event: Event) -> None:
        """Write, or have the connection closed."""
        if isinstance(event, RawData):
            self.wire.write(event.data)
            if not isinstance(event, Last) or self.wire.size:
                await self.wire.room()
        elif isinstance(event, Closed):
            await self._end(event)
        elif isinstance(event, Held):
            self._requested = True
            await self.idle_task.stop()
        elif isinstance(event, Updated):
            self._requested = True
            await self._updated(idle=event.idle)

    async def _updated(self, *, idle: bool) -> None:
        if idle:
            if self.wire.size or not self.idle_task.resume():
                await self.idle_task.restart(self._task_group, self._idle_timeout)
        elif isinstance(self.protocol.protocol, H11Protocol):
            self.idle_task.pause()
        else:
            await self.idle_task.stop()

    async def _close(self) -> None:
        """What waits goes out first, for as long as the client takes it: the socket gives up on
        one that takes nothing, and the guard on all at the server's end.
        """
        with trio.CancelScope(shield=True):
            await self.wire.emptied()
            await super()._close()
        self.wire.close()

    async def _idle_timeout(self) -> None:
        """It is idle once the client has its answer."""
        await self.wire.emptied()
        if await self.idle_task.expired(self.config.keep_alive_timeout, self.context.terminated):
            with trio.CancelScope(shield=True):
                await self._initiate_server_close()

    async def _initiate_server_close(self) -> None:
        await self.protocol.handle(Closed())
        await self._close()

    async def _end(self, event: Closed) -> None:
        """Close the connection; if something may still be coming in, close our direction only.

        To close it whole would make the kernel answer what comes with a reset, and the client
        might never see its answer (RFC 9112, section 9.6). So what comes is thrown away, for as
        long as a connection may be idle.

        Hypercorn asks for this in the application's task, which Quart cancels that very moment.
        """
        with trio.CancelScope(shield=True):
            ended = self.protocol
            if not _may_send(ended, self.socket.unread()):
                await super().protocol_send(event)
                return
            self.protocol = _Discard(ended)
            if not isinstance(ended.protocol.connection, H11WSConnection):
                await ended.handle(event)
            await self.wire.emptied()
            # Busy: the reader and the application end at once, and the other one does it.
            gone = (trio.BrokenResourceError, trio.ClosedResourceError, trio.BusyResourceError)
            with suppress(*gone):
                await self.socket.send_eof()
            await self.idle_task.restart(self._task_group, self._idle_timeout)


def _may_send(protocol: ProtocolWrapper, unread: int) -> bool:
    """Whether a client of HTTP/1.1 has not sent all of its request, or has sent more than that (of
    which so many bytes are ``unread``), or has a WebSocket.
    """
    inner = protocol.protocol
    if not isinstance(inner, H11Protocol):
        return False
    connection = inner.connection
    return (
        isinstance(connection, H11WSConnection)
        or connection.their_state is h11.SEND_BODY
        or unread > 0
        or bool(connection.trailing_data[0])
    )


class _Discard(ProtocolWrapper):
    """What is left of a connection that has had its last answer."""

    def __init__(self, ended: ProtocolWrapper) -> None:
        self.protocol = ended.protocol

    async def handle(self, event: Event) -> None:  # noqa: ARG002 -- thrown away
        await trio.lowlevel.checkpoint()
