"""HTTP/2 of Hypercorn's, within bounds, and with flow control for each stream by itself."""

import binascii
import logging
from typing import Any, Final

import h2.errors
import h2.events
import h2.exceptions
import trio
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.events import Event as IOEvent
from hypercorn.protocol import events as said
from hypercorn.protocol.h2 import H2Protocol
from hypercorn.typing import AppWrapper, ConnectionState, TaskGroup, WorkerContext
from hyperframe.exceptions import HyperframeError

from incident_manager.http.h2_budget import REFUND
from incident_manager.http.h2_buffer import BoundedBuffer
from incident_manager.http.h2_exchanges import Exchanges
from incident_manager.http.h2_request import Asked, asked
from incident_manager.http.h2_state import State, parts
from incident_manager.http.transport import guard_of

__all__ = ["BoundedBuffer", "GuardedH2"]

_log = logging.getLogger(__name__)
logging.getLogger("hpack").setLevel(logging.INFO)  # below, it logs every header: tokens too

_HEADERS: Final = 32 * 1024  # bytes of a request's headers; of HTTP/1.1 it is 16 KiB
_FAREWELL: Final = 1.0  # seconds that a client has to read why its connection ends

Codes = h2.errors.ErrorCodes


class GuardedH2(H2Protocol):
    """One connection of HTTP/2.

    What comes for a stream waits for its application in the stream's inbox, which the stream's
    window bounds, so no stream holds up the others; what all of them leave lying is bounded by
    the connection's window. A stream that takes nothing, or of whose body nothing comes, for the
    guard's ``write_timeout`` is reset. What comes for a stream that has had its answer is thrown
    away. Frames that cost more than they are worth are paid for from a budget.
    """

    def __init__(
        self,
        app: AppWrapper,
        config: Config,
        context: WorkerContext,
        task_group: TaskGroup,
        connection_state: ConnectionState,
        ssl: bool,
        client: tuple[str, int] | None,
        server: tuple[str, int] | None,
        send: Any,
    ) -> None:
        super().__init__(
            app, config, context, task_group, connection_state, ssl, client, server, send
        )
        self._state = State(
            config.h2_max_concurrent_streams,
            min(_HEADERS, config.h2_max_header_list_size),
            trio.current_time(),
        )
        self.connection = self._state.connection
        self._exchanges = Exchanges(self, self._state, guard_of(app), self._flush, self._rested)
        self.stream_buffers: dict[int, BoundedBuffer] = self._exchanges.buffers  # type: ignore[assignment]
        self._watching = trio.CancelScope()
        self._goodbye = False
        self._gone = trio.Event()  # the client sends no more

    async def initiate(
        self, headers: list[tuple[bytes, bytes]] | None = None, settings: bytes | None = None
    ) -> None:
        """Begin; after an upgrade, with the first request.

        Raises h2's ProtocolError where the settings of the upgrade are none.
        """
        if settings is None:
            self.connection.initiate_connection()
        else:
            try:
                self.connection.initiate_upgrade_connection(settings)
            except (binascii.Error, HyperframeError) as error:
                raise h2.exceptions.ProtocolError("HTTP2-Settings are none") from error
        self._state.announced()
        await self._flush()
        self.task_group.spawn(self.send_task)
        self.task_group.spawn(self._watch)
        if headers is None:
            await self.send(Updated(idle=True))  # HTTP/1.1 that became HTTP/2 was busy
        else:
            await self._begin(h2.events.RequestReceived(stream_id=1, headers=headers), ended=True)

    async def handle(self, event: IOEvent) -> None:
        """Take what the socket has."""
        if isinstance(event, Closed):
            listens = not self._gone.is_set()
            self._gone.set()
            if not self.closed:
                await self._stop()
                if listens:
                    await self._say_goodbye()
        elif isinstance(event, RawData):
            if not event.data:
                self._gone.set()
            if self.closed:
                return  # it is thrown away
            try:
                await self._receive(event.data)
            except h2.exceptions.ProtocolError as error:
                _log.debug("a connection of HTTP/2 ends: %s", error)
                self._state.end(error)
                self._goodbye = True
                await self._stop()
                await self._flush()
                self.task_group.spawn(self._part)

    async def _stop(self) -> None:
        """End all streams."""
        self.closed = True
        self._watching.cancel()
        await self._exchanges.stop()

    async def _part(self) -> None:
        """Close the connection, but let the client see why: closed with input unread, the kernel
        would take back what it has not sent.
        """
        with trio.move_on_after(_FAREWELL):
            await self._gone.wait()
        await self.send(Closed())

    async def _receive(self, data: bytes) -> None:
        for part, heads in parts(data, self._state.heads(data)):
            self._state.charge(heads, trio.current_time())
            await self._handle_events(self.connection.receive_data(part))
            await trio.lowlevel.checkpoint()
            if self.closed:
                return

    async def _handle_events(self, events: list[h2.events.Event]) -> None:
        exchanges = self._exchanges
        reset = {each.stream_id for each in events if isinstance(each, h2.events.StreamReset)}
        for event in events:
            match event:
                case h2.events.RequestReceived() if event.stream_id in reset:
                    pass  # nobody waits for the answer
                case h2.events.RequestReceived():
                    await self._begin(event, ended=event.stream_ended is not None)
                case h2.events.TrailersReceived():
                    self._state.proved()
                case h2.events.DataReceived():
                    exchanges.incoming.take(event)
                case h2.events.StreamEnded():
                    exchanges.received(event.stream_id)
                case h2.events.StreamReset():
                    if not event.remote_reset:  # by what it sent (CVE-2025-8671)
                        self._state.pay(REFUND, trio.current_time())
                    await exchanges.forget(event.stream_id)
                case h2.events.WindowUpdated():
                    exchanges.outgoing.widened(event.stream_id)
                case h2.events.RemoteSettingsChanged():
                    self._state.settings_changed()
                    exchanges.outgoing.widened(0)
                case h2.events.ConnectionTerminated():
                    self._goodbye = True
                    await self.send(Closed())
        await self._flush()

    async def _begin(self, event: h2.events.RequestReceived, *, ended: bool) -> None:
        """Begin a stream, or refuse it."""
        exchanges = self._exchanges
        stream_id, headers = event.stream_id, list(event.headers)
        if not ended:
            exchanges.incoming.open.add(stream_id)
        full = exchanges.running >= self.config.h2_max_concurrent_streams
        if full or self._goodbye or self.context.terminated.is_set():
            await exchanges.give_up(stream_id, Codes.REFUSED_STREAM)
            return
        self._state.proved()
        what = asked(headers)
        if not isinstance(what, Asked):
            exchanges.refuse(stream_id, what)
            return
        stream = exchanges.open(stream_id, what)
        await self.send(Updated(idle=False))
        await exchanges.begin(stream, what, headers, ended=ended)
        self.keep_alive_requests += 1
        if self.keep_alive_requests > self.config.keep_alive_max_requests:
            await self._say_goodbye()
        await self.context.mark_request()
        await trio.lowlevel.checkpoint()

    async def stream_send(self, event: said.Event) -> None:
        """Send on what a stream says."""
        await self._exchanges.say(event)

    def write_nowait(self, stream_id: int, data: bytes) -> bool:
        """Put bytes into the buffer of a stream, whatever is in it; whether they were taken.

        They are not where the stream has ended, or the connection.
        """
        return not self.closed and self._exchanges.write_nowait(stream_id, data)

    async def abandon(self, stream_id: int) -> None:
        """Reset a stream whose client is gone."""
        await self._exchanges.give_up(stream_id, Codes.CANCEL)

    async def send_task(self) -> None:
        """Send what waits, each stream in its turn."""
        while not self.closed:
            await self._exchanges.outgoing.turn()

    async def _rested(self) -> None:
        """If there is nothing to do, the connection is idle; or, after GOAWAY, at its end."""
        if self.closed or self._exchanges:
            return
        if self._goodbye and not self.context.terminated.is_set():
            await self.send(Closed())
        else:
            await self.send(Updated(idle=True))

    async def _say_goodbye(self) -> None:
        """Have the client begin no more streams here (RFC 9113, section 6.8)."""
        if not self._goodbye:
            self._goodbye = True
            await self._flush()
            await self.send(RawData(data=self._state.goodbye()))

    async def _watch(self) -> None:
        """Watch over the streams, and for the server's end."""
        with self._watching:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._exchanges.watch)
                await self.context.terminated.wait()
                await self._say_goodbye()
