"""One WebSocket connection: a supervised actor that costs the task it already runs in.

It reads the protocol, answers what is answered at once, and runs every operation as a child of
its own. What leaves goes through its one outbox.
"""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime

import trio

from incident_manager.actors.errors import ErrorCode, Unavailable
from incident_manager.http.auth import NONE, AuthError, Credentials, Principal, of_payload
from incident_manager.http.counters import Eviction
from incident_manager.http.gateway import Gateway, Phase
from incident_manager.http.operations import Operations
from incident_manager.http.outbox import Outbox
from incident_manager.http.pace import Pace
from incident_manager.http.protocol import (
    Close,
    CloseCode,
    Complete,
    ConnectionInit,
    Event,
    Ping,
    Protocol,
    State,
    Subscribe,
    Terminate,
)
from incident_manager.http.rates import RateLimited
from incident_manager.http.trace import read_traceparent
from incident_manager.supervision import Child, DynamicSupervisor

__all__ = ["Connection", "close_code", "close_connections", "close_revoked"]

_log = logging.getLogger(__name__)

_MISTAKES = 4400  # from here on a close tells of the client's mistake
_LEAST_PAUSE = 0.01  # seconds between two closes, of one connection or of some
_TOGETHER = 64  # connections that are closed at a time where there is no time for pauses
_NEVER = float("inf")
_CLOSE_GRACE = 5.0  # seconds a client has to answer a close

Receive = Callable[[], Awaitable[Mapping[str, object]]]


def close_code(gateway: Gateway) -> CloseCode:
    """Why connections end: 1001 where the server was asked to stop, 1012 where it has failed."""
    drains = gateway.phase is Phase.DRAINING
    return CloseCode.GOING_AWAY if drains else CloseCode.SERVICE_RESTART


async def close_connections(gateway: Gateway, window: float) -> None:
    """Close every WebSocket, spread over ``window`` seconds, so that not all of their clients
    come back in the same moment.
    """
    connections = list(gateway.connections)
    if not connections:
        return
    # Some at a time, where there are very many: a turn of all tasks costs more than a close.
    together = max(1, round(len(connections) * _LEAST_PAUSE / window)) if window else _TOGETHER
    pause = min(window * together / len(connections), 0.05)
    for number, connection in enumerate(connections):
        connection.go_away()
        if number % together == together - 1:
            await trio.sleep(pause)


def close_revoked(gateway: Gateway) -> None:
    """End what is held open by an API key that is not good any more."""
    gateway.keys_changed.set()
    gateway.keys_changed = trio.Event()
    for connection in list(gateway.connections):
        connection.recheck()


