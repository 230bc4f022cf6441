"""The operations of one connection: each is a child of its own, found by the client's id."""

from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from functools import partial

import msgspec
import trio

from incident_manager.actors.errors import ErrorCode, Unavailable
from incident_manager.actors.subscription import Subscription
from incident_manager.http.auth import Principal
from incident_manager.http.execution import execute, prepare
from incident_manager.http.frames import next_prefix
from incident_manager.http.gateway import Gateway, Session
from incident_manager.http.outbox import Outbox
from incident_manager.http.protocol import Protocol, Subscribe
from incident_manager.http.sink import SubscriptionSink
from incident_manager.http.streams import begun, figures, read_cursor, wanted_of
from incident_manager.http.trace import read_traceparent
from incident_manager.schema.errors import OperationRefused, refusal
from incident_manager.schema.operation import Operation
from incident_manager.supervision import Child, DynamicSupervisor, Stats

__all__ = ["Operations"]

_SLOW = "There was no answer in time (limits.query_timeout). Try again."
_HIDDEN = "Something went wrong inside the server."
_AT_ONCE = 4  # of these are executed at a time: a result may be large
_IN_FLIGHT = 32  # queries and mutations at a time; with more, the input is not read on


class _Running:
    """An operation that runs: the name of its child, and its sink if it is a stream."""

    __slots__ = ("name", "sink")

    def __init__(self, name: str, sink: SubscriptionSink | None) -> None:
        self.name = name
        self.sink = sink


