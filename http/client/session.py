"""What one client has asked for and how far it has got, over all of its connections.

No IO and no clock: it is told what was asked, that a connection is acknowledged or lost, and each
frame that came; it answers with frames to send and with what its caller must know.

The law: of every subscription each event is delivered once and in order, wherever connections
break, as far as the server's journal reaches.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from attrs import evolve, frozen

from incident_manager.http.client import wire
from incident_manager.http.client.errors import (
    ClientError,
    Errors,
    OperationFailed,
    OutcomeUnknown,
)
from incident_manager.http.client.message import Gap, Message
from incident_manager.http.client.token import read_moment

__all__ = ["Again", "Answer", "Begun", "Deliver", "Ended", "Output", "Renewed", "Say", "Session"]

_PIN: Final = "{ cursor }"
_UNAVAILABLE: Final = "SERVICE_UNAVAILABLE"


@frozen
class Say:
    """Send this frame."""

    frame: str


@frozen
class Deliver:
    """A message of a subscription. Call :meth:`Session.took` when the caller's buffer has it."""

    key: int
    message: Message


@frozen
class Begun:
    """The place where a subscription begins is fixed: nothing after it will be missed."""

    key: int


@frozen
class Answer:
    """The result of a query or mutation."""

    key: int
    data: dict[str, Any]


@frozen
class Ended:
    """An operation is over: as it should, or by an error."""

    key: int
    error: ClientError | None = None


@frozen
class Renewed:
    """How a renewal of the token went."""

    accepted: bool
    expires_at: float | None


@frozen
class Again:
    """This connection is of no use now; open another, later."""

    reason: str


Output: TypeAlias = Say | Deliver | Begun | Answer | Ended | Renewed | Again


@frozen
class _Request:
    query: str
    variables: Mapping[str, Any] | None
    name: str | None


class _Stream:
    """A subscription: ``cursor`` is where it has got to, ``wire`` its id on this connection.

    ``mute``: the caller asked for no resume, so a "recovered" is not for it. ``fresh``: nothing
    newer than the cursor has come since the last ``subscribe``. ``owed``: a "recovered" came
    with a message that was dropped. ``told``: a gap that the caller has heard of.
    """

    __slots__ = ("cursor", "fresh", "mute", "owed", "parked", "pinning", "request", "told", "wire")

    def __init__(self, request: _Request, cursor: str | None) -> None:
        self.request = request
        self.cursor = cursor
        self.wire: str | None = None
        self.pinning = False
        self.parked = False
        self.mute = cursor is None
        self.fresh = True
        self.owed: bool | None = None
        self.told: Gap | None = None


class _Call:
    """A query or mutation: ``again`` says that it may be sent a second time."""

    __slots__ = ("again", "request", "wire")

    def __init__(self, request: _Request, *, again: bool) -> None:
        self.request = request
        self.again = again
        self.wire: str | None = None


