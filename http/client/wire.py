"""The frames of graphql-transport-ws from a client's side: those it reads and those it writes.

Source: PROTOCOL.md of graphql-ws, "Message types".
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import msgspec
from attrs import frozen

from incident_manager.http.client.errors import Errors
from incident_manager.http.client.message import Message

__all__ = [
    "SUBPROTOCOL",
    "Ack",
    "BadFrame",
    "Complete",
    "Error",
    "Frame",
    "Next",
    "Ping",
    "Pong",
    "complete",
    "init",
    "ping",
    "pong",
    "read_frame",
    "subscribe",
]

SUBPROTOCOL: Final = "graphql-transport-ws"

Object: TypeAlias = Mapping[str, Any]


class BadFrame(Exception):
    """What came is no frame of the protocol; ``str()`` of it says why."""


@frozen
class Ack:
    """The server has let the client in."""


@frozen
class Next:
    """A result of an operation."""

    id: str
    message: Message


@frozen
class Error:
    """An operation has failed as a whole and is over."""

    id: str
    errors: Errors


@frozen
class Complete:
    """An operation is over."""

    id: str


@frozen
class Ping:
    """To be answered by a pong with its payload."""

    payload: Object | None


@frozen
class Pong:
    """The answer to a ping."""

    payload: Object | None


Frame: TypeAlias = Ack | Next | Error | Complete | Ping | Pong


def read_frame(data: str | bytes) -> Frame:
    """Read what the server sent.

    Raises:
        BadFrame: it is none of the protocol.
    """
    try:
        frame = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise BadFrame(f"no JSON: {error}") from None
    if not isinstance(frame, dict):
        raise BadFrame("no object")
    kind, payload = frame.get("type"), frame.get("payload")
    if kind in ("connection_ack", "ping", "pong"):
        if payload is not None and not isinstance(payload, dict):
            raise BadFrame(f"the payload of {kind} is no object")
        if kind == "connection_ack":
            return Ack()
        return Ping(payload) if kind == "ping" else Pong(payload)
    name = frame.get("id")
    if kind not in ("next", "error", "complete") or not isinstance(name, str):
        raise BadFrame(f"a frame of type {kind!r} with id {name!r}")
    if kind == "next" and isinstance(payload, dict):
        return Next(name, _message(payload))
    if kind == "error" and isinstance(payload, list) and all(map(_is_object, payload)):
        return Error(name, payload)
    if kind == "complete":
        return Complete(name)
    raise BadFrame(f"the payload of {kind} is of another form")


def _message(payload: Object) -> Message:
    try:
        return Message.read(payload)
    except msgspec.ValidationError as error:
        raise BadFrame(f"the payload of next is of another form: {error}") from None


def _is_object(error: object) -> bool:
    return isinstance(error, dict)


def init(authorization: str | None) -> str:
    """``connection_init``, with what belongs into ``Authorization``."""
    payload = {} if authorization is None else {"payload": {"Authorization": authorization}}
    return _text({"type": "connection_init", **payload})


def subscribe(
    name: str,
    query: str,
    variables: Object | None = None,
    operation_name: str | None = None,
    cursor: str | None = None,
) -> str:
    """``subscribe``: a query, a mutation, or a subscription (from a cursor on)."""
    payload: dict[str, object] = {"query": query}
    if variables is not None:
        payload["variables"] = variables
    if operation_name is not None:
        payload["operationName"] = operation_name
    if cursor is not None:
        payload["extensions"] = {"cursor": cursor}
    return _text({"type": "subscribe", "id": name, "payload": payload})


def complete(name: str) -> str:
    """``complete``: no more of this one."""
    return _text({"type": "complete", "id": name})


def ping(payload: Object | None = None) -> str:
    """``ping``."""
    return _text({"type": "ping"} if payload is None else {"type": "ping", "payload": payload})


def pong(payload: Object | None = None) -> str:
    """``pong``."""
    return _text({"type": "pong"} if payload is None else {"type": "pong", "payload": payload})


def _text(frame: Object) -> str:
    return msgspec.json.encode(frame).decode()
