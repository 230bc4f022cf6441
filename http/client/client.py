"""The client: one connection for all its subscriptions and calls, found again when it is lost."""

import re
import ssl
from collections.abc import AsyncGenerator, Callable, Generator, Iterable, Mapping
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import trio
from attrs import frozen

from incident_manager.http.client import session, wire
from incident_manager.http.client.endpoint import Endpoint
from incident_manager.http.client.errors import ClientClosed, ClientError
from incident_manager.http.client.events import (
    ClientEvent,
    Connected,
    Disconnected,
    TokenRenewed,
)
from incident_manager.http.client.link import Link, LinkOptions
from incident_manager.http.client.reconnect import Backoff, GiveUp, Reconnect
from incident_manager.http.client.session import Session
from incident_manager.http.client.subscription import Inbox, Subscription
from incident_manager.http.client.token import TokenSource

__all__ = ["Client", "ClientStatistics", "open_client"]

_CHANGE = re.compile(r"\bmutation\b")


@frozen
class ClientStatistics:
    """How a client does. ``buffered`` counts messages that wait for their consumers."""

    connected: bool
    connections: int
    subscriptions: int
    calls: int
    buffered: int
    parked: int


class _Call:
    __slots__ = ("data", "done", "error")

    def __init__(self) -> None:
        self.done = trio.Event()
        self.data: dict[str, Any] = {}
        self.error: ClientError | None = None

    def end(self, error: ClientError | None) -> None:
        self.error = error
        self.done.set()


class Client:
    """Made by :func:`open_client`, and good inside its block."""

    def __init__(
        self,
        options: LinkOptions,
        reconnect: Reconnect,
        buffer: int,
        on_event: Callable[[ClientEvent], None] | None,
    ) -> None:
        self._options = options
        self._reconnect = reconnect
        self._buffer = buffer
        self._on_event = on_event
        self._session = Session()
        self._inboxes: dict[int, Inbox] = {}
        self._calls: dict[int, _Call] = {}
        self._parked: set[int] = set()
        self._link: Link | None = None
        self._connections = 0
        self._waiters = 0
        self._stirred = trio.Event()
        self._closing = trio.Event()
        self._failure: ClientError | None = None

    def subscribe(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        cursor: str | None = None,
    ) -> Subscription:
        """Subscribe, from ``cursor`` on or from now on; see :class:`Subscription`.

        Raises:
            ClientError: the client has given up or is closed.
        """
        self._check()
        inbox = Inbox(self, self._buffer)
        inbox.key, outputs = self._session.subscribe(query, variables, operation_name, cursor)
        self._inboxes[inbox.key] = inbox
        self._apply(outputs)
        return Subscription(self, inbox)

    async def execute(
        self,
        query: str,
        variables: Mapping[str, Any] | None = None,
        operation_name: str | None = None,
        *,
        repeatable: bool | None = None,
    ) -> dict[str, Any]:
        """Run a query or a mutation and return its ``data``; waits until there is a connection.

        Args:
            repeatable: it may be sent again where the connection was lost before the answer. By
                default that is so of documents without a mutation in them.

        Raises:
            OperationFailed: the answer has errors (and maybe data besides).
            OutcomeUnknown: the connection was lost, and it is not repeatable.
            ClientError: the client has given up or is closed.
        """
        self._check()
        again = not _CHANGE.search(query) if repeatable is None else repeatable
        call = _Call()
        key, outputs = self._session.execute(query, variables, operation_name, again=again)
        self._calls[key] = call
        self._apply(outputs)
        try:
            with self.waiting():
                await call.done.wait()
        finally:
            self._calls.pop(key, None)
            self._apply(self._session.forget(key))
        if call.error is not None:
            raise call.error
        return call.data

    def statistics(self) -> ClientStatistics:
        """How it does at this moment."""
        return ClientStatistics(
            connected=self._session.ready,
            connections=self._connections,
            subscriptions=len(self._inboxes),
            calls=len(self._calls),
            buffered=sum(len(inbox.messages) for inbox in self._inboxes.values()),
            parked=len(self._parked),
        )

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    # For the inboxes: see Desk.

    @contextmanager
    def waiting(self) -> Generator[None]:
        """Somebody waits for what only the socket can bring."""
        self._waiters += 1
        self._stirred.set()
        try:
            yield
        finally:
            self._waiters -= 1

    def taken(self, inbox: Inbox) -> None:
        """A message was taken out: there is room."""
        self._stirred.set()
        if inbox.key in self._parked and len(inbox.messages) <= inbox.capacity // 2:
            self._parked.discard(inbox.key)
            self._apply(self._session.unpark(inbox.key))

    def leave(self, inbox: Inbox) -> None:
        """Nobody wants this subscription any more."""
        if self._inboxes.pop(inbox.key, None) is not None:
            self._parked.discard(inbox.key)
            self._apply(self._session.forget(inbox.key))
            inbox.end(None)
            self._stirred.set()

    # For the link: see Owner.

    def acknowledged(self) -> None:
        """The server has let the client in: everything is asked again."""
        self._connections += 1
        resumed = self._session.resumable
        self._apply(self._session.connected())
        self._tell(Connected(self._connections, resumed))

    async def received(self, frame: wire.Frame) -> None:
        """Deal with a frame; waits while its consumer is behind."""
        for output in self._session.receive(frame):
            if isinstance(output, session.Deliver):
                await self._deliver(output)
            else:
                self._apply((output,))

    def renewed(self, event: TokenRenewed) -> None:
        """A renewal of the token was tried."""
        self._tell(event)

    async def _deliver(self, output: session.Deliver) -> None:
        inbox = self._inboxes.get(output.key)
        if inbox is None:
            return
        if inbox.full and not await self._room(inbox):
            return
        if not inbox.over:
            inbox.put(output.message)
            self._session.took(output.key, output.message)

    async def _room(self, inbox: Inbox) -> bool:
        """Wait for room, reading nothing meanwhile; False where it was parked instead."""
        link = self._link
        assert link is not None  # noqa: S101 -- what is delivered came by it
        link.paused()
        try:
            while inbox.full and not inbox.over:
                if self._waiters:
                    # Somebody else needs the socket: this one is read on from its cursor when
                    # its consumer has caught up.
                    self._parked.add(inbox.key)
                    self._apply(self._session.park(inbox.key))
                    return False
                self._stirred = trio.Event()
                await self._stirred.wait()
        finally:
            link.resumed()
        return True

    def _apply(self, outputs: Iterable[session.Output]) -> None:
        for output in outputs:
            match output:
                case session.Say(frame=frame):
                    if self._link is not None:
                        self._link.say(frame)
                case session.Begun(key=key):
                    self._inboxes[key].begun.set()
                case session.Answer(key=key, data=data):
                    self._calls[key].data = data
                    self._calls[key].end(None)
                case session.Ended(key=key, error=error):
                    self._end(key, error)
                case session.Renewed():
                    if self._link is not None:
                        self._link.renewal(output)
                case session.Again(reason=reason):
                    if self._link is not None:
                        self._link.lose(reason)
                case session.Deliver():
                    raise AssertionError("a message is delivered by received()")

    def _end(self, key: int, error: ClientError | None) -> None:
        inbox = self._inboxes.pop(key, None)
        if inbox is not None:
            inbox.end(error)
        elif key in self._calls:
            self._calls[key].end(error)

    def _tell(self, event: ClientEvent) -> None:
        if self._on_event is not None:
            self._on_event(event)

    async def _run(self) -> None:
        while not self._closing.is_set():
            link = self._link = Link(self._options, self, first=self._connections == 0)
            loss = await link.run()
            self._link = None
            self._apply(self._session.disconnected())
            if self._closing.is_set():
                return
            decision = self._reconnect.lost(loss, trio.current_time())
            if isinstance(decision, GiveUp):
                self._give_up(decision.error)
                return
            self._tell(Disconnected(loss.code, loss.reason, decision.delay, decision.failures))
            with trio.move_on_after(decision.delay):
                await self._closing.wait()

    def _give_up(self, error: ClientError) -> None:
        self._failure = error
        for inbox in self._inboxes.values():
            inbox.end(error)
        self._inboxes.clear()
        for call in self._calls.values():
            call.end(error)

    def _close(self) -> None:
        self._give_up(self._failure or ClientClosed("the client is closed"))
        self._closing.set()
        if self._link is not None:
            self._link.leave()