class Operations:
    """What a client has asked for and what is not over yet.

    Subscriptions are counted against the contract's limit; of queries and mutations a bounded
    number runs at a time, and :meth:`room` is waited in before more is read. ``trace`` is the
    ``traceparent`` of those that bring none of their own, ``host`` the client's address.
    """

    __slots__ = (
        "_children",
        "_fewer",
        "_gateway",
        "_in_flight",
        "_outbox",
        "_protocol",
        "_running",
        "_turns",
        "host",
        "streams",
        "trace",
    )

    def __init__(
        self,
        gateway: Gateway,
        protocol: Protocol,
        outbox: Outbox,
        children: DynamicSupervisor,
        host: str | None = None,
    ) -> None:
        self._gateway = gateway
        self._protocol = protocol
        self._outbox = outbox
        self._children = children
        self._running: dict[str, _Running] = {}
        self._in_flight = 0
        self._fewer: trio.Event | None = None
        self._turns: trio.CapacityLimiter | None = None
        self.streams: dict[str, Subscription] = {}
        self.trace: str | None = None
        self.host = host

    async def room(self) -> None:
        """Wait until there is room for one more query or mutation."""
        while self._in_flight >= _IN_FLIGHT:
            if self._fewer is None:
                self._fewer = trio.Event()
            await self._fewer.wait()

    def stop_all(self) -> None:
        """Nothing leaves for any of them from now on."""
        for operation_id in list(self._running):
            self.stop(operation_id)

    def start(self, event: Subscribe, principal: Principal) -> None:
        """Begin an operation; a client's mistake is its ``error``."""
        payload = event.payload
        try:
            self._count(principal)
            operation = prepare(
                self._gateway,
                payload.query,
                payload.operation_name,
                payload.variables,
                principal,
            )
            if operation.streams:
                self._stream(event, operation, principal)
            else:
                trace = self._trace(payload.extensions)
                session = self._gateway.session(principal, trace, self.host)
                self._begin(event, None, partial(self._execute, event, operation, session))
        except OperationRefused as refused:
            self._fail(event, refused)
        except Unavailable as failure:
            self._fail(event, refusal(ErrorCode.SERVICE_UNAVAILABLE, failure.message))

    def _count(self, principal: Principal) -> None:
        """Raises OperationRefused for one operation too many, of all that the caller asks."""
        spent = self._gateway.quotas.ask(principal, self.host, trio.current_time())
        if spent is not None and not spent.allowed:
            late = spent.refusal()
            raise refusal(late.code, late.message, retryAfter=late.retry_after)

    def _fail(self, event: Subscribe, refused: OperationRefused) -> None:
        frame = self._protocol.error(event.id, refused.errors, serial=event.serial)
        self._gateway.counters.erred(refused.errors)
        if frame is not None:
            self._gateway.counters.errors += 1
            self._outbox.write(frame)

    def _trace(self, extensions: Mapping[str, object] | None) -> str | None:
        own = None if extensions is None else read_traceparent(extensions.get("traceparent"))
        return self.trace if own is None else own

    def _stream(self, event: Subscribe, operation: Operation, principal: Principal) -> None:
        wanted = wanted_of(operation, principal)
        extensions = event.payload.extensions or {}
        cursor = read_cursor(extensions.get("cursor"), "extensions.cursor")
        limit = self._gateway.settings.limits.subscriptions_per_connection
        if limit and len(self.streams) >= limit:
            raise refusal(
                ErrorCode.SUBSCRIPTION_LIMIT_EXCEEDED,
                f"This connection has {limit} subscriptions already; it may have no more.",
            )
        sink = SubscriptionSink(self._outbox, event.id, tells=self._protocol.agreed)
        stream = begun(self._gateway.running().streams, sink, wanted, cursor)
        self.streams[event.id] = stream
        self._begin(
            event,
            sink,
            partial(self._run_stream, event, stream),
            stats=partial(figures, stream, event.id),
        )

    def _begin(
        self,
        event: Subscribe,
        sink: SubscriptionSink | None,
        body: Callable[[], Awaitable[None]],
        *,
        stats: Stats | None = None,
    ) -> None:
        name = f"s{event.serial}" if sink is not None else f"o{event.serial}"
        kind = "subscription" if sink is not None else "operation"
        self._running[event.id] = _Running(name, sink)
        if sink is None:
            self._in_flight += 1
        self._children.start_child(name, kind, partial(_body, body), stats=stats)

    def stop(self, operation_id: str) -> None:
        """The client wants no more of this one: nothing leaves for it from now on."""
        running = self._running.pop(operation_id, None)
        if running is None:
            return
        self.streams.pop(operation_id, None)
        if running.sink is not None:
            running.sink.open = False
        with suppress(KeyError):  # it may have ended in this very moment
            self._children.stop_child(running.name, shutdown=0)

    def _ended(self, event: Subscribe) -> None:
        running = self._running.get(event.id)
        if running is not None and running.name[1:] == str(event.serial):
            del self._running[event.id]
            self.streams.pop(event.id, None)

    async def _run_stream(self, event: Subscribe, stream: Subscription) -> None:
        try:
            await stream.run()
        except Exception:
            # This id ends; the connection and its other ids go on. The supervisor records why.
            self._fail(event, refusal(ErrorCode.INTERNAL_SERVER_ERROR, _HIDDEN))
            raise
        finally:
            self._ended(event)

    async def _execute(self, event: Subscribe, operation: Operation, session: Session) -> None:
        if self._turns is None:  # most connections only subscribe
            self._turns = trio.CapacityLimiter(_AT_ONCE)
        try:
            async with self._turns:
                # A client that does not read its results gets no more of them made.
                await self._outbox.room()
                result = await execute(self._gateway, operation, session)
                self._finish(event, result)
        except trio.TooSlowError:
            self._fail(event, refusal(ErrorCode.TIMEOUT, _SLOW))
        except Unavailable as failure:
            self._fail(event, refusal(ErrorCode.SERVICE_UNAVAILABLE, failure.message))
        except Exception:
            self._fail(event, refusal(ErrorCode.INTERNAL_SERVER_ERROR, _HIDDEN))
            raise
        finally:
            self._ended(event)
            self._in_flight -= 1
            if self._fewer is not None:
                self._fewer.set()
                self._fewer = None

    def _finish(self, event: Subscribe, result: Mapping[str, object]) -> None:
        if not self._protocol.is_live(event.id, event.serial):
            return
        self._outbox.write(next_prefix(event.id) + msgspec.json.encode(result) + b"}")
        complete = self._protocol.complete(event.id, serial=event.serial)
        if complete is not None:
            self._outbox.write(complete)


async def _body(
    run: Callable[[], Awaitable[None]],
    child: Child,
    /,
    *,
    task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
) -> None:
    del child, task_status
    await run()