class Session:
    """See the module. Keys are given out once and never again."""

    __slots__ = ("_calls", "_ids", "_keys", "_serial", "_streams", "ready")

    def __init__(self) -> None:
        self._streams: dict[int, _Stream] = {}
        self._calls: dict[int, _Call] = {}
        self._ids: dict[str, int] = {}
        self._keys = 0
        self._serial = 0
        self.ready = False
        """Whether there is an acknowledged connection."""

    @property
    def resumable(self) -> int:
        """How many subscriptions have a cursor to go on from."""
        return sum(stream.cursor is not None for stream in self._streams.values())

    def subscribe(
        self,
        query: str,
        variables: Mapping[str, Any] | None,
        name: str | None,
        cursor: str | None,
    ) -> tuple[int, Sequence[Output]]:
        """Take on a subscription; without a cursor it begins at the journal's head.

        Returns:
            Its key, and what to send now.
        """
        key = self._key()
        stream = self._streams[key] = _Stream(_Request(query, variables, name), cursor)
        begun = () if cursor is None else (Begun(key),)
        return key, (*begun, *self._open(key, stream))

    def execute(
        self, query: str, variables: Mapping[str, Any] | None, name: str | None, *, again: bool
    ) -> tuple[int, Sequence[Output]]:
        """Take on a query or mutation; see :meth:`subscribe`."""
        key = self._key()
        call = self._calls[key] = _Call(_Request(query, variables, name), again=again)
        return key, self._ask(key, call)

    def forget(self, key: int) -> Sequence[Output]:
        """The caller wants no more of it. An unknown key (it has ended) is fine."""
        operation = self._streams.pop(key, None) or self._calls.pop(key, None)
        return () if operation is None else self._hang_up(operation)

    def park(self, key: int) -> Sequence[Output]:
        """Leave a subscription aside: its consumer is behind. Its cursor keeps the place."""
        stream = self._streams[key]
        stream.parked = True
        return self._hang_up(stream)

    def unpark(self, key: int) -> Sequence[Output]:
        """Go on with it from its cursor."""
        stream = self._streams.get(key)
        if stream is None or not stream.parked:
            return ()
        stream.parked = False
        stream.mute = True  # that it was parked is nothing the caller need know
        return self._open(key, stream)

    def took(self, key: int, message: Message) -> None:
        """The caller has this message for certain: the next resume begins after it."""
        stream = self._streams.get(key)
        if stream is None:
            return
        stream.fresh = stream.mute = False
        stream.owed = None
        stream.told = message.gap if message.data is None else None
        if message.cursor is not None:
            stream.cursor = message.cursor

    def connected(self) -> Sequence[Output]:
        """The connection is acknowledged: everything is asked (again), oldest first."""
        self.ready = True
        outputs: list[Output] = []
        for key in sorted([*self._streams, *self._calls]):
            stream = self._streams.get(key)
            if stream is None:
                outputs += self._ask(key, self._calls[key])
            elif not stream.parked:
                outputs += self._open(key, stream)
        return outputs

    def disconnected(self) -> Sequence[Output]:
        """The connection is lost: changes that were under way have an unknown outcome."""
        self.ready = False
        self._ids.clear()
        outputs: list[Output] = []
        for stream in self._streams.values():
            if stream.wire is not None and not stream.pinning:
                stream.mute = False
            stream.wire = None
            stream.pinning = False
        for key, call in list(self._calls.items()):
            if call.wire is not None and not call.again:
                del self._calls[key]
                text = "the connection was lost before the answer to a change came"
                outputs.append(Ended(key, OutcomeUnknown(text)))
            call.wire = None
        return outputs

    def receive(self, frame: wire.Frame) -> Iterator[Output]:
        """Take one frame of the server's and say what follows from it.

        Ids that are not live are passed over: an answer may be on its way when a client says
        that it wants no more.
        """
        match frame:
            case wire.Next(id=name, payload=payload):
                yield from self._next(name, payload)
            case wire.Error(id=name, errors=errors):
                yield from self._failed(name, errors)
            case wire.Complete(id=name):
                yield from self._completed(name)
            case wire.Ping(payload=payload):
                yield Say(wire.pong(payload))
                yield from self._told(payload)
            case wire.Pong(payload={"authorization": answer, **rest}):
                yield Renewed(answer == "accepted", read_moment(rest.get("expiresAt")))
            case _:
                pass  # a second ack, or a pong that has done its work by coming

    def _key(self) -> int:
        self._keys += 1
        return self._keys

    def _name(self, key: int) -> str:
        # Never the same id twice: a late answer to the one is not taken for the other's.
        self._serial += 1
        name = str(self._serial)
        self._ids[name] = key
        return name

    def _open(self, key: int, stream: _Stream) -> Sequence[Output]:
        if not self.ready:
            return ()
        name = stream.wire = self._name(key)
        stream.fresh = True
        if stream.cursor is None:
            # Where it begins is asked first: a connection that is lost before the first event
            # loses none.
            stream.pinning = True
            return (Say(wire.subscribe(name, _PIN)),)
        request = stream.request
        text = wire.subscribe(name, request.query, request.variables, request.name, stream.cursor)
        return (Say(text),)

    def _ask(self, key: int, call: _Call) -> Sequence[Output]:
        if not self.ready:
            return ()
        name = call.wire = self._name(key)
        request = call.request
        return (Say(wire.subscribe(name, request.query, request.variables, request.name)),)

    def _hang_up(self, operation: _Stream | _Call) -> Sequence[Output]:
        name, operation.wire = operation.wire, None
        if name is None:
            return ()
        del self._ids[name]
        return (Say(wire.complete(name)),)

    def _next(self, name: str, payload: Mapping[str, Any]) -> Iterator[Output]:
        key = self._ids.get(name)
        if key is None:
            return
        stream = self._streams.get(key)
        if stream is None:
            yield self._answered(name, key, payload)
        elif stream.pinning:
            yield from self._pinned(name, key, stream, payload)
        else:
            message = _message(payload)
            if _is_repeat(stream, message):
                stream.owed = message.recovered if stream.owed is None else stream.owed
            else:
                yield Deliver(key, _for_the_caller(stream, message))

    def _answered(self, name: str, key: int, payload: Mapping[str, Any]) -> Output:
        del self._ids[name], self._calls[key]
        data, errors = payload.get("data"), payload.get("errors") or ()
        if errors or not isinstance(data, dict):
            return Ended(key, OperationFailed(errors, data))
        return Answer(key, data)

    def _pinned(
        self, name: str, key: int, stream: _Stream, payload: Mapping[str, Any]
    ) -> Iterator[Output]:
        cursor = (payload.get("data") or {}).get("cursor")
        if not isinstance(cursor, str):
            yield from self._failed(name, payload.get("errors") or ())
            return
        del self._ids[name]
        stream.cursor = cursor
        stream.pinning = False
        yield Begun(key)
        yield from self._open(key, stream)

    def _failed(self, name: str, errors: Errors) -> Iterator[Output]:
        key = self._ids.pop(name, None)
        if key is None:
            return
        failure = OperationFailed(errors)
        if key in self._streams and failure.code == _UNAVAILABLE:
            # Nothing of the journal could be read just now: it goes on with the next connection.
            yield Again(str(failure))
            return
        self._streams.pop(key, None)
        self._calls.pop(key, None)
        yield Ended(key, failure)

    def _completed(self, name: str) -> Iterator[Output]:
        key = self._ids.pop(name, None)
        if key is None:
            return
        if self._streams.pop(key, None) is not None:
            yield Ended(key)
        else:
            del self._calls[key]
            yield Ended(key, OperationFailed(()))

    def _told(self, payload: Mapping[str, Any] | None) -> Iterator[Output]:
        """A ping that tells of a gap, long before the next event may come."""
        match payload:
            case {"subscription": str(name), "gap": {"from": str(since), "to": str(until)}}:
                key = self._ids.get(name)
                if key is not None and key in self._streams:
                    gap = Gap(since, until)
                    yield Deliver(key, Message(None, cursor=until, recovered=False, gap=gap))
            case _:
                pass


