"""Errors as a client sees them: a message, where, and ``extensions.code`` (contract, section 4)."""

import logging
from collections.abc import Iterable
from typing import Any, Final

from graphql import GraphQLError

from incident_manager.actors.errors import ErrorCode, Refused, Unavailable
from incident_manager.actors.journal.base import JournalUnavailable

__all__ = ["Formatted", "OperationRefused", "format_error", "refusal", "refusal_of", "root_cause"]

Formatted = dict[str, Any]
"""``message``, ``extensions`` with ``code`` (and ``field``), and ``locations`` and ``path``."""

_LOG: Final = logging.getLogger(__name__)
_LONGEST: Final = 1_000
_HIDDEN: Final = "Something went wrong inside the server."
_JOURNAL: Final = "The journal is not available now. Try again."


class OperationRefused(Exception):
    """An operation that is not executed at all. ``errors`` are as the client gets them."""

    def __init__(self, errors: Iterable[Formatted]) -> None:
        self.errors = list(errors)
        super().__init__("; ".join(str(error["message"]) for error in self.errors))

    @property
    def code(self) -> ErrorCode:
        """That of the first error."""
        return ErrorCode(self.errors[0]["extensions"]["code"])


def refusal(
    code: ErrorCode, message: str, field: str | None = None, **besides: object
) -> OperationRefused:
    """A refusal for one reason; ``besides`` are more ``extensions``."""
    formatted = _formatted(message, code, field)
    formatted["extensions"].update(besides)
    return OperationRefused([formatted])


def refusal_of(refused: Refused) -> OperationRefused:
    """The same for what is refused below."""
    return refusal(refused.code, refused.message, refused.field)


def format_error(error: GraphQLError, code: ErrorCode | None = None) -> Formatted:
    """The error as the client gets it.

    With ``code``, the error is known to be the client's. Without, its cause decides: Refused
    has a code; what is unavailable is SERVICE_UNAVAILABLE; arguments that graphql-core does not
    take are BAD_USER_INPUT; anything else is logged with its traceback, and the client learns
    no more than INTERNAL_SERVER_ERROR.
    """
    formatted = _of_cause(error) if code is None else _formatted(error.message, code)
    if error.locations:
        formatted["locations"] = [place.formatted for place in error.locations]
    if error.path is not None:
        formatted["path"] = error.path
    return formatted


def root_cause(error: GraphQLError) -> Exception:
    """What was raised first, below all that graphql-core has wrapped around it."""
    cause: Exception = error
    while isinstance(cause, GraphQLError) and cause.original_error is not None:
        cause = cause.original_error
    return cause


def _of_cause(error: GraphQLError) -> Formatted:
    cause = root_cause(error)
    if isinstance(cause, Refused):
        return _formatted(cause.message, cause.code, cause.field)
    if isinstance(cause, Unavailable):
        return _formatted(cause.message, ErrorCode.SERVICE_UNAVAILABLE)
    if isinstance(cause, JournalUnavailable):
        return _formatted(_JOURNAL, ErrorCode.SERVICE_UNAVAILABLE)
    # graphql-core knows the nodes of arguments that it refuses, and none of values that a
    # resolver got wrong.
    if cause is not error and isinstance(cause, GraphQLError) and cause.nodes:
        return _formatted(cause.message, ErrorCode.BAD_USER_INPUT)
    _LOG.error("A resolver failed at %s", error.path, exc_info=cause)
    return _formatted(_HIDDEN, ErrorCode.INTERNAL_SERVER_ERROR)


def _formatted(message: str, code: ErrorCode, field: str | None = None) -> Formatted:
    extensions = {"code": code.value}
    if field is not None:
        extensions["field"] = field
    # What a client sent may be in the message: half a surrogate pair is no UTF-8.
    text = message[:_LONGEST].encode("utf-8", "replace").decode()
    return {"message": text, "extensions": extensions}
