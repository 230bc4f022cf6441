"""The operations of one connection: each is a child of its own, found by the client's id."""

from collections.abc import Mapping
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
from incident_manager.supervision import Body, Child, DynamicSupervisor

__all__ = ["Operations"]

_SLOW = "There was no answer in time (limits.query_timeout). Try again."
_HIDDEN = "Something went wrong inside the server."
_AT_ONCE = 4  # of these are executed at a time: a result may be large
_IN_FLIGHT = 32  # queries and mutations at a time; with more, the input is not read on


class _Running:
    """An operation that runs: by which name as a child."""

    __slots__ = ("name",)

    def __init__(self, name: str) -> None:
        self.name = name

    def stop(self) -> None:
        """Nothing leaves for it from now on."""


class _Streaming(_Running):
    """A subscription. As long as it is live, it rests: it has no task.

    ``child`` is to be set before its stream may rest.
    """

    __slots__ = ("_operations", "child", "id", "serial", "sink", "stream")
    child: Child

    def __init__(
        self,
        operations: "Operations",
        event: Subscribe,
        sink: SubscriptionSink,
        stream: Subscription,
    ) -> None:
        super().__init__(f"s{event.serial}")
        self._operations = operations
        self.id = event.id
        self.serial = event.serial
        self.sink = sink
        self.stream = stream

    def stop(self) -> None:
        """Nothing leaves for it from now on."""
        self.sink.open = False
        self.sink.fall_out()

    def figures(self) -> Mapping[str, object]:
        """What the actor tree shows of it."""
        return figures(self.stream, self.id)

    def leave(self) -> None:
        """It is stopped while it rests."""
        self.stream.leave()
        self._operations.ended(self.id, self)

    def wake(self) -> None:
        """It has something to do."""
        self._operations.wake(self.child, self.run)

    async def run(
        self, child: Child, /, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """Its task, until it can rest."""
        del task_status
        rests = False
        try:
            rests = await self.stream.run(self.wake)
        except Exception:
            # This id ends; the connection and its other ids go on. The supervisor records why.
            failed = refusal(ErrorCode.INTERNAL_SERVER_ERROR, _HIDDEN)
            self._operations.fail(self.id, self.serial, failed)
            raise
        finally:
            if rests:
                child.rest(self.leave)
            else:
                self._operations.ended(self.id, self)


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
        self.trace: str | None = None
        self.host = host

    @property
    def streams(self) -> list[Subscription]:
        """The subscriptions, oldest first."""
        running = self._running.values()
        return [each.stream for each in running if isinstance(each, _Streaming)]

    def wake(self, child: Child, body: Body) -> None:
        """Give a subscription a task."""
        self._children.wake(child, body)

    @property
    def full(self) -> bool:
        """Whether :meth:`room` would wait."""
        return self._in_flight >= _IN_FLIGHT

    async def room(self) -> None:
        """Wait until there is room for one more query or mutation."""
        while self.full:
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
                running = _Running(f"o{event.serial}")
                body = partial(self._execute, event, running, operation, session)
                self._children.start_child(running.name, "operation", body)
                self._running[event.id] = running
                self._in_flight += 1
        except OperationRefused as refused:
            self.fail(event.id, event.serial, refused)
        except Unavailable as failure:
            self.fail(
                event.id, event.serial, refusal(ErrorCode.SERVICE_UNAVAILABLE, failure.message)
            )

    def _count(self, principal: Principal) -> None:
        """Raises OperationRefused for one operation too many, of all that the caller asks."""
        spent = self._gateway.quotas.ask(principal, self.host, trio.current_time())
        if spent is not None and not spent.allowed:
            late = spent.refusal()
            raise refusal(late.code, late.message, retryAfter=late.retry_after)

    def fail(self, operation_id: str, serial: int, refused: OperationRefused) -> None:
        """An operation ends with an error."""
        frame = self._protocol.error(operation_id, refused.errors, serial=serial)
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
        running = _Streaming(self, event, sink, stream)
        running.child = self._children.rest_child(
            running.name, "subscription", running.leave, stats=running.figures
        )
        self._running[event.id] = running
        if not stream.rest(running.wake):
            running.wake()

    def stop(self, operation_id: str) -> None:
        """The client wants no more of this one: nothing leaves for it from now on."""
        running = self._running.pop(operation_id, None)
        if running is None:
            return
        running.stop()
        with suppress(KeyError):  # it may have ended in this very moment
            self._children.stop_child(running.name, shutdown=0)

    def ended(self, operation_id: str, running: _Running) -> None:
        """An operation has ended; its id may be that of another one by now."""
        if self._running.get(operation_id) is running:
            del self._running[operation_id]

    async def _execute(
        self,
        event: Subscribe,
        running: _Running,
        operation: Operation,
        session: Session,
        child: Child,
        /,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        del child, task_status
        if self._turns is None:  # most connections only subscribe
            self._turns = trio.CapacityLimiter(_AT_ONCE)
        try:
            async with self._turns:
                # A client that does not read its results gets no more of them made.
                await self._outbox.room()
                result = await execute(self._gateway, operation, session)
                self._finish(event, result)
        except trio.TooSlowError:
            self.fail(event.id, event.serial, refusal(ErrorCode.TIMEOUT, _SLOW))
        except Unavailable as failure:
            self.fail(
                event.id, event.serial, refusal(ErrorCode.SERVICE_UNAVAILABLE, failure.message)
            )
        except Exception:
            self.fail(event.id, event.serial, refusal(ErrorCode.INTERNAL_SERVER_ERROR, _HIDDEN))
            raise
        finally:
            self.ended(event.id, running)
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
