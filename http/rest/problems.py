"""Errors of the HTTP surface as RFC 9457 problems: one table from code to status."""

import re
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

import trio
from attrs import field, frozen
from werkzeug.exceptions import HTTPException, MethodNotAllowed, RequestEntityTooLarge
from werkzeug.http import HTTP_STATUS_CODES

from incident_manager.actors.errors import ErrorCode, IdempotencyMismatch, Refused, Unavailable
from incident_manager.actors.journal.base import JournalUnavailable
from incident_manager.http.rates import RateLimited
from incident_manager.http.rest import shapes

__all__ = ["STATUS", "FieldError", "Gone", "InvalidFields", "Problem", "problem_of", "snake"]

STATUS: Final[Mapping[ErrorCode, int]] = MappingProxyType(
    {
        ErrorCode.UNAUTHENTICATED: 401,
        ErrorCode.UNAUTHORIZED: 403,
        ErrorCode.FORBIDDEN: 403,
        ErrorCode.BAD_USER_INPUT: 400,
        ErrorCode.NOT_FOUND: 404,
        ErrorCode.INVALID_STATE_TRANSITION: 409,
        ErrorCode.CONFLICT: 409,
        ErrorCode.GRAPHQL_PARSE_FAILED: 400,
        ErrorCode.GRAPHQL_VALIDATION_FAILED: 400,
        ErrorCode.COMPLEXITY_LIMITED: 400,
        ErrorCode.RATE_LIMIT_EXCEEDED: 429,
        ErrorCode.SUBSCRIPTION_LIMIT_EXCEEDED: 429,
        ErrorCode.SERVICE_UNAVAILABLE: 503,
        ErrorCode.TIMEOUT: 504,
        ErrorCode.INTERNAL_SERVER_ERROR: 500,
    }
)
"""The status of every code (contract, section 4)."""

_OF_STATUS: Final[Mapping[int, ErrorCode]] = MappingProxyType(
    {404: ErrorCode.NOT_FOUND, 408: ErrorCode.TIMEOUT, 429: ErrorCode.RATE_LIMIT_EXCEEDED}
)
"""The code of what Quart and Werkzeug refuse; any other 4xx is BAD_USER_INPUT."""

_RETRY: Final = {"Retry-After": "1"}
_HIDDEN: Final = "Something went wrong inside the server."
_JOURNAL: Final = "The journal is not available now. Try again."
_SLOW: Final = "There was no answer in time. Try again."
_UNKNOWN: Final = (
    "Whether the change was made is unknown; sending it again with the same Idempotency-Key is safe"
    " if it bore one."
)
_HUMP: Final = re.compile(r"(?<=[a-z0-9])[A-Z]")


def snake(name: str) -> str:
    """A field of the GraphQL contract in REST's spelling: ``rootCause`` is ``root_cause``.

    What follows the field's own name (an index, the key of a label) stays as it is.
    """
    if name == "expectedVersion":
        return "If-Match"
    end = re.search(r"[^A-Za-z0-9_]", name)
    stop = len(name) if end is None else end.start()
    return _HUMP.sub(lambda hump: f"_{hump[0].lower()}", name[:stop]) + name[stop:]


@frozen
class FieldError:
    """What is wrong with one field, header or parameter; ``message`` begins with its name."""

    field: str
    message: str

    @property
    def member(self) -> str:
        """The member that is blamed, or has in it what is: ``labels`` for ``labels.team``."""
        return re.split(r"[^A-Za-z0-9_]", self.field, maxsplit=1)[0]

    @classmethod
    def of(cls, refused: Refused) -> "FieldError | None":
        """The field that a refusal blames, in REST's spelling; None if it blames none."""
        if refused.field is None:
            return None
        name = snake(refused.field)
        message = refused.message
        if message.startswith(refused.field):
            message = name + message[len(refused.field) :]
        return cls(name, message.removesuffix("."))


