"""The messages a graphql-transport-ws server sends, as the bytes to send.

Each function returns one whole message as UTF-8 JSON, for a *text* frame. The exception is
`next_prefix`: a result is serialised once for all who get it, and each subscription puts its
own prefix before those bytes.

Source: PROTOCOL.md of graphql-ws, "Message types".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

__all__ = [
    "ack_frame",
    "complete_frame",
    "error_frame",
    "next_prefix",
    "ping_frame",
    "pong_frame",
]

_encode: Final = msgspec.json.Encoder().encode


def next_prefix(id: str) -> bytes:  # noqa: A002 - the protocol's own name
    """Return what stands before the payload of every ``next`` of `id`.

    The message is ``prefix + payload + b"}"``, with `payload` the execution result as JSON.
    """
    return b'{"id":%b,"type":"next","payload":' % _encode(id)


def error_frame(id: str, errors: Sequence[Mapping[str, object]]) -> bytes:  # noqa: A002
    """Return an ``error`` for `id`, which need not be live.

    Args:
        id: the operation.
        errors: at least one GraphQL error in its response form (GraphQL spec, section 7.1.2):
            ``message``, and ``locations``, ``path``, ``extensions`` where there are any.

    Raises:
        ValueError: `errors` is empty.
    """
    if not errors:
        raise ValueError("an error message needs at least one error")
    payload = [dict(error) for error in errors]
    return _encode({"id": id, "type": "error", "payload": payload})


def complete_frame(id: str) -> bytes:  # noqa: A002
    """Return a ``complete`` for `id`."""
    return _encode({"id": id, "type": "complete"})


def ack_frame(payload: Mapping[str, object] | None = None) -> bytes:
    """Return a ``connection_ack``; `payload` is left out when None."""
    return _without_id("connection_ack", payload)


def ping_frame(payload: Mapping[str, object] | None = None) -> bytes:
    """Return a ``ping``; `payload` is left out when None."""
    return _without_id("ping", payload)


def pong_frame(payload: Mapping[str, object] | None = None) -> bytes:
    """Return a ``pong``; `payload` is left out when None."""
    return _without_id("pong", payload)


def _without_id(kind: str, payload: Mapping[str, object] | None) -> bytes:
    if payload is None:
        return _encode({"type": kind})
    return _encode({"type": kind, "payload": dict(payload)})
