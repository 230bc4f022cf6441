"""The server's side of graphql-transport-ws, without IO, clock or GraphQL.

`Protocol` is told what the client sent and what the application decided; it answers with events
for the one and frames for the other, and keeps the state both must agree on: how far the
connection is, and which ids are live.

Source: PROTOCOL.md of graphql-ws (subprotocol ``graphql-transport-ws``).
"""

from __future__ import annotations

from collections.abc import KeysView, Mapping, Sequence
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias

from attrs import evolve, field, frozen

from incident_manager.http.close_codes import CloseCode, close_reason
from incident_manager.http.frames import (
    ack_frame,
    complete_frame,
    error_frame,
    next_prefix,
    ping_frame,
    pong_frame,
)
from incident_manager.http.messages import (
    BadMessage,
    Complete,
    ConnectionInit,
    MessageType,
    Ping,
    Pong,
    Subscribe,
    SubscribePayload,
    Terminate,
    read_message,
)

__all__ = [
    "SUBPROTOCOL",
    "TRANSITIONS",
    "Close",
    "CloseCode",
    "Complete",
    "ConnectionInit",
    "Event",
    "LocalProtocolError",
    "MessageType",
    "Ping",
    "Pong",
    "Protocol",
    "State",
    "Subscribe",
    "SubscribePayload",
    "SubscriptionRefused",
    "Terminate",
    "error_frame",
    "next_prefix",
]

SUBPROTOCOL: Final = "graphql-transport-ws"


class State(Enum):
    """How far the connection is."""

    OPENED = "opened"
    """The socket is open; no ``connection_init`` yet."""

    INITIALISING = "initialising"
    """``connection_init`` has come; the application is deciding."""

    READY = "ready"
    """Acknowledged: operations are allowed."""

    CLOSED = "closed"
    """Over: nothing more is read."""


TRANSITIONS: Final[Mapping[State, Mapping[MessageType, State | CloseCode]]] = MappingProxyType(
    {
        State.OPENED: MappingProxyType(
            {
                MessageType.CONNECTION_INIT: State.INITIALISING,
                MessageType.PING: State.OPENED,
                MessageType.PONG: State.OPENED,
                MessageType.SUBSCRIBE: CloseCode.UNAUTHORIZED,
                MessageType.COMPLETE: State.OPENED,
                MessageType.CONNECTION_TERMINATE: State.CLOSED,
            }
        ),
        State.INITIALISING: MappingProxyType(
            {
                MessageType.CONNECTION_INIT: CloseCode.TOO_MANY_INIT_REQUESTS,
                MessageType.PING: State.INITIALISING,
                MessageType.PONG: State.INITIALISING,
                MessageType.SUBSCRIBE: CloseCode.UNAUTHORIZED,
                MessageType.COMPLETE: State.INITIALISING,
                MessageType.CONNECTION_TERMINATE: State.CLOSED,
            }
        ),
        State.READY: MappingProxyType(
            {
                MessageType.CONNECTION_INIT: CloseCode.TOO_MANY_INIT_REQUESTS,
                MessageType.PING: State.READY,
                MessageType.PONG: State.READY,
                MessageType.SUBSCRIBE: State.READY,  # 4409 if the id is live
                MessageType.COMPLETE: State.READY,
                MessageType.CONNECTION_TERMINATE: State.CLOSED,
            }
        ),
    }
)
"""What each message of a client does in each state: the next state, or the close code.

The messages of a server (``connection_ack``, ``next``, ``error``) and everything malformed are
4400 in every state, before this table is asked. In CLOSED nothing is read. The application's
own steps: `Protocol.ack` leads from INITIALISING to READY, `Protocol.close` from any to CLOSED.
"""


@frozen
class Close:
    """The connection is over: close the socket with this code and reason.

    The reason is cut to the 123 bytes a close frame can carry.
    """

    code: CloseCode
    reason: str = field(converter=close_reason)


@frozen
class SubscriptionRefused:
    """A ``subscribe`` over the limit; `id` is not live. Answer ``error_frame(id, errors)``."""

    id: str
    limit: int

    @property
    def errors(self) -> tuple[Mapping[str, object]]:
        """The payload of the answer, code SUBSCRIPTION_LIMIT_EXCEEDED."""
        message = f"This connection has reached its limit of {self.limit} operations at a time"
        code = "SUBSCRIPTION_LIMIT_EXCEEDED"
        return ({"message": message, "extensions": {"code": code, "limit": self.limit}},)


Event: TypeAlias = (
    ConnectionInit | Subscribe | SubscriptionRefused | Complete | Ping | Pong | Terminate | Close
)


class LocalProtocolError(Exception):
    """The application, not the client, broke the protocol."""