class InvalidFields(Refused):
    """BAD_USER_INPUT that names every bad field."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        message = "; ".join(error.message for error in self.errors)
        super().__init__(ErrorCode.BAD_USER_INPUT, f"{message}.", self.errors[0].field)


class Gone(Refused):
    """What was asked for was there once, and is not kept any more. ``oldest`` is what still is."""

    def __init__(self, message: str, field: str, oldest: str) -> None:
        super().__init__(ErrorCode.NOT_FOUND, message, field)
        self.oldest = oldest


@frozen
class Problem:
    """An error as it is answered (RFC 9457, section 3), with the contract's ``code``."""

    status: int
    code: ErrorCode
    detail: str
    errors: tuple[FieldError, ...] = ()
    headers: Mapping[str, str] = field(factory=dict)
    oldest: str | None = None
    retry_after: int | None = None
    """Seconds, where too much was asked."""

    def body(self, instance: str) -> shapes.Problem:
        """The members of the problem; ``instance`` is the path that was asked for.

        The type is ``about:blank``, so the title is the status's own; ``code`` tells more.
        """
        members: shapes.Problem = {
            "type": "about:blank",
            "title": HTTP_STATUS_CODES.get(self.status, "Error"),
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "instance": instance,
        }
        if self.errors:
            members["errors"] = [
                {"field": error.field, "message": error.message} for error in self.errors
            ]
        if self.oldest is not None:
            members["oldest"] = self.oldest
        return members


def problem_of(error: Exception) -> Problem:
    """The problem that an exception is; INTERNAL_SERVER_ERROR if it is nobody's but ours."""
    if isinstance(error, Refused):
        return _refused(error)
    if isinstance(error, Unavailable):
        detail = error.message if error.known else f"{error.message} {_UNKNOWN}"
        return Problem(503, ErrorCode.SERVICE_UNAVAILABLE, detail, headers=_RETRY)
    if isinstance(error, JournalUnavailable):
        return Problem(503, ErrorCode.SERVICE_UNAVAILABLE, _JOURNAL, headers=_RETRY)
    if isinstance(error, trio.TooSlowError):
        return Problem(504, ErrorCode.TIMEOUT, _SLOW)
    if isinstance(error, HTTPException) and error.code is not None and error.code < 500:
        return _of_http(error, error.code)
    return Problem(500, ErrorCode.INTERNAL_SERVER_ERROR, _HIDDEN)


def _refused(error: Refused) -> Problem:
    status = STATUS[error.code]
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else {}
    if isinstance(error, IdempotencyMismatch):
        status = 422
    elif error.code is ErrorCode.CONFLICT and error.field == "expectedVersion":
        status = 412
    if isinstance(error, InvalidFields):
        return Problem(status, error.code, error.message, error.errors, headers)
    if isinstance(error, RateLimited):
        wait = error.retry_after
        headers["Retry-After"] = str(wait)
        return Problem(status, error.code, error.message, headers=headers, retry_after=wait)
    blamed = FieldError.of(error)
    if isinstance(error, Gone):
        errors = () if blamed is None else (blamed,)
        return Problem(410, error.code, error.message, errors, headers, error.oldest)
    if error.code is ErrorCode.BAD_USER_INPUT and blamed is not None:
        return Problem(status, error.code, f"{blamed.message}.", (blamed,), headers)
    return Problem(status, error.code, error.message, () if blamed is None else (blamed,), headers)


def _of_http(error: HTTPException, status: int) -> Problem:
    code = _OF_STATUS.get(status, ErrorCode.BAD_USER_INPUT)
    detail = error.description or HTTP_STATUS_CODES.get(status, "Error")
    if isinstance(error, MethodNotAllowed):
        allowed = ", ".join(sorted(error.valid_methods or ()))
        if detail == MethodNotAllowed.description:
            detail = f"{allowed} can be sent here, nothing else."
        return Problem(status, code, detail, headers={"Allow": allowed})
    if isinstance(error, RequestEntityTooLarge):
        detail = "The body is larger than server.max_body_bytes allows."
    elif status == 404:
        detail = "There is nothing here."
    return Problem(status, code, detail)
