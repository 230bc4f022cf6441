"""One stream of events: a supervised actor, with its subscription as its child.

It costs the task of its request. What leaves goes through its one outbox.
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from typing import Final

import msgspec
import trio
from attrs import frozen

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.subscription import Subscription
from incident_manager.http.counters import Eviction
from incident_manager.http.gateway import Gateway
from incident_manager.http.outbox import Outbox
from incident_manager.http.principal import Principal
from incident_manager.http.sse.events import ALIVE, COMPLETE, next_event, retry_after, seen_up_to
from incident_manager.http.sse.sink import EventSink
from incident_manager.http.streams import begun, figures
from incident_manager.schema.errors import OperationRefused, refusal
from incident_manager.schema.subscription import Subscribed
from incident_manager.supervision import Child, DynamicSupervisor

__all__ = ["EventStream", "Wanted", "told"]

_CLOSE_GRACE: Final = 5.0  # seconds a client has to take what is in the outbox at the end
_HIDDEN: Final = "Something went wrong inside the server."
_RETRY: Final = 1000  # milliseconds after which a browser comes back

Receive = Callable[[], Awaitable[Mapping[str, object]]]


@frozen
class Wanted:
    """What a client is to be streamed, who it is, and from where.

    ``retries`` says that it is a browser's EventSource, or as simple as that: clients of
    graphql-sse, which only POST, do without being told when to come back, and old ones cannot
    bear it.
    """

    subscribed: Subscribed
    cursor: Cursor | None
    principal: Principal
    peer: str
    retries: bool


def told(result: Mapping[str, object]) -> bytes:
    """The whole stream of what has one result: a query, a mutation, a refusal."""
    return next_event(msgspec.json.encode(result)) + COMPLETE


class EventStream:
    """The actor of one stream of events; :meth:`run` is its whole life.

    It is made before its answer begins, so that it counts from then on.
    """

    __slots__ = (
        "_child",
        "_gateway",
        "_listening",
        "_outbox",
        "_stream",
        "_wanted",
        "gone",
    )

    def __init__(self, gateway: Gateway, wanted: Wanted) -> None:
        self._gateway = gateway
        self._wanted = wanted
        self._outbox: Outbox | None = None
        self._stream: Subscription | None = None
        self._child: Child | None = None
        self._listening = trio.CancelScope()
        self.gone = False

    def statistics(self) -> dict[str, object]:
        """The live figures of the actor tree (contract, section 7)."""
        stream, outbox = self._stream, self._outbox
        live = stream is not None and stream.live
        return {
            "peer": self._wanted.peer,
            "principal": self._wanted.principal.name,
            "transport": "sse",
            "subscriptions": self.subscriptions,
            "bytes_out": 0 if outbox is None else outbox.bytes_out,
            "backlog_bytes": 0 if outbox is None else outbox.size,
            "live": int(live),
            "reading": self.subscriptions - live,
            "lag_events": 0 if stream is None else stream.lag,
        }

    @property
    def waiting(self) -> int:
        """How many events are in its outbox."""
        return 0 if self._outbox is None else len(self._outbox)

    @property
    def subscriptions(self) -> int:
        """1 while it streams."""
        return int(self._stream is not None)

    def go_away(self) -> None:
        """The server stops, or an operator has asked for it: the client will come back.

        No ``complete`` is sent: the stream is not over, only this answer is.
        """
        self._listening.cancel()
        if self._child is not None:
            scope = self._child.scope
            scope.deadline = min(scope.deadline, trio.current_time() + _CLOSE_GRACE)

    def recheck(self) -> None:
        """End it if the API key that it was opened with is not good any more."""
        if self._gateway.authenticator.revoked(self._wanted.principal):
            self.go_away()

    async def run(
        self, child: Child, outbox: Outbox, receive: Receive, begin: Callable[[], Awaitable[None]]
    ) -> None:
        """Serve the client until it leaves (then it is ``gone``), or the stream ends.

        ``begin`` sends the head of the answer: whatever happens after it is streamed.
        """
        self._child, self._outbox = child, outbox
        child.observe(self.statistics)
        child.on_stop(self.go_away)
        sink = EventSink(outbox)
        wanted = self._wanted
        streams = self._gateway.running().streams
        self._stream = stream = begun(streams, sink, wanted.subscribed, wanted.cursor)
        try:
            await begin()
            # Some browsers do not tell their page of an answer before the first of its body.
            outbox.write(retry_after(_RETRY) if wanted.retries else ALIVE)
            async with DynamicSupervisor(None, parent=child.node, shutdown=0) as children:
                children.start_child(
                    "s1", "subscription", partial(self._run_stream, stream, outbox),
                    stats=partial(figures, stream),
                )  # fmt: skip
                with self._listening:
                    await self._listen(receive, outbox, stream, sink)
                sink.open = False
        finally:
            self._stream = None

    async def _run_stream(
        self,
        stream: Subscription,
        outbox: Outbox,
        child: Child,
        /,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> None:
        del child, task_status
        try:
            await stream.run()
        except Exception:
            # As with the ``error`` of a WebSocket. The supervisor records why.
            failed = refusal(ErrorCode.INTERNAL_SERVER_ERROR, _HIDDEN)
            self._fail(failed, outbox)
            raise

    def _fail(self, failed: OperationRefused, outbox: Outbox) -> None:
        self._gateway.counters.erred(failed.errors)
        outbox.write(told({"errors": failed.errors}))
        self._listening.cancel()

    def _sign(self, stream: Subscription, sink: EventSink) -> bytes:
        """What says that we are here; to a browser, how far it has come, too.

        So one whose filter lets little through does not fall behind retention. But not as long as
        the next payload says that something is lost: it would never hear of it.
        """
        cursor = stream.cursor if self._wanted.retries and not sink.owes else None
        return ALIVE if cursor is None else seen_up_to(str(cursor))

    async def _listen(
        self, receive: Receive, outbox: Outbox, stream: Subscription, sink: EventSink
    ) -> None:
        """Wait for the client's end, or that of its token; say now and then that we are here."""
        pause = self._gateway.settings.server.ping_interval or float("inf")
        sent = outbox.bytes_out
        beat = trio.current_time() + pause
        while True:
            until = self._expiry()
            message: Mapping[str, object] | None = None
            with trio.move_on_at(min(beat, until)):
                message = await receive()
            if message is not None:
                if message["type"] == "http.disconnect":
                    self.gone = True
                    return
            elif trio.current_time() >= until:
                self._gateway.counters.evictions[Eviction.EXPIRED] += 1
                return
            else:
                if outbox.bytes_out == sent and not outbox.size:
                    outbox.write(self._sign(stream, sink))
                sent = outbox.bytes_out
                beat = trio.current_time() + pause

    def _expiry(self) -> float:
        """When the token runs out, in Trio's time."""
        until = self._wanted.principal.expires_at
        return float("inf") if until is None else trio.current_time() + until - time.time()