@asynccontextmanager
async def open_client(
    url: str,
    token: TokenSource | None = None,
    *,
    backoff: Backoff | None = None,
    buffer: int = 256,
    patience: float | None = None,
    connect_timeout: float = 10.0,
    ping_interval: float = 15.0,
    ping_timeout: float = 10.0,
    max_message_bytes: int = 16 * 1024 * 1024,
    headers: Mapping[str, str] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    on_event: Callable[[ClientEvent], None] | None = None,
) -> AsyncGenerator[Client]:
    """Open a client that keeps itself connected to ``url`` until its block is left.

    It connects in the background, so it is entered at once, server or no server. All its tasks
    live inside the block. On the way out the WebSocket is closed with 1000.

    A full buffer stops the reading of the socket, and so the server's sending, as long as nobody
    waits for anything else of this client. Where somebody does (another subscription, an answer),
    the subscription that is behind is completed and later taken up again from its cursor. So memory
    is bounded, nothing is lost, and no subscription holds up another.

    Args:
        url: ``ws://host:8080/graphql/ws`` or ``wss://...``.
        token: a token, or a function (async or not) that returns one: it is called at each connect,
            and before the token in use expires, which then is renewed on the living connection.
        backoff: the waits between tries.
        buffer: messages that may wait for the consumer of each subscription.
        patience: seconds without a connection after which the client gives up; None for never.
        connect_timeout: seconds for one try, up to the server's ack.
        ping_interval: seconds of silence before the server is asked whether it lives; 0 for never.
        ping_timeout: seconds that it has for the answer.
        max_message_bytes: the largest message taken from the server.
        headers: further headers of the upgrade, such as a proxy may need.
        ssl_context: for ``wss``; by default the system's certificates count.
        on_event: told of each :data:`ClientEvent` as it happens. It must not raise or block.

    Raises:
        ValueError: the URL or a number is none that can be used.
    """
    if buffer < 1 or connect_timeout <= 0 or ping_interval < 0 or ping_timeout <= 0:
        raise ValueError("buffer and the timeouts must be more than nothing")
    options = LinkOptions(
        Endpoint.parse(url),
        ssl_context,
        token,
        tuple((headers or {}).items()),
        connect_timeout,
        ping_interval,
        ping_timeout,
        max_message_bytes,
    )
    reconnect = Reconnect(
        backoff or Backoff(),
        fixed=not callable(token),
        patience=patience,
        now=trio.current_time(),
    )
    client = Client(options, reconnect, buffer, on_event)
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(client._run)
        try:
            yield client
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 -- raised below, as it is, in no group
            failure = error
        finally:
            client._close()
    if failure is not None:
        raise failure
