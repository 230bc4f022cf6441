"""What one client has asked for and how far it has got, over all of its connections.

No IO and no clock: it is told what was asked, that a connection is acknowledged or lost, and each
frame that came; it answers with frames to send and with what its caller must know.

The law: of every subscription each event is delivered once and in order, wherever connections
break, as far as the server's journal reaches.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from incident_manager.http.client import wire
from incident_manager.http.client.errors import Errors, OperationFailed, OutcomeUnknown
from incident_manager.http.client.message import Gap, Message
from incident_manager.http.client.outputs import (
    Again,
    Answer,
    Begun,
    Deliver,
    Ended,
    Output,
    Renewed,
    Say,
)
from incident_manager.http.client.place import Place, Request
from incident_manager.http.client.token import read_moment

__all__ = ["Session"]

_PIN: Final = "{ cursor }"
_UNAVAILABLE: Final = "SERVICE_UNAVAILABLE"


class _Call:
    """A query or mutation: ``again`` says that it may be sent a second time."""

    __slots__ = ("again", "request", "wire")

    def __init__(self, request: Request, *, again: bool) -> None:
        self.request = request
        self.again = again
        self.wire: str | None = None


class Session:
    """See the module. Keys are given out once and never again."""

    __slots__ = ("_calls", "_ids", "_keys", "_serial", "_streams", "ready")

    def __init__(self) -> None:
        self._streams: dict[int, Place] = {}
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
        stream = self._streams[key] = Place(Request(query, variables, name), cursor)
        begun = () if cursor is None else (Begun(key),)
        return key, (*begun, *self._open(key, stream))

    def execute(
        self, query: str, variables: Mapping[str, Any] | None, name: str | None, *, again: bool
    ) -> tuple[int, Sequence[Output]]:
        """Take on a query or mutation; see :meth:`subscribe`."""
        key = self._key()
        call = self._calls[key] = _Call(Request(query, variables, name), again=again)
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
        stream.unpark()
        return self._open(key, stream)

    def took(self, key: int, message: Message) -> None:
        """The caller has this message for certain: the next resume begins after it."""
        stream = self._streams.get(key)
        if stream is not None:
            stream.took(message)

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
            stream.lost()
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
            case wire.Next(id=name, message=message):
                yield from self._next(name, message)
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

    def _open(self, key: int, stream: Place) -> Sequence[Output]:
        if not self.ready:
            return ()
        name = self._name(key)
        stream.opened(name)
        if stream.cursor is None:
            # Where it begins is asked first: a connection that is lost before the first event
            # loses none.
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

    def _hang_up(self, operation: Place | _Call) -> Sequence[Output]:
        name, operation.wire = operation.wire, None
        if name is None:
            return ()
        del self._ids[name]
        return (Say(wire.complete(name)),)

    def _next(self, name: str, message: Message) -> Iterator[Output]:
        key = self._ids.get(name)
        if key is None:
            return
        stream = self._streams.get(key)
        if stream is None:
            yield self._answered(name, key, message)
        elif stream.pinning:
            yield from self._pinned(name, key, stream, message)
        else:
            news = stream.news(message)
            if news is not None:
                yield Deliver(key, news)

    def _answered(self, name: str, key: int, message: Message) -> Output:
        del self._ids[name], self._calls[key]
        if message.errors or message.data is None:
            return Ended(key, OperationFailed(message.errors, message.data))
        return Answer(key, message.data)

    def _pinned(self, name: str, key: int, stream: Place, message: Message) -> Iterator[Output]:
        cursor = (message.data or {}).get("cursor")
        if not isinstance(cursor, str):
            yield from self._failed(name, message.errors)
            return
        del self._ids[name]
        stream.cursor = cursor
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