class Connection:
    """The actor of one connection; :meth:`run` is its whole life after the accept.

    ``gone`` says that the client has left.
    """

    __slots__ = (
        "_child",
        "_children",
        "_credentials",
        "_gateway",
        "_handled",
        "_operations",
        "_outbox",
        "_pause",
        "_pauses",
        "_peer",
        "_principal",
        "_protocol",
        "gone",
    )

    def __init__(
        self,
        gateway: Gateway,
        child: Child,
        outbox: Outbox,
        nursery: trio.Nursery,
        *,
        agreed: bool,
        peer: str,
        host: str | None = None,
        credentials: Credentials = NONE,
    ) -> None:
        self._gateway = gateway
        self._credentials = credentials
        self._child = child
        self._outbox = outbox
        self._peer = peer
        # The limit of the contract counts subscriptions; queries wait for their turn instead.
        self._protocol = Protocol(agreed=agreed, max_subscriptions=0)
        self._children = DynamicSupervisor(None, parent=child.node, shutdown=0, nursery=nursery)
        self._principal: Principal | None = None
        self._handled = 0
        self._pause: trio.CancelScope | None = None
        self._pauses = 0
        self.gone = False
        self._operations = Operations(gateway, self._protocol, outbox, self._children, host)
        child.observe(self.statistics)
        child.on_stop(self.go_away)

    def statistics(self) -> dict[str, object]:
        """The live figures of the actor tree (contract, section 7)."""
        streams = self._operations.streams
        return {
            "peer": self._peer,
            "principal": None if self._principal is None else self._principal.name,
            "messages_handled": self._handled,
            "pauses": self._pauses,
            "subscriptions": len(streams),
            "bytes_out": self._outbox.bytes_out,
            "backlog_bytes": self._outbox.size,
            "live": sum(stream.live for stream in streams),
            "reading": sum(not stream.live for stream in streams),
            "lag_events": max((stream.lag for stream in streams), default=0),
        }

    @property
    def waiting(self) -> int:
        """How many messages are in its outbox."""
        return len(self._outbox)

    @property
    def subscriptions(self) -> int:
        """How many subscriptions run on it."""
        return len(self._operations.streams)

    def go_away(self) -> None:
        """The server stops."""
        if self._protocol.state is not State.CLOSED:
            self.end(close_code(self._gateway))

    def end(self, code: CloseCode, reason: str | None = None) -> None:
        """Close with a code after what is in the outbox; operations end now."""
        self._close(self._protocol.close(code, reason))

    def recheck(self) -> None:
        """End it if the API key that it was opened with is not good any more."""
        if self._principal is not None and self._gateway.authenticator.revoked(self._principal):
            self.end(CloseCode.FORBIDDEN, "The API key is not valid any more")

    def _close(self, close: Close) -> None:
        if close.code >= _MISTAKES:
            self._gateway.counters.errors += 1
        self._operations.stop_all()
        self._outbox.end(close.code, close.reason)
        if self._pause is not None:
            self._pause.cancel()
        scope = self._child.scope
        scope.deadline = min(scope.deadline, trio.current_time() + _CLOSE_GRACE)

    async def run(self, receive: Receive) -> None:
        """Serve the client until it leaves."""
        async with self._children:
            try:
                await self._serve(receive)
            finally:
                self._outbox.close()
                self._operations.stop_all()

    async def _serve(self, receive: Receive) -> None:
        limits = self._gateway.settings.limits
        deadline = trio.current_time() + limits.init_timeout
        pace = Pace(limits.messages_per_second)
        while True:
            if deadline == _NEVER:  # without a timer, which costs memory
                message = await receive()
            else:
                with trio.move_on_at(deadline) as timer:
                    message = await receive()
                if timer.cancelled_caught:
                    self._time_out()
                    deadline = _NEVER
                    continue
                del timer
            if message["type"] == "websocket.disconnect":
                self.gone = True
                return
            self._gateway.counters.messages_in += 1
            self._handled += 1
            data = message.get("text")
            if data is None:
                data = message.get("bytes")
            for event in self._protocol.receive(data if isinstance(data, str | bytes) else b""):
                await self._handle(event)
            if self._protocol.state is not State.OPENED:
                deadline = self._expiry()
            now = trio.current_time()
            until = pace.spend(now)
            if until <= now and not self._outbox.size and not self._operations.full:
                continue
            # No more input is read than there is room for its answers; its time goes on.
            with trio.move_on_at(deadline) as timer:
                await self._outbox.room()
                await self._operations.room()
                await self._rest(until)
            if timer.cancelled_caught:
                self._time_out()
                deadline = _NEVER

    async def _rest(self, until: float) -> None:
        """Read nothing until then: what the client sends waits with the kernel, and then with it.

        What leaves goes on, and nothing is waited for once the connection is being closed.
        """
        if until <= trio.current_time() or self._protocol.state is State.CLOSED:
            return
        self._pauses += 1
        with trio.CancelScope(deadline=until) as self._pause:
            await trio.sleep_forever()

    def _time_out(self) -> None:
        late = self._protocol.init_timed_out()
        if late is not None:
            self._close(late)
        elif self._principal is not None:
            self._gateway.counters.evictions[Eviction.EXPIRED] += 1
            what = "token" if self._principal.api_key is None else "API key"
            self.end(CloseCode.FORBIDDEN, f"The {what} has expired")

    def _expiry(self) -> float:
        """When the token runs out, in Trio's time; of a connection that is closed it has."""
        if self._protocol.state is State.CLOSED:
            return _NEVER
        if self._principal is None or self._principal.expires_at is None:
            return _NEVER
        return trio.current_time() + self._principal.expires_at - time.time()

    async def _handle(self, event: Event) -> None:
        match event:
            case Subscribe() if self._principal is not None:
                self._operations.start(event, self._principal)
            case Complete(id=operation_id):
                self._operations.stop(operation_id)
            case Ping(payload=payload):
                await self._ping(payload)
            case ConnectionInit(payload=payload):
                self._operations.trace = read_traceparent((payload or {}).get("traceparent"))
                await self._initialise(payload)
            case Close():
                self._close(event)
            case Terminate():
                self.end(CloseCode.NORMAL)
            case _:
                pass  # a pong asks for nothing, and the limit of the protocol is off

    async def _initialise(self, payload: Mapping[str, object] | None) -> None:
        # What the upgrade's headers said counts where the payload says nothing.
        shown = of_payload(payload) or self._credentials
        self._credentials = NONE
        host, quotas = self._operations.host, self._gateway.quotas
        try:
            if shown:
                quotas.check_sign_in(host, trio.current_time())
            self._principal = await self._gateway.authenticator.identify(shown)
        except Unavailable as unavailable:
            _log.info("connection refused: %s", unavailable.message, extra={"peer": self._peer})
            self.end(CloseCode.TRY_AGAIN_LATER)
            return
        except RateLimited as limited:
            _log.info("connection refused: %s", limited.message, extra={"peer": self._peer})
            self.end(CloseCode.TRY_AGAIN_LATER)
            return
        except AuthError as refused:
            _log.info("connection refused", extra={"peer": self._peer, "code": refused.code.value})
            self._refused(refused)
            self.end(CloseCode.FORBIDDEN)
            return
        ack = self._protocol.ack()
        if ack is not None:
            self._outbox.write(ack)

    def _refused(self, refusal: AuthError) -> None:
        """Count it: for the audit, and against whoever tries."""
        host = self._operations.host
        self._gateway.sign_in_refused(host, refusal)
        if refusal.code is ErrorCode.UNAUTHORIZED:
            self._gateway.quotas.sign_in_failed(host, trio.current_time())

    async def _ping(self, payload: Mapping[str, object] | None) -> None:
        authorization = None if payload is None else payload.get("authorization")
        if authorization is None or self._principal is None:
            self._outbox.write(self._protocol.pong(payload))
            return
        answer = "accepted"
        host, quotas = self._operations.host, self._gateway.quotas
        try:
            quotas.check_sign_in(host, trio.current_time())
            shown = Credentials(authorization if isinstance(authorization, str) else "")
            self._principal = await self._gateway.authenticator.renew(self._principal, shown)
        except AuthError as refused:
            answer = "rejected"
            self._refused(refused)
        except (RateLimited, Unavailable):
            answer = "rejected"
        until = self._principal.expires_at
        expires = None if until is None else _rfc3339(until)
        self._outbox.write(self._protocol.pong({"authorization": answer, "expiresAt": expires}))


def _rfc3339(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="microseconds")[:-6] + "Z"
