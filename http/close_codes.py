"""The codes and reasons this server closes a WebSocket with.

Sources: RFC 6455 section 7.4 and the IANA WebSocket Close Code registry for 1000 to 1999;
PROTOCOL.md of graphql-ws, with the wording of its own server, for 4400 to 4499.
"""

from __future__ import annotations

from enum import IntEnum
from types import MappingProxyType
from typing import Final

__all__ = ["FATAL_CODES", "REASON_BYTES", "CloseCode", "close_reason"]

REASON_BYTES: Final = 123
"""The longest close reason, UTF-8 bytes: 125 of a control frame less 2 for the code
(RFC 6455, sections 5.5 and 5.5.1)."""


class CloseCode(IntEnum):
    """Every code the server sends in a close frame, and when."""

    NORMAL = 1000
    """The client asked for the end (an older client's ``connection_terminate``)."""

    GOING_AWAY = 1001
    """The server is draining before it stops."""

    MESSAGE_TOO_BIG = 1009
    """A message of the client is over the size limit."""

    SERVICE_RESTART = 1012
    """The connection failed inside the server and may be opened again at once."""

    TRY_AGAIN_LATER = 1013
    """The server is overloaded, or the client made no progress within the stall timeout."""

    BAD_MESSAGE = 4400
    """The message is not one of the protocol; the reason says what is wrong with it."""

    UNAUTHORIZED = 4401
    """An operation came before the connection was acknowledged."""

    FORBIDDEN = 4403
    """The token is missing, bad or expired; stock clients come back with a fresh one."""

    INIT_TIMEOUT = 4408
    """No ``connection_init`` came in time."""

    SUBSCRIBER_EXISTS = 4409
    """The id of a ``subscribe`` is in use on this connection."""

    TOO_MANY_INIT_REQUESTS = 4429
    """A second ``connection_init``."""

    @property
    def reason(self) -> str:
        """The reason to give where there is nothing more precise to say.

        That of 4409 has a place for the id: ``CloseCode.SUBSCRIBER_EXISTS.reason.format(id=id)``.
        """
        return _REASONS[self]

    @property
    def is_fatal(self) -> bool:
        """Whether stock clients (graphql-ws) give up for good on this code."""
        return self.value in FATAL_CODES


_REASONS: Final = MappingProxyType(
    {
        CloseCode.NORMAL: "Normal closure",
        CloseCode.GOING_AWAY: "Going away",
        CloseCode.MESSAGE_TOO_BIG: "Message too big",
        CloseCode.SERVICE_RESTART: "Service restart",
        CloseCode.TRY_AGAIN_LATER: "Try again later",
        CloseCode.BAD_MESSAGE: "Invalid message received",
        CloseCode.UNAUTHORIZED: "Unauthorized",
        CloseCode.FORBIDDEN: "Forbidden",
        CloseCode.INIT_TIMEOUT: "Connection initialisation timeout",
        CloseCode.SUBSCRIBER_EXISTS: "Subscriber for {id} already exists",
        CloseCode.TOO_MANY_INIT_REQUESTS: "Too many initialisation requests",
    }
)

FATAL_CODES: Final = frozenset(
    {1002, 1008, 1009, 1011, 4400, 4401, 4406, 4409, 4429, 4500},
)
"""Codes after which stock clients do not connect again: never for what should be retried.

1009 is among them by right: the same message would be too big again.
"""


def close_reason(text: str) -> str:
    """Return `text` cut to what a close frame can carry: 123 bytes of UTF-8, whole characters.

    A lone surrogate, which UTF-8 cannot carry, becomes a question mark.
    """
    return text.encode(errors="replace")[:REASON_BYTES].decode(errors="ignore")
