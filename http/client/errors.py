"""What the client raises, by who was at fault."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

__all__ = [
    "ClientClosed",
    "ClientError",
    "Errors",
    "OperationFailed",
    "OutcomeUnknown",
    "Refused",
    "TokenFailed",
    "Unreachable",
]

Errors: TypeAlias = Sequence[Mapping[str, Any]]
"""Errors as GraphQL has them: ``message``, and ``code`` in ``extensions``."""


class ClientError(Exception):
    """Everything that the client raises of its own accord."""


class Refused(ClientError):
    """The server does not want this client as it is: another try would end the same way.

    ``code`` is the close code of the WebSocket (4400, 4403, ...), or the HTTP status where there
    was no upgrade; ``reason`` is what the server said.
    """

    def __init__(self, code: int, reason: str) -> None:
        super().__init__(f"the server refused the connection ({code}): {reason}")
        self.code = code
        self.reason = reason


class Unreachable(ClientError):
    """There was no connection for as long as the caller has patience; the text says why."""


class TokenFailed(ClientError):
    """The caller's own way to a token raised before there was a connection; see ``__cause__``."""


class ClientClosed(ClientError):
    """The client was used outside its ``async with`` block."""


class OperationFailed(ClientError):
    """The server answered an operation with errors.

    ``errors`` are as GraphQL has them, ``data`` is what there was besides (a part of it may have
    worked), ``code`` is the first error's (``BAD_USER_INPUT``, ``FORBIDDEN``, ...), or None.
    """

    def __init__(self, errors: Errors, data: Mapping[str, Any] | None = None) -> None:
        super().__init__("; ".join(str(error.get("message")) for error in errors) or "no result")
        self.errors = tuple(errors)
        self.data = data

    @property
    def code(self) -> str | None:
        """The code of the first error."""
        extensions = self.errors[0].get("extensions") if self.errors else None
        found = extensions.get("code") if isinstance(extensions, Mapping) else None
        return found if isinstance(found, str) else None


class OutcomeUnknown(ClientError):
    """The connection was lost between a change and its answer: it may have been made or not."""