def _message(payload: Mapping[str, Any]) -> Message:
    extensions = payload.get("extensions") or {}
    told = extensions.get("gap")
    return Message(
        payload.get("data"),
        tuple(payload.get("errors") or ()),
        extensions.get("cursor"),
        extensions.get("recovered"),
        None if told is None else Gap(told["from"], told["to"]),
    )


def _for_the_caller(stream: _Stream, message: Message) -> Message:
    recovered = message.recovered if stream.owed is None else stream.owed
    if message.gap is not None and message.gap == stream.told:
        return evolve(message, recovered=None, gap=None)
    if stream.mute and recovered:
        recovered = None
    return evolve(message, recovered=recovered)


def _is_repeat(stream: _Stream, message: Message) -> bool:
    """Whether the caller has had this event. A gap begins anew, maybe further back."""
    if message.gap is not None or message.cursor is None or stream.cursor is None:
        return False
    epoch, _, offset = message.cursor.rpartition(":")
    seen_epoch, _, seen = stream.cursor.rpartition(":")
    if epoch != seen_epoch or not (offset.isdecimal() and seen.isdecimal()):
        return False
    if int(offset) != int(seen):
        return int(offset) < int(seen)
    # A heartbeat stands where the last event stood; an event there can only come once more when
    # the subscription is new on this connection.
    return stream.fresh and not _is_heartbeat(message.data)


def _is_heartbeat(data: Mapping[str, Any] | None) -> bool:
    return any(
        isinstance(root, dict) and "HEARTBEAT" in root.values() for root in (data or {}).values()
    )
