"""What a command is refused with, named by who must do something about it."""

from enum import StrEnum

__all__ = ["ErrorCode", "Refused", "Unavailable"]


class ErrorCode(StrEnum):
    """The codes of the contract's section 4, the same on every interface."""

    UNAUTHENTICATED = "UNAUTHENTICATED"
    UNAUTHORIZED = "UNAUTHORIZED"
    FORBIDDEN = "FORBIDDEN"
    BAD_USER_INPUT = "BAD_USER_INPUT"
    NOT_FOUND = "NOT_FOUND"
    INVALID_STATE_TRANSITION = "INVALID_STATE_TRANSITION"
    CONFLICT = "CONFLICT"
    GRAPHQL_PARSE_FAILED = "GRAPHQL_PARSE_FAILED"
    GRAPHQL_VALIDATION_FAILED = "GRAPHQL_VALIDATION_FAILED"
    COMPLEXITY_LIMITED = "COMPLEXITY_LIMITED"
    RATE_LIMIT_EXCEEDED = "RATE_LIMIT_EXCEEDED"
    SUBSCRIPTION_LIMIT_EXCEEDED = "SUBSCRIPTION_LIMIT_EXCEEDED"
    SERVICE_UNAVAILABLE = "SERVICE_UNAVAILABLE"
    TIMEOUT = "TIMEOUT"
    INTERNAL_SERVER_ERROR = "INTERNAL_SERVER_ERROR"


class Refused(Exception):
    """The sender's fault: the command cannot be done as it was sent.

    ``field`` names the input that is to blame, in the contract's GraphQL spelling.
    """

    def __init__(self, code: ErrorCode, message: str, field: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.field = field


class IdempotencyMismatch(Refused):
    """An idempotency key came again with another body."""

    def __init__(self) -> None:
        super().__init__(
            ErrorCode.CONFLICT,
            "This idempotency key was used before with another body.",
            "Idempotency-Key",
        )


class Unavailable(Exception):
    """Our fault, for now. ``known`` is True where it is certain that nothing was changed.

    Where it is not, the outcome is unknown: an idempotency key makes the retry safe.
    """

    def __init__(self, message: str, *, known: bool = False) -> None:
        super().__init__(message)
        self.message = message
        self.known = known
