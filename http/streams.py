"""How a subscription begins, whatever transport it is for: who may see what, and from where on."""

from collections.abc import Mapping

from incident_manager.actors.cursor import Cursor, CursorError
from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.ports import Sink
from incident_manager.actors.selectors import selectors_of
from incident_manager.actors.subscription import Streams, Subscription
from incident_manager.http.principal import Principal
from incident_manager.schema.errors import refusal
from incident_manager.schema.operation import Operation
from incident_manager.schema.subscription import Subscribed, subscribed

__all__ = ["begun", "figures", "read_cursor", "wanted_of"]

_LONGEST_ID = 64  # characters of an operation's id that are shown


def wanted_of(operation: Operation, principal: Principal) -> Subscribed:
    """What is streamed to this principal; raises OperationRefused as :func:`subscribed` does."""
    return subscribed(operation, selectors_of(principal.selectors))


def begun(streams: Streams, sink: Sink, wanted: Subscribed, cursor: Cursor | None) -> Subscription:
    """The subscription, which starts here and now; running it is the caller's."""
    return Subscription(
        streams,
        sink,
        wanted.shape,
        wanted.filter,
        cursor=cursor,
        heartbeat=wanted.heartbeat_seconds,
    )


def read_cursor(text: object, field: str) -> Cursor | None:
    """Where to resume; None for None. BAD_USER_INPUT that names the ``field`` if it is none."""
    if text is None:
        return None
    try:
        return Cursor.parse(text)
    except CursorError as error:
        raise refusal(ErrorCode.BAD_USER_INPUT, f"{field}: {error}.", field) from None


def figures(stream: Subscription, operation_id: str | None = None) -> Mapping[str, object]:
    """What the actor tree shows of a subscription; ``id`` is the client's name for it."""
    named = {} if operation_id is None else {"id": operation_id[:_LONGEST_ID]}
    return {
        **named,
        "field": stream.shape.field.value,
        "live": stream.live,
        "position": stream.position,
        "lag_events": stream.lag,
    }
