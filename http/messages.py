"""The messages a graphql-transport-ws client sends: read, checked, made into values.

Sources: PROTOCOL.md of graphql-ws, "Message types" and "Invalid message"; where that leaves a
choice (null for a missing payload, unknown keys tolerated), its `validateMessage`.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from types import MappingProxyType
from typing import Any, Final, TypeAlias

import msgspec
from attrs import field, frozen

__all__ = [
    "MAX_DEPTH",
    "BadMessage",
    "ClientMessage",
    "Complete",
    "ConnectionInit",
    "MessageType",
    "Ping",
    "Pong",
    "Subscribe",
    "SubscribePayload",
    "Terminate",
    "read_message",
]

MAX_DEPTH: Final = 64
"""How deep objects and arrays may nest in a message, the message itself counted.

A fixed bound, so that whether a message is read does not hang on how much of the interpreter's
stack is left, and whatever was read can be written back (the payload of a ping).
"""

JsonObject: TypeAlias = dict[str, Any]


class MessageType(Enum):
    """Every ``type`` a message may bear."""

    CONNECTION_INIT = "connection_init"
    CONNECTION_ACK = "connection_ack"
    PING = "ping"
    PONG = "pong"
    SUBSCRIBE = "subscribe"
    NEXT = "next"
    ERROR = "error"
    COMPLETE = "complete"
    CONNECTION_TERMINATE = "connection_terminate"  # of the older graphql-ws subprotocol


class BadMessage(Exception):
    """The message is not one of the protocol; ``str()`` of it says why."""


@frozen
class ConnectionInit:
    """The client opens the connection; `payload` is where credentials may be."""

    payload: JsonObject | None = None


@frozen
class SubscribePayload:
    """The operation asked for, not yet parsed."""

    query: str
    operation_name: str | None = None
    variables: JsonObject | None = None
    extensions: JsonObject | None = None


@frozen
class Subscribe:
    """The client asks for an operation (query, mutation or subscription) under `id`.

    `serial` numbers the operations of one connection from 1. It tells apart two that bore the
    same id one after the other; equality leaves it out.
    """

    id: str
    payload: SubscribePayload
    serial: int = field(default=0, eq=False)


@frozen
class Complete:
    """The client wants no more of `id`."""

    id: str


@frozen
class Ping:
    """To be answered with a pong of the same payload as soon as possible."""

    payload: JsonObject | None = None


@frozen
class Pong:
    """The answer to a ping, or an unsolicited sign of life."""

    payload: JsonObject | None = None


@frozen
class Terminate:
    """An older client's way to end the connection: close it normally."""


ClientMessage: TypeAlias = ConnectionInit | Subscribe | Complete | Ping | Pong | Terminate


def read_message(data: str | bytes) -> tuple[MessageType, ClientMessage]:
    """Read one WebSocket message.

    Args:
        data: the message; bytes if it came in binary frames.

    Returns:
        The type and the value.

    Raises:
        BadMessage: whatever is wrong with it.
    """
    message = _decode(data)
    if not isinstance(message, dict):
        raise BadMessage(f"Message is expected to be an object, but got {_kind(message)}")
    name = message.get("type")
    if name is None or name == "":
        raise BadMessage("Message is missing the 'type' property")
    if not isinstance(name, str):
        raise BadMessage(f"Message expects the 'type' property to be a string, got {_kind(name)}")
    try:
        kind = MessageType(name)
    except ValueError:
        raise BadMessage(f"Invalid message 'type' property \"{name}\"") from None
    reader = _READERS.get(kind)
    if reader is None:  # a server's message
        raise BadMessage(f'Unexpected message of type "{name}" received')
    return kind, reader(name, message)


def _decode(data: str | bytes) -> Any:
    if not isinstance(data, str):
        raise BadMessage("Message is expected to be text, but got binary data")
    try:
        message = msgspec.json.decode(data)
    except RecursionError:
        raise BadMessage(_TOO_DEEP) from None
    except UnicodeError:
        raise BadMessage("Message is not valid UTF-8") from None
    except msgspec.DecodeError as error:
        detail = str(error).removeprefix("JSON is malformed: ")
        raise BadMessage(f"Message is not valid JSON: {detail}") from None
    # Counting is far cheaper than walking, and enough for nearly every message.
    if data.count("{") + data.count("[") > MAX_DEPTH and _nests_too_deep(message):
        raise BadMessage(_TOO_DEEP)
    return message


_TOO_DEEP: Final = f"Message nests deeper than {MAX_DEPTH} levels"


def _nests_too_deep(message: Any) -> bool:
    level = [message]
    for _ in range(MAX_DEPTH):
        level = [
            child
            for parent in level
            for child in (parent.values() if isinstance(parent, dict) else parent)
            if isinstance(child, dict | list)
        ]
        if not level:
            return False
    return True


def _connection_init(name: str, message: JsonObject) -> ConnectionInit:
    return ConnectionInit(_optional_payload(name, message))


def _ping(name: str, message: JsonObject) -> Ping:
    return Ping(_optional_payload(name, message))


def _pong(name: str, message: JsonObject) -> Pong:
    return Pong(_optional_payload(name, message))


def _subscribe(name: str, message: JsonObject) -> Subscribe:
    operation = _id(name, message)
    payload = message.get("payload", _MISSING)
    if not isinstance(payload, dict):
        raise _expected(name, "payload", "an object", payload)
    query = payload.get("query", _MISSING)
    if not isinstance(query, str):
        raise _expected(name, "payload.query", "a string", query)
    operation_name = payload.get("operationName")
    if operation_name is not None and not isinstance(operation_name, str):
        raise _expected(name, "payload.operationName", "a string or null", operation_name)
    variables = payload.get("variables")
    if variables is not None and not isinstance(variables, dict):
        raise _expected(name, "payload.variables", "an object or null", variables)
    extensions = payload.get("extensions")
    if extensions is not None and not isinstance(extensions, dict):
        raise _expected(name, "payload.extensions", "an object or null", extensions)
    return Subscribe(operation, SubscribePayload(query, operation_name, variables, extensions))


def _complete(name: str, message: JsonObject) -> Complete:
    return Complete(_id(name, message))


def _terminate(_name: str, _message: JsonObject) -> Terminate:
    return Terminate()


_READERS: Final = MappingProxyType[MessageType, Callable[[str, JsonObject], ClientMessage]](
    {
        MessageType.CONNECTION_INIT: _connection_init,
        MessageType.PING: _ping,
        MessageType.PONG: _pong,
        MessageType.SUBSCRIBE: _subscribe,
        MessageType.COMPLETE: _complete,
        MessageType.CONNECTION_TERMINATE: _terminate,
    }
)


def _id(name: str, message: JsonObject) -> str:
    value = message.get("id", _MISSING)
    if not isinstance(value, str):
        raise _expected(name, "id", "a string", value)
    if not value:
        raise BadMessage(f"\"{name}\" message requires a non-empty 'id' property")
    return value


def _optional_payload(name: str, message: JsonObject) -> JsonObject | None:
    payload = message.get("payload")
    if payload is None or isinstance(payload, dict):
        return payload
    raise _expected(name, "payload", "an object or null", payload)


_MISSING: Final = object()


def _expected(name: str, where: str, what: str, value: object) -> BadMessage:
    got = "nothing" if value is _MISSING else _kind(value)
    return BadMessage(f"\"{name}\" message expects '{where}' to be {what}, but got {got}")


def _kind(value: object) -> str:
    """Return what JSON calls the type of `value`."""
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case int() | float():
            return "number"
        case str():
            return "string"
        case list():
            return "array"
        case _:
            return "object"
