"""Requests and their answers on the streams of one connection of HTTP/2 (RFC 9113, section 8.1)."""

import logging
import math
import pkgutil
from collections.abc import Awaitable, Callable
from contextlib import suppress

import h2.events
import h2.exceptions
import trio
import wsproto.utilities
from h2.errors import ErrorCodes
from hypercorn.protocol import events as said
from hypercorn.protocol.h2 import BufferCompleteError, H2Protocol
from hypercorn.protocol.http_stream import HTTPStream
from hypercorn.protocol.ws_stream import WSStream
from hypercorn.utils import filter_pseudo_headers

from incident_manager.http.h2_applications import Applications
from incident_manager.http.h2_buffer import BoundedBuffer
from incident_manager.http.h2_inbox import Inbox
from incident_manager.http.h2_incoming import Incoming
from incident_manager.http.h2_outgoing import Outgoing
from incident_manager.http.h2_request import Asked
from incident_manager.http.h2_state import State
from incident_manager.http.transport import Guard

__all__ = ["Exchanges"]

_log = logging.getLogger(__name__)

Stream = HTTPStream | WSStream
Headers = list[tuple[bytes, bytes]]


class Exchanges:
    """The streams of ``connection``, each from its request to its end.

    ``buffers`` has what waits for their windows. ``flush`` writes what the state machine has to
    say; ``rested`` is told when a stream has ended, on either side.
    """

    __slots__ = (
        "_applications",
        "_connection",
        "_flush",
        "_guard",
        "_rested",
        "_state",
        "buffers",
        "incoming",
        "outgoing",
    )

    def __init__(
        self,
        connection: H2Protocol,
        state: State,
        guard: Guard,
        flush: Callable[[], Awaitable[None]],
        rested: Callable[[], Awaitable[None]],
    ) -> None:
        self._connection = connection
        self._state = state
        self._guard = guard
        self._flush = flush
        self._rested = rested
        self._applications = Applications(connection.task_group)
        self.buffers: dict[int, BoundedBuffer] = {}
        self.incoming = Incoming(state, flush)
        self.outgoing = Outgoing(state, self.buffers, guard.write_timeout, flush, self._sent)

    def __len__(self) -> int:
        """How many have not ended, on one side or the other."""
        return len(self._connection.streams.keys() | self.buffers.keys())

    @property
    def running(self) -> int:
        """How many applications run; there may be more of them than streams."""
        return self._applications.running

    def open(self, stream_id: int, what: Asked) -> Stream:
        """A stream for a request, which :meth:`begin` gives it."""
        connection = self._connection
        name = "WSStream" if what.websocket else "HTTPStream"
        kind = pkgutil.resolve_name(f"hypercorn.protocol.h2:{name}")  # ours, if it is put in
        stream: Stream = kind(
            connection.app,
            connection.config,
            connection.context,
            self._applications,
            connection.ssl,
            connection.client,
            connection.server,
            connection.stream_send,
            stream_id,
        )
        connection.streams[stream_id] = stream
        self.buffers[stream_id] = BoundedBuffer(connection.context.event_class)
        return stream

    async def begin(self, stream: Stream, what: Asked, headers: Headers, *, ended: bool) -> None:
        """Give a stream its request; ``ended`` says that there is no more than its headers."""
        stream_id = stream.stream_id
        request = said.Request(
            stream_id=stream_id,
            headers=filter_pseudo_headers(headers),
            http_version="2",
            method=what.method,
            raw_path=what.raw_path,
            state=self._connection.connection_state,
        )
        await stream.handle(request)
        if stream.closed:  # refused, of which Hypercorn does not tell
            await self.close(stream_id)
        elif not ended:
            inbox = self.incoming.begin(stream_id)
            self._connection.task_group.spawn(self._feed, stream_id, stream, inbox)
        elif what.websocket:
            await self.say(said.StreamClosed(stream_id=stream_id))
        else:
            await stream.handle(said.EndBody(stream_id=stream_id))

    async def _feed(self, stream_id: int, stream: Stream, inbox: Inbox) -> None:
        """Give an application what comes for it, to the end."""
        is_websocket = isinstance(stream, WSStream)
        patience = math.inf if is_websocket else self._guard.write_timeout

        async def give(data: bytes) -> None:
            await stream.handle(said.Body(stream_id=stream_id, data=data))

        try:
            if not await self.incoming.feed(stream_id, inbox, give, patience):
                return
            if is_websocket:  # as if TCP had ended (RFC 8441, section 5)
                await self.say(said.StreamClosed(stream_id=stream_id))
            else:
                await stream.handle(said.EndBody(stream_id=stream_id))
        except trio.TooSlowError:
            await self.give_up(stream_id, ErrorCodes.CANCEL)
        except wsproto.utilities.ProtocolError as error:
            _log.debug("a WebSocket over HTTP/2 ends: %s", error)
            await self.give_up(stream_id, ErrorCodes.PROTOCOL_ERROR)
        except Exception:  # noqa: BLE001 -- ends this stream, not the others
            _log.exception("a stream failed")
            await self.give_up(stream_id, ErrorCodes.INTERNAL_ERROR)

    def refuse(self, stream_id: int, status: int) -> None:
        """Answer a request without a stream for it."""
        top = [(b":status", b"%d" % status), (b"content-length", b"0")]
        self._state.connection.send_headers(stream_id, top, end_stream=True)
        self._linger(stream_id)

    async def say(self, event: said.Event) -> None:
        """Send on what a stream says."""
        stream_id, connection = event.stream_id, self._state.connection
        buffer = self.buffers.get(stream_id)
        if buffer is None:  # it has ended
            await trio.lowlevel.checkpoint()
            if isinstance(event, said.StreamClosed):
                await self.close(stream_id)
            return
        try:
            match event:
                case said.Response() | said.InformationalResponse():
                    top = [(b":status", b"%d" % event.status_code)]
                    rest = [*event.headers, *self._connection.config.response_headers("h2")]
                    connection.send_headers(stream_id, top + rest)
                    await self._flush()
                case said.Body() | said.Data():
                    self.outgoing.schedule(stream_id)
                    await buffer.push(event.data)
                case said.EndBody() | said.EndData():
                    buffer.set_complete()
                    self.outgoing.schedule(stream_id)
                    await buffer.drain()
                case said.Trailers():
                    await buffer.drain()
                    connection.send_headers(stream_id, event.headers, end_stream=True)
                    await self._flush()
                    await self._sent(stream_id)
                case said.StreamClosed():
                    await self._finish(stream_id, buffer)
        except (BufferCompleteError, h2.exceptions.ProtocolError):
            return  # it has ended meanwhile

    def write_nowait(self, stream_id: int, data: bytes) -> bool:
        """Put bytes into the buffer of a stream, whatever is in it; whether they were taken."""
        buffer = self.buffers.get(stream_id)
        if buffer is None or buffer.ended:
            return False
        buffer.put(data)
        self.outgoing.schedule(stream_id)
        return True

    def received(self, stream_id: int) -> None:
        """The client has ended a stream."""
        self.incoming.end(stream_id)
        self.outgoing.received(stream_id)

    async def _sent(self, stream_id: int) -> None:
        """A stream has nothing more to say, for whatever reason."""
        self.outgoing.forget(stream_id)
        self._linger(stream_id)
        await self._rested()

    def _linger(self, stream_id: int) -> None:
        """A client that is still sending may do so for a while; it is thrown away."""
        if stream_id in self.incoming.open:
            self.outgoing.linger(stream_id)

    async def _finish(self, stream_id: int, buffer: BoundedBuffer) -> None:
        """An application has ended."""
        stream = self._connection.streams.get(stream_id)
        await self.close(stream_id)
        if buffer.ended:
            return
        if isinstance(stream, HTTPStream):  # in the middle of its answer
            await self.give_up(stream_id, ErrorCodes.INTERNAL_ERROR)
        else:
            buffer.set_complete()
            self.outgoing.schedule(stream_id)

    async def close(self, stream_id: int) -> None:
        """Tell the application that it is over, and drop what came for it."""
        self.incoming.close(stream_id)
        stream = self._connection.streams.pop(stream_id, None)
        if stream is not None:
            await stream.handle(said.StreamClosed(stream_id=stream_id))
            await self._rested()

    async def give_up(self, stream_id: int, code: ErrorCodes) -> None:
        """Reset a stream."""
        with suppress(h2.exceptions.ProtocolError):  # it has ended
            self._state.connection.reset_stream(stream_id, code)
        await self._flush()
        await self.forget(stream_id)

    async def forget(self, stream_id: int) -> None:
        """A stream has been reset."""
        self.incoming.open.discard(stream_id)
        self.outgoing.received(stream_id)
        buffer = self.buffers.get(stream_id)
        if buffer is not None:
            buffer.drop()
            await self._sent(stream_id)
        await self.close(stream_id)

    async def stop(self) -> None:
        """End all of them."""
        self.outgoing.drop()
        for stream_id in tuple(self._connection.streams):
            await self.close(stream_id)
            await trio.lowlevel.cancel_shielded_checkpoint()  # a hundred at once hold others up

    async def watch(self) -> None:
        """Reset streams for which the client was waited for too long."""
        while True:
            blocked, lingering = await self.outgoing.overdue()
            for stream_id in blocked:
                self._guard.stalled += 1
                await self.give_up(stream_id, ErrorCodes.CANCEL)
            for stream_id in lingering:
                await self.give_up(stream_id, ErrorCodes.NO_ERROR)
