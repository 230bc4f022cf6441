"""One WebSocket of Hypercorn's, with an end to what it takes in."""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import replace
from typing import Any

import h11
import trio
from hypercorn.protocol.events import Body, Data, Event, Request, StreamClosed
from hypercorn.protocol.ws_stream import ASGIWebsocketState, FrameTooLargeError, WSStream
from wsproto.connection import ConnectionState
from wsproto.events import CloseConnection, Message, Ping
from wsproto.frame_protocol import CloseReason

__all__ = ["BoundedWebSocket"]

_LINGER = 5.0  # seconds that a client has to answer 1009
_EXTENSIONS = b"sec-websocket-extensions"

Put = Callable[[dict[str, Any]], Awaitable[None]]


class BoundedWebSocket(WSStream):
    """Hypercorn 0.18 says 1009 to a message that is too large, and then goes on to collect it;
    it always agrees to permessage-deflate, and inflates before it counts.

    Here nothing is kept after 1009, and the application is told at once. No extension is agreed.
    A frame that breaks the protocol gets its close (RFC 6455, section 7.1.7).
    """

    _over = False
    _queue: "trio.MemorySendChannel[Any] | None" = None

    async def handle(self, event: Event) -> None:
        """Take what the connection has for this WebSocket."""
        if isinstance(event, Request):
            self._left = trio.Event()
            kept = [each for each in event.headers if each[0].lower() != _EXTENSIONS]
            await super().handle(replace(event, headers=kept))
            self._watch_queue()
        elif isinstance(event, Body | Data) and not self.closed and not self.handshake.accepted:
            await self._too_early()
        else:
            if isinstance(event, StreamClosed):
                self._left.set()
            await super().handle(event)

    async def app_send(self, message: Any) -> None:
        """Take what the application says; None when it has ended."""
        if message is None:
            if self._over and not self.closed:
                # Closed with input unread, the connection would be reset, and 1009 be lost.
                with trio.move_on_after(_LINGER):
                    await self._left.wait()
            if self._queue is not None:
                self._queue.close()
        await super().app_send(message)

    def _watch_queue(self) -> None:
        """Let nobody wait for room in the queue of an application that has ended, nor to say
        that the client has gone: who says so may be who the application waits for.
        """
        if self.app_put is None:
            return
        put: Put = self.app_put
        queue = getattr(put, "__self__", None)
        if isinstance(queue, trio.MemorySendChannel):
            self._queue = queue

        async def put_if_there(message: dict[str, Any]) -> None:
            with suppress(trio.ClosedResourceError):
                await put(message)

        async def put_or_spawn(message: dict[str, Any]) -> None:
            if message["type"] == "websocket.disconnect":
                self.task_group.spawn(put_if_there, message)
            else:
                await put_if_there(message)

        self.app_put = put_or_spawn

    async def _too_early(self) -> None:
        """Refuse a client that sends before it has its answer; after a refusal, ignore it."""
        if self.state is not ASGIWebsocketState.HANDSHAKE:
            return
        self.closed = True  # nothing the application says from now on counts
        with suppress(h11.LocalProtocolError):  # or it has just had its answer
            await self._send_error_response(400)
        if self.app_put is not None:
            code = CloseReason.ABNORMAL_CLOSURE.value
            await self.app_put({"type": "websocket.disconnect", "code": code})
        await self.send(StreamClosed(stream_id=self.stream_id))

    async def _handle_events(self) -> None:
        for event in self.connection.events():
            if isinstance(event, CloseConnection):
                await self._leave(event)
            elif self._over:
                continue
            elif isinstance(event, Message):
                await self._collect(event)
            elif isinstance(event, Ping):
                await self._send_wsproto_event(event.response())

    async def _collect(self, event: "Message[Any]") -> None:
        try:
            self.buffer.extend(event)
        except FrameTooLargeError:
            self._over = True
            self.buffer.clear()
            code = CloseReason.MESSAGE_TOO_BIG
            await self._send_wsproto_event(CloseConnection(code=code))
            await self._tell({"type": "websocket.disconnect", "code": code.value})
            return
        if event.message_finished:
            message = self.buffer.to_message()
            self.buffer.clear()
            await self._tell(message)

    async def _tell(self, message: dict[str, Any]) -> None:
        if self.app_put is not None:
            await self.app_put(message)

    async def _leave(self, event: CloseConnection) -> None:
        state = self.connection.state
        if state is ConnectionState.REMOTE_CLOSING:
            await self._send_wsproto_event(event.response())
        elif state is ConnectionState.OPEN:  # what wsproto makes of a frame that it cannot take
            await self._send_wsproto_event(CloseConnection(code=event.code, reason=event.reason))
        await self.send(StreamClosed(stream_id=self.stream_id))
