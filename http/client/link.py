"""One connection from the first packet to its loss: the thin loops around what others decide."""

import math
import ssl
import time
from collections import deque
from collections.abc import Sequence
from typing import Protocol

import trio
from attrs import frozen
from trio_websocket import ConnectionClosed, WebSocketConnection, wrap_client_stream

from incident_manager.http.client import wire
from incident_manager.http.client.endpoint import Endpoint
from incident_manager.http.client.errors import Refused, TokenFailed
from incident_manager.http.client.events import TokenRenewed
from incident_manager.http.client.outputs import Renewed
from incident_manager.http.client.pulse import Act, Pulse
from incident_manager.http.client.reconnect import Loss
from incident_manager.http.client.token import (
    TokenSource,
    authorization,
    expiry_of,
    fetch,
    renew_in,
)
from incident_manager.http.client.transport import (
    BROKEN,
    WatchedStream,
    loss_of,
    open_stream,
)

__all__ = ["Link", "LinkOptions", "Owner"]

_BACKLOG = 64  # frames that may wait to be sent before no more is read
_GOODBYE = 1.0  # seconds for a closing handshake
_READ_BYTES = 65_536


@frozen
class LinkOptions:
    """What all connections of a client have in common. Times are in seconds."""

    endpoint: Endpoint
    tls: ssl.SSLContext | None
    token: TokenSource | None
    headers: Sequence[tuple[str, str]]
    connect_timeout: float
    ping_interval: float
    ping_timeout: float
    max_message_bytes: int


class Owner(Protocol):
    """Whom a link works for."""

    def acknowledged(self) -> None:
        """The server has let the client in."""
        ...

    async def received(self, frame: wire.Frame) -> None:
        """A frame has come; nothing more is read before this returns."""
        ...

    def renewed(self, event: TokenRenewed) -> None:
        """A renewal of the token was tried."""
        ...