class Protocol:
    """One connection's state.

    Args:
        agreed: whether the subprotocol was negotiated. What is read and how does not depend on
            it; a client that did not agree is sent no pings, which is for the caller to keep.
        max_subscriptions: how many operations may be live at a time; 0 for no limit.

    Raises:
        ValueError: `max_subscriptions` is negative.
    """

    __slots__ = ("_live", "_serial", "_state", "agreed", "max_subscriptions")

    def __init__(self, *, agreed: bool, max_subscriptions: int = 10) -> None:
        if max_subscriptions < 0:
            raise ValueError(f"max_subscriptions must be 0 or more, not {max_subscriptions}")
        self.agreed: Final = agreed
        self.max_subscriptions: Final = max_subscriptions
        self._state = State.OPENED
        self._live: dict[str, int] = {}  # id: serial
        self._serial = 0

    def __repr__(self) -> str:
        return f"<Protocol {self._state.value}, {len(self._live)} live>"

    @property
    def state(self) -> State:
        """How far the connection is."""
        return self._state

    @property
    def ids(self) -> KeysView[str]:
        """The live operations, oldest first: a view that follows changes."""
        return self._live.keys()

    def is_live(self, id: str, serial: int | None = None) -> bool:  # noqa: A002
        """Return whether `id` may still be sent anything.

        Args:
            id: the operation.
            serial: from its `Subscribe`, to ask for that very operation: a client may complete
                an id and use it again before the first operation's task has noticed.
        """
        live = self._live.get(id)
        return live is not None and serial in (None, live)

    def receive(self, data: str | bytes) -> tuple[Event, ...]:
        """Take one WebSocket message and return what the application has to do about it.

        Never raises, whatever `data` is. A breach of the protocol is a single `Close`; it and
        `Terminate` lead to CLOSED, with no id live. A ``complete`` for an id that is not live is
        ignored, and in CLOSED so is everything.

        Args:
            data: one whole message; bytes if it came in binary frames, which is a breach.
        """
        if self._state is State.CLOSED:
            return ()
        try:
            kind, message = read_message(data)
        except BadMessage as error:
            return (self.close(CloseCode.BAD_MESSAGE, str(error)),)
        outcome = TRANSITIONS[self._state][kind]
        if isinstance(outcome, CloseCode):
            return (self.close(outcome),)
        self._state = outcome
        match message:
            case Subscribe():
                return (self._subscribe(message),)
            case Complete(id=operation):
                return (message,) if self._end(operation, None) else ()
            case Terminate():
                self._live.clear()
        return (message,)

    def ack(self, payload: Mapping[str, object] | None = None) -> bytes | None:
        """Acknowledge the connection and return the frame to send.

        Returns None if the connection has been closed while the application was deciding.

        Raises:
            LocalProtocolError: there is no ``connection_init`` to acknowledge.
        """
        match self._state:
            case State.INITIALISING:
                frame = ack_frame(payload)
                self._state = State.READY
                return frame
            case State.CLOSED:
                return None
            case state:
                raise LocalProtocolError(f"cannot acknowledge a connection that is {state.value}")

    def error(
        self,
        id: str,  # noqa: A002
        errors: Sequence[Mapping[str, object]],
        *,
        serial: int | None = None,
    ) -> bytes | None:
        """End `id` with errors and return the frame to send, or None if it is no longer live.

        For `errors` and what is raised see `error_frame`; for `serial` see `is_live`.
        """
        frame = error_frame(id, errors)
        return frame if self._end(id, serial) else None

    def complete(self, id: str, *, serial: int | None = None) -> bytes | None:  # noqa: A002
        """End `id` and return the frame to send, or None if it is no longer live.

        For `serial` see `is_live`.
        """
        return complete_frame(id) if self._end(id, serial) else None

    def ping(self, payload: Mapping[str, object] | None = None) -> bytes:
        """Return a ``ping``. It is for clients that agreed the subprotocol."""
        return ping_frame(payload)

    def pong(self, payload: Mapping[str, object] | None = None) -> bytes:
        """Return a ``pong``: the answer to a `Ping`, with its payload."""
        return pong_frame(payload)

    def init_timed_out(self) -> Close | None:
        """Close for want of a ``connection_init``; None if there has been one, or a close."""
        return self.close(CloseCode.INIT_TIMEOUT) if self._state is State.OPENED else None

    def close(self, code: CloseCode, reason: str | None = None) -> Close:
        """Go to CLOSED, with no id live, and return what to close the socket with.

        Args:
            code: why.
            reason: what to say; by default what belongs to the code.
        """
        self._state = State.CLOSED
        self._live.clear()
        return Close(code, code.reason if reason is None else reason)

    def _subscribe(self, message: Subscribe) -> Event:
        if message.id in self._live:
            code = CloseCode.SUBSCRIBER_EXISTS
            return self.close(code, code.reason.format(id=message.id))
        if 0 < self.max_subscriptions <= len(self._live):
            return SubscriptionRefused(message.id, self.max_subscriptions)
        self._serial += 1
        self._live[message.id] = self._serial
        return evolve(message, serial=self._serial)

    def _end(self, id: str, serial: int | None) -> bool:  # noqa: A002
        if not self.is_live(id, serial):
            return False
        del self._live[id]
        return True
