"""HTTP/2 of Hypercorn's, within bounds, and with flow control for each stream by itself."""

import binascii
import logging
import math
import pkgutil
from contextlib import suppress
from typing import Any, Final

import h2.errors
import h2.events
import h2.exceptions
import trio
import wsproto.utilities
from hypercorn.config import Config
from hypercorn.events import Closed, RawData, Updated
from hypercorn.events import Event as IOEvent
from hypercorn.protocol import events as said
from hypercorn.protocol.h2 import BufferCompleteError, H2Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.typing import AppWrapper, ConnectionState, TaskGroup, WorkerContext
from hypercorn.utils import filter_pseudo_headers
from hyperframe.exceptions import HyperframeError

from incident_manager.http.h2_applications import Applications
from incident_manager.http.h2_budget import REFUND
from incident_manager.http.h2_buffer import BoundedBuffer
from incident_manager.http.h2_inbox import Inbox
from incident_manager.http.h2_incoming import Incoming
from incident_manager.http.h2_outgoing import Outgoing
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

    stream_buffers: dict[int, BoundedBuffer]  # type: ignore[assignment]

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
        self._guard = guard_of(app)
        self._applications = Applications(task_group)
        self._incoming = Incoming(self._state, self._flush)
        self._outgoing = Outgoing(
            self._state,
            self.stream_buffers,
            self._guard.write_timeout,
            self._flush,
            self._sent,
        )
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
        if headers is not None:
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
        self._outgoing.drop()
        for stream_id in tuple(self.streams):
            await self._close_stream(stream_id)
            await trio.lowlevel.cancel_shielded_checkpoint()  # a hundred at once hold others up

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
                    self._incoming.take(event)
                case h2.events.StreamEnded():
                    self._incoming.end(event.stream_id)
                    self._outgoing.received(event.stream_id)
                case h2.events.StreamReset():
                    if not event.remote_reset:  # by what it sent (CVE-2025-8671)
                        self._state.pay(REFUND, trio.current_time())
                    await self._forget(event.stream_id)
                case h2.events.WindowUpdated():
                    self._outgoing.widened(event.stream_id)
                case h2.events.RemoteSettingsChanged():
                    self._state.settings_changed()
                    self._outgoing.widened(0)
                case h2.events.ConnectionTerminated():
                    self._goodbye = True
                    await self.send(Closed())
        await self._flush()

    async def _begin(self, event: h2.events.RequestReceived, *, ended: bool) -> None:
        """Begin a stream, or refuse it."""
        stream_id, headers = event.stream_id, list(event.headers)
        if not ended:
            self._incoming.open.add(stream_id)
        full = self._applications.running >= self.config.h2_max_concurrent_streams
        if full or self._goodbye or self.context.terminated.is_set():
            await self._give_up(stream_id, Codes.REFUSED_STREAM)
            return
        self._state.proved()
        what = asked(headers)
        if isinstance(what, Asked):
            await self._run(stream_id, what, headers, ended=ended)
            return
        top = [(b":status", b"%d" % what), (b"content-length", b"0")]
        self.connection.send_headers(stream_id, top, end_stream=True)
        self._linger(stream_id)

    async def _run(self, stream_id: int, what: Asked, headers: list[Any], *, ended: bool) -> None:
        name = "WSStream" if what.websocket else "HTTPStream"
        kind = pkgutil.resolve_name(f"hypercorn.protocol.h2:{name}")  # ours, if it is put in
        stream: HTTPStream | WSStream = kind(
            self.app,
            self.config,
            self.context,
            self._applications,
            self.ssl,
            self.client,
            self.server,
            self.stream_send,
            stream_id,
        )
        self.streams[stream_id] = stream
        self.stream_buffers[stream_id] = BoundedBuffer(self.context.event_class)
        await self.send(Updated(idle=False))
        request = said.Request(
            stream_id=stream_id,
            headers=filter_pseudo_headers(headers),
            http_version="2",
            method=what.method,
            raw_path=what.raw_path,
            state=self.connection_state,
        )
        await stream.handle(request)
        if stream.closed:  # refused, of which Hypercorn does not tell
            await self._close_stream(stream_id)
        elif not ended:
            inbox = self._incoming.begin(stream_id)
            self.task_group.spawn(self._feed, stream_id, stream, inbox)
        elif what.websocket:
            await self.stream_send(said.StreamClosed(stream_id=stream_id))
        else:
            await stream.handle(said.EndBody(stream_id=stream_id))
        self.keep_alive_requests += 1
        if self.keep_alive_requests > self.config.keep_alive_max_requests:
            await self._say_goodbye()
        await self.context.mark_request()
        await trio.lowlevel.checkpoint()

    async def _feed(self, stream_id: int, stream: HTTPStream | WSStream, inbox: Inbox) -> None:
        """Give an application what comes for it, to the end."""
        is_websocket = isinstance(stream, WSStream)
        patience = math.inf if is_websocket else self._guard.write_timeout

        async def give(data: bytes) -> None:
            await stream.handle(said.Body(stream_id=stream_id, data=data))

        try:
            if not await self._incoming.feed(stream_id, inbox, give, patience):
                return
            if is_websocket:  # as if TCP had ended (RFC 8441, section 5)
                await self.stream_send(said.StreamClosed(stream_id=stream_id))
            else:
                await stream.handle(said.EndBody(stream_id=stream_id))
        except trio.TooSlowError:
            await self._give_up(stream_id, Codes.CANCEL)
        except wsproto.utilities.ProtocolError as error:
            _log.debug("a WebSocket over HTTP/2 ends: %s", error)
            await self._give_up(stream_id, Codes.PROTOCOL_ERROR)
        except Exception:  # noqa: BLE001 -- ends this stream, not the others
            _log.exception("a stream failed")
            await self._give_up(stream_id, Codes.INTERNAL_ERROR)

    async def stream_send(self, event: said.Event) -> None:
        """Send on what a stream says."""
        stream_id = event.stream_id
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None:  # it has ended
            await trio.lowlevel.checkpoint()
            if isinstance(event, said.StreamClosed):
                await self._close_stream(stream_id)
            return
        try:
            match event:
                case said.Response() | said.InformationalResponse():
                    top = [(b":status", b"%d" % event.status_code)]
                    rest = [*event.headers, *self.config.response_headers("h2")]
                    self.connection.send_headers(stream_id, top + rest)
                    await self._flush()
                case said.Body() | said.Data():
                    self._outgoing.schedule(stream_id)
                    await buffer.push(event.data)
                case said.EndBody() | said.EndData():
                    buffer.set_complete()
                    self._outgoing.schedule(stream_id)
                    await buffer.drain()
                case said.Trailers():
                    await buffer.drain()
                    self.connection.send_headers(stream_id, event.headers, end_stream=True)
                    await self._flush()
                    await self._sent(stream_id)
                case said.StreamClosed():
                    await self._finish(stream_id, buffer)
        except (BufferCompleteError, h2.exceptions.ProtocolError):
            return  # it has ended meanwhile

    def write_nowait(self, stream_id: int, data: bytes) -> bool:
        """Put bytes into the buffer of a stream, whatever is in it; whether they were taken.

        They are not where the stream has ended, or the connection.
        """
        buffer = self.stream_buffers.get(stream_id)
        if buffer is None or buffer.ended or self.closed:
            return False
        buffer.put(data)
        self._outgoing.schedule(stream_id)
        return True

    async def send_task(self) -> None:
        """Send what waits, each stream in its turn."""
        while not self.closed:
            await self._outgoing.turn()

    async def _sent(self, stream_id: int) -> None:
        """A stream has nothing more to say, for whatever reason."""
        self._outgoing.forget(stream_id)
        self._linger(stream_id)
        await self._rested()

    def _linger(self, stream_id: int) -> None:
        """A client that is still sending may do so for a while; it is thrown away."""
        if stream_id in self._incoming.open:
            self._outgoing.linger(stream_id)

    async def _finish(self, stream_id: int, buffer: BoundedBuffer) -> None:
        """An application has ended."""
        stream = self.streams.get(stream_id)
        await self._close_stream(stream_id)
        if buffer.ended:
            return
        if isinstance(stream, HTTPStream):  # in the middle of its answer
            await self._give_up(stream_id, Codes.INTERNAL_ERROR)
        else:
            buffer.set_complete()
            self._outgoing.schedule(stream_id)

    async def _close_stream(self, stream_id: int) -> None:
        """Tell the application that it is over, and drop what came for it."""
        self._incoming.close(stream_id)
        stream = self.streams.pop(stream_id, None)
        if stream is not None:
            await stream.handle(said.StreamClosed(stream_id=stream_id))
            await self._rested()

    async def abandon(self, stream_id: int) -> None:
        """Reset a stream whose client is gone."""
        await self._give_up(stream_id, Codes.CANCEL)

    async def _give_up(self, stream_id: int, code: Codes) -> None:
        """Reset a stream."""
        with suppress(h2.exceptions.ProtocolError):  # it has ended
            self.connection.reset_stream(stream_id, code)
        await self._flush()
        await self._forget(stream_id)

    async def _forget(self, stream_id: int) -> None:
        """A stream has been reset."""
        self._incoming.open.discard(stream_id)
        self._outgoing.received(stream_id)
        buffer = self.stream_buffers.get(stream_id)
        if buffer is not None:
            buffer.drop()
            await self._sent(stream_id)
        await self._close_stream(stream_id)

    async def _rested(self) -> None:
        """If there is nothing to do, the connection is idle; or, after GOAWAY, at its end."""
        if self.closed or self.streams or self.stream_buffers:
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
                nursery.start_soon(self._watch_streams)
                await self.context.terminated.wait()
                await self._say_goodbye()

    async def _watch_streams(self) -> None:
        while True:
            blocked, lingering = await self._outgoing.overdue()
            for stream_id in blocked:
                self._guard.stalled += 1
                await self._give_up(stream_id, Codes.CANCEL)
            for stream_id in lingering:
                await self._give_up(stream_id, Codes.NO_ERROR)