class Link:
    """A connection that is used once; ``first`` says that the client had none before it."""

    def __init__(self, options: LinkOptions, owner: Owner, *, first: bool) -> None:
        self._options = options
        self._owner = owner
        self._first = first
        self._pulse = Pulse(options.ping_interval, options.ping_timeout, trio.current_time())
        self._outgoing: deque[str] = deque()
        self._more = trio.Event()
        self._less = trio.Event()
        self._acked_at: float | None = None
        self._loss: Loss | None = None
        self._scope = trio.CancelScope()
        self._deadline = trio.CancelScope()
        self._renewal: Renewed | None = None
        self._renewal_came = trio.Event()
        self._leaving = trio.Event()

    def say(self, frame: str) -> None:
        """Send a frame after those that wait already."""
        self._outgoing.append(frame)
        self._more.set()

    def leave(self) -> None:
        """End it in a friendly way: what waits is sent, and the WebSocket closed with 1000."""
        self._leaving.set()
        if self._acked_at is None:
            self.lose("closed by this client", 1000)

    def lose(self, reason: str, code: int | None = None) -> None:
        """Give it up; the first reason counts."""
        self._lose(Loss(reason, code))

    def renewal(self, outcome: Renewed) -> None:
        """The server's answer to a new token."""
        self._renewal = outcome
        self._renewal_came.set()

    def paused(self) -> None:
        """Nothing is read for now: silence is no sign of death."""
        self._pulse.pause()

    def resumed(self) -> None:
        """Reading goes on."""
        self._pulse.resume(trio.current_time())

    def _lose(self, loss: Loss) -> None:
        if self._loss is None:
            self._loss = loss
        self._scope.cancel()

    async def run(self) -> Loss:
        """Connect and serve until the connection is lost; never raises for what the net does."""
        timeout = self._options.connect_timeout
        self._deadline.deadline = trio.current_time() + timeout
        with self._scope, self._deadline:
            token = await self._token()
            if self._loss is None:
                await self._connect(token)
        if self._deadline.cancelled_caught:
            self._lose(Loss(f"no acknowledgement within {timeout:g} seconds"))
        loss = self._loss or Loss("the connection ended")
        lived = None if self._acked_at is None else trio.current_time() - self._acked_at
        return Loss(loss.reason, loss.code, loss.upgraded, lived, loss.error)

    async def _token(self) -> str | None:
        try:
            return await fetch(self._options.token)
        except Exception as error:  # noqa: BLE001 -- it is the caller's own code
            # Before the first connection it is a mistake. Later it is an outage, and those pass.
            failed = TokenFailed(f"no token: {error!r}") if self._first else None
            if failed is not None:
                failed.__cause__ = error
            self._lose(Loss(f"no token: {error!r}", error=failed))
            return None

    async def _connect(self, token: str | None) -> None:
        options = self._options
        try:
            stream = await open_stream(options.endpoint, options.tls)
            async with stream:
                await self._talk(WatchedStream(stream, self._heard), token)
        except BaseExceptionGroup as group:
            broken, rest = group.split(BROKEN)
            if broken is not None:
                self._lose(loss_of(broken))
            if rest is not None:
                raise rest from None
        except BROKEN as error:
            self._lose(loss_of(error))

    def _heard(self) -> None:
        self._pulse.heard(trio.current_time())

    async def _talk(self, stream: WatchedStream, token: str | None) -> None:
        options = self._options
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._notice_the_end, stream)
            socket = await wrap_client_stream(
                nursery,
                stream,  # type: ignore[arg-type]  # any stream will do
                options.endpoint.authority,
                options.endpoint.resource,
                subprotocols=[wire.SUBPROTOCOL],
                extra_headers=[(name.encode(), value.encode()) for name, value in options.headers],
                max_message_size=options.max_message_bytes,
                receive_buffer_size=_READ_BYTES,
            )
            if socket.subprotocol != wire.SUBPROTOCOL:
                text = f"the server does not speak {wire.SUBPROTOCOL}"
                self._lose(Loss(text, error=Refused(4406, text)))
            self.say(wire.init(authorization(token)))
            nursery.start_soon(self._write, socket)
            nursery.start_soon(self._keep_alive)
            nursery.start_soon(self._renew, token)
            nursery.start_soon(self._say_goodbye, socket)
            await self._read(socket)
            nursery.cancel_scope.cancel()

    async def _notice_the_end(self, stream: WatchedStream) -> None:
        await stream.ended.wait()
        if self._acked_at is None and self._loss is None:
            # After the ack whoever reads finds it out, once all that came has been dealt with.
            await trio.sleep(_GOODBYE)  # a close frame may have come before the end
            self._lose(Loss("the server hung up during the handshake", 1006))

    async def _read(self, socket: WebSocketConnection) -> None:
        while True:
            try:
                text = await socket.get_message()
            except ConnectionClosed as closed:
                self._lose(loss_of(closed))
                return
            try:
                frame = wire.read_frame(text)
            except wire.BadFrame as bad:
                reason = f"the server sent what is no message of the protocol: {bad}"
                self._lose(Loss(reason, error=Refused(1002, reason)))
                return
            if isinstance(frame, wire.Ack) and self._acked_at is None:
                self._acked_at = trio.current_time()
                self._deadline.deadline = math.inf
                self._owner.acknowledged()
            await self._owner.received(frame)
            while len(self._outgoing) > _BACKLOG:
                self._less = trio.Event()
                await self._less.wait()

    async def _write(self, socket: WebSocketConnection) -> None:
        while True:
            while self._outgoing:
                try:
                    await socket.send_message(self._outgoing[0])
                except ConnectionClosed:
                    return  # the reader finds out why
                self._outgoing.popleft()
                self._less.set()
            self._more = trio.Event()
            await self._more.wait()

    async def _keep_alive(self) -> None:
        if not self._options.ping_interval:
            return
        while True:
            step = self._pulse.step(trio.current_time())
            if step.act is Act.PING:
                self.say(wire.ping())
            elif step.act is Act.DEAD:
                self.lose("no sign of life from the server", 1006)
            await trio.sleep_until(step.again)

    async def _renew(self, token: str | None) -> None:
        """Keep a token that is fetched good while the connection lives."""
        if token is None or not callable(self._options.token):
            return
        expires_at = expiry_of(token)
        # Of a token that cannot be read, the server's answer to it says when it ends.
        fresh: str | None = token if expires_at is None else None
        while True:
            if fresh is None:
                if expires_at is None:
                    return
                await trio.sleep(renew_in(expires_at - time.time()))
                fresh = await self._fetch_anew(expires_at)
            if fresh is not None:
                expires_at = await self._offer(fresh)
                fresh = None

    async def _fetch_anew(self, expires_at: float) -> str | None:
        try:
            return await fetch(self._options.token)
        except Exception as error:  # noqa: BLE001 -- it is the caller's own code
            self._owner.renewed(TokenRenewed(accepted=False, expires_at=expires_at, error=error))
            return None

    async def _offer(self, token: str) -> float | None:
        self._renewal_came = trio.Event()
        self.say(wire.ping({"authorization": authorization(token)}))
        await self._renewal_came.wait()
        outcome = self._renewal or Renewed(accepted=False, expires_at=None)
        self._owner.renewed(TokenRenewed(outcome.accepted, outcome.expires_at))
        return outcome.expires_at

    async def _say_goodbye(self, socket: WebSocketConnection) -> None:
        await self._leaving.wait()
        with trio.move_on_after(_GOODBYE):
            while self._outgoing:
                self._less = trio.Event()
                await self._less.wait()
            await socket.aclose(1000)
        self.lose("closed by this client", 1000)
