"""One WebSocket of Hypercorn's, with an end to what it takes in."""

from typing import Any

import trio
from hypercorn.protocol.events import (
    Body,
    Data,
    Event,
    Request,
    StreamClosed,
)
from hypercorn.protocol.ws_stream import FrameTooLargeError
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping, Pong
from wsproto.frame_protocol import CloseReason

from incident_manager.http.hypercorn_events import Upgrading
from incident_manager.http.hypercorn_handshake import OpeningWebSocket
from incident_manager.http.pace import Pace
from incident_manager.http.stream_lane import StreamLane
from incident_manager.http.transport import guard_of

__all__ = ["BoundedWebSocket"]

_PING = b"\x89\x00"  # as whole as wsproto makes it: there may be ten thousand of these to send
_PONGS = 64  # of so many pings that came at once each is answered, of more the last alone

_TURN = 16  # frames after which others have a turn
_SMALL_FRAMES = 1000  # a second, of one WebSocket
_SMALL = 1024  # bytes; larger parts of a message are bounded by its limit

_ANSWERS = 1.0  # seconds that an application has to answer what came before a mistake


class BoundedWebSocket(OpeningWebSocket):
    """Hypercorn 0.18 says 1009 to a message that is too large, and then goes on to collect it.

    Here nothing is kept after 1009, and the application is told at once. A frame that breaks the
    protocol gets its close (RFC 6455, section 7.1.7).

    ``heard`` is when the client was last heard of, in Trio's time. While it is ``busy`` with what
    the client has sent, it hears nothing more.
    """

    heard = 0.0
    asked: float | None = None
    busy = False
    _outstanding: int | None = None
    _over = False
    _last: CloseConnection | None = None
    _ended: trio.Event | None = None
    _pace: Pace
    unread = False
    _taken = b""
    _at = 0

    async def handle(self, event: Event) -> None:
        """Take what the connection has for this WebSocket."""
        self.busy = True
        try:
            await self._handle(event)
        finally:
            self.busy = False
            self.heard = trio.current_time()

    async def _handle(self, event: Event) -> None:
        if isinstance(event, Upgrading):
            self._pace = Pace(_SMALL_FRAMES)
            await self._begin(event)
        elif isinstance(event, Request):
            self._pace = Pace(_SMALL_FRAMES)
            await self._open(event)
        elif isinstance(event, Body | Data) and not self.closed and not self.handshake.accepted:
            await self._too_early()
        elif isinstance(event, Body | Data) and (
            self.closed or self._over or self.connection.state is ConnectionState.CLOSED
        ):
            await trio.lowlevel.checkpoint()  # there is nobody any more who would read it
        else:
            await super().handle(event)

    async def _accept(self, message: Any) -> None:
        await super()._accept(message)
        if message.get("subprotocol") is not None:  # others may not know how to answer
            guard_of(self.app).pulse.begin(self)

    async def app_send(self, message: Any) -> None:
        """Take what the application says; None when it has ended."""
        if message is None:
            guard_of(self.app).pulse.end(self)
        if message is None or message["type"] == "websocket.close":
            await self._say_last()
        if message is None:
            if self._ended is not None:
                self._ended.set()
            if self._queue is not None:
                self._queue.close()
        await super().app_send(message)

    async def _send_wsproto_event(self, event: Any) -> None:
        if self._writer is not None and isinstance(event, CloseConnection):
            self._writer.shut()
        await super()._send_wsproto_event(event)

    async def take(self, data: bytes | None) -> None:
        """Take what comes next, for an application that asks for it; at the end nothing."""
        if not data:
            server = self._server()
            if server is not None:
                await server.gone()
            return
        self._taken = data
        self._at = 0
        await self.go_on()

    async def go_on(self) -> None:
        """Take what has come already: the next message at least, if there is one."""
        if not self._taken:
            await self._handle_events()
            return
        found = None
        if self._frames is not None and not (self.closed or self._over):
            end = self._frames.pong(self._taken, self._at)
            if end is not None and end == len(self._taken):  # nothing else came with it
                self._taken, self.unread = b"", False
                self.heard = now = trio.current_time()
                until = self._pace.spend(now)
                if until > now:
                    await trio.sleep_until(until)
                return
            found = self._frames.whole(self._taken, self._at, self.buffer.max_length)
        if found is None:
            data, self._taken = self._taken[self._at :], b""
            self.unread = False
            await self.handle(Data(stream_id=self.stream_id, data=data))
            return
        text, self._at = found
        self.unread = self._at < len(self._taken)
        if not self.unread:
            self._taken = b""
        self.heard = trio.current_time()
        await self._tell({"type": "websocket.receive", "bytes": None, "text": text})

    async def _handle_events(self) -> None:
        self.unread = True  # until none is left: it may be cancelled, or the application's turn
        pings: list[Ping] = []
        for number, event in enumerate(self.connection.events()):
            if number % _TURN == _TURN - 1:
                await trio.lowlevel.checkpoint()  # ten thousand frames fit into one read
            if _is_small(event) and not (self._over or self.closed):
                await trio.sleep_until(self._pace.spend(trio.current_time()))
            if isinstance(event, CloseConnection):
                await self._pong(pings)
                pings = []
                await self._leave(event)
            elif self._over:
                continue
            elif isinstance(event, Message):
                await self._pong(pings)  # before what the message is answered with
                pings = []
                await self._collect(event)
                if self._own is not None and self._own.waiting:
                    return
            elif isinstance(event, Ping):
                pings.append(event)
        self.unread = False
        await self._pong(pings)

    async def _pong(self, pings: list[Ping]) -> None:
        """Answer what came at once; of very many the last alone (RFC 6455, section 5.5.3)."""
        for ping in pings if len(pings) <= _PONGS else pings[-1:]:
            await self._send_wsproto_event(ping.response())

    async def _collect(self, event: "Message[Any]") -> None:
        if isinstance(event.data, str) and not event.data.isascii():
            # Hypercorn counts characters, and the limit is one of bytes.
            self.buffer.length += len(event.data.encode()) - len(event.data)
        try:
            self.buffer.extend(event)
        except FrameTooLargeError:
            self.buffer.clear()
            await self._refuse(CloseReason.MESSAGE_TOO_BIG)
            return
        if event.message_finished:
            message = self.buffer.to_message()
            self.buffer.clear()
            await self._tell(message)

    async def _refuse(self, code: int, reason: str | None = None) -> None:
        """Close for what the client did, once the application has answered what came before and
        has ended, or has not in time; nothing that the client sends now is looked at.
        """
        self._over = True
        self._ended = trio.Event()
        self._last = CloseConnection(code=code, reason=reason)
        self.task_group.spawn(self._close_in_time, self._ended)
        await self._tell({"type": "websocket.disconnect", "code": int(code)})

    async def _close_in_time(self, ended: trio.Event) -> None:
        with trio.move_on_after(_ANSWERS):
            await ended.wait()
        await self._say_last()

    async def _say_last(self) -> None:
        last, self._last = self._last, None
        if last is not None:
            await self._send_wsproto_event(last)

    async def _tell(self, message: dict[str, Any]) -> None:
        if self.app_put is not None:
            await self.app_put(message)

    async def _leave(self, event: CloseConnection) -> None:
        state = self.connection.state
        if state is ConnectionState.OPEN:  # what wsproto makes of a frame that it cannot take
            await self._refuse(event.code, event.reason)
            return
        if state is ConnectionState.REMOTE_CLOSING:
            await self._send_wsproto_event(event.response())
        await self.send(StreamClosed(stream_id=self.stream_id))

    def ping(self) -> None:
        """Ask the client whether it is there (RFC 6455, section 5.5.2)."""
        if self._lane is not None and self._is_open():
            self._lane.write(_PING)
            self._outstanding = None

    def is_slow(self) -> bool:
        """Whether its client takes what is sent, or what it has sent is not being read."""
        lane, server = self._lane, self._connection()
        if self.busy or self.unread or lane is None:
            return True
        waits = lane.size
        if server is None:
            return waits > 0
        if lane is not server.wire:  # HTTP/2: what its windows have let go waits there
            waits += server.wire.size
        left = waits + (server.socket.outstanding() or 0)
        before, self._outstanding = self._outstanding, left
        taken = left > 0 if before is None else left < before  # the ping came after all of it
        return waits > 0 or server.socket.unread() > 0 or taken

    def cut_off(self) -> None:
        """Close the connection, or the stream of HTTP/2, as it is."""
        server = self._server()
        if server is not None:
            server.socket.abort()
        elif isinstance(self._lane, StreamLane):
            self._lane.abandon()


def _is_small(event: object) -> bool:
    """Whether a frame costs work and neither ends a message nor brings much of one."""
    if isinstance(event, Message):
        return not event.message_finished and len(event.data) < _SMALL
    return isinstance(event, Ping | Pong)
