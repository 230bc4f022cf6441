"""One connection for all subscriptions and calls of a client, found again when it is lost."""

from collections.abc import Callable, Generator, Iterable, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import trio
from attrs import frozen

from incident_manager.http.client import outputs as out
from incident_manager.http.client import wire
from incident_manager.http.client.errors import ClientClosed, ClientError
from incident_manager.http.client.events import (
    ClientEvent,
    Connected,
    Disconnected,
    TokenRenewed,
)
from incident_manager.http.client.link import Link, LinkOptions
from incident_manager.http.client.reconnect import GiveUp, Reconnect
from incident_manager.http.client.session import Session
from incident_manager.http.client.subscription import Inbox

__all__ = ["ClientStatistics", "Switchboard"]

Variables: TypeAlias = Mapping[str, Any] | None


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


class Switchboard:
    """Joins what callers ask for to the connection there is, and finds another when it is lost.

    Inboxes know it as their ``Desk``, links as their ``Owner``.
    """

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
        self, query: str, variables: Variables, operation_name: str | None, cursor: str | None
    ) -> Inbox:
        """Begin a subscription; its inbox."""
        self._check()
        inbox = Inbox(self, self._buffer)
        inbox.key, outputs = self._session.subscribe(query, variables, operation_name, cursor)
        self._inboxes[inbox.key] = inbox
        self._apply(outputs)
        return inbox

    async def execute(
        self, query: str, variables: Variables, operation_name: str | None, *, again: bool
    ) -> dict[str, Any]:
        """Run a query or a mutation; its data."""
        self._check()
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
            if isinstance(output, out.Deliver):
                await self._deliver(output)
            else:
                self._apply((output,))

    def renewed(self, event: TokenRenewed) -> None:
        """A renewal of the token was tried."""
        self._tell(event)

    async def _deliver(self, output: out.Deliver) -> None:
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

    def _apply(self, outputs: Iterable[out.Output]) -> None:
        for output in outputs:
            match output:
                case out.Say(frame=frame):
                    if self._link is not None:
                        self._link.say(frame)
                case out.Begun(key=key):
                    self._inboxes[key].begun.set()
                case out.Answer(key=key, data=data):
                    self._calls[key].data = data
                    self._calls[key].end(None)
                case out.Ended(key=key, error=error):
                    self._end(key, error)
                case out.Renewed():
                    if self._link is not None:
                        self._link.renewal(output)
                case out.Again(reason=reason):
                    if self._link is not None:
                        self._link.lose(reason)
                case out.Deliver():
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

    async def run(self) -> None:
        """Keep a connection until closed or refused for good."""
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

    def close(self) -> None:
        """End everything; the connection is closed in a friendly way if there is one."""
        self._give_up(self._failure or ClientClosed("the client is closed"))
        self._closing.set()
        if self._link is not None:
            self._link.leave()
