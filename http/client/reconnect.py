"""What to do when a connection is lost or cannot be had: a table, a backoff, and a memory of it.

Nothing here waits or looks at a clock.
"""

import random
from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import Final, TypeAlias

from attrs import field, frozen, validators

from incident_manager.http.client.errors import ClientError, Refused, Unreachable

__all__ = [
    "CLOSE_CODES",
    "HTTP_STATUSES",
    "Backoff",
    "GiveUp",
    "Loss",
    "Reconnect",
    "Retry",
    "Verdict",
    "judge",
]


class Verdict(Enum):
    """What a close code asks of the client."""

    RETRY = "retry"
    """Come back after the backoff."""

    FRESH_TOKEN = "fresh token"  # noqa: S105 -- no password  # nosec B105
    """Come back with a token fetched anew; give up if that one is refused too."""

    FATAL = "fatal"
    """Give up: the same again would end the same way."""


CLOSE_CODES: Final[Mapping[int, Verdict]] = MappingProxyType(
    {
        1000: Verdict.RETRY,  # normal; but this client did not ask for it
        1001: Verdict.RETRY,  # the server drains
        1002: Verdict.FATAL,  # a breach of RFC 6455
        1003: Verdict.FATAL,  # it cannot take such data
        1005: Verdict.RETRY,  # closed without a code
        1006: Verdict.RETRY,  # the connection broke
        1007: Verdict.FATAL,  # no UTF-8
        1008: Verdict.FATAL,  # against a policy
        1009: Verdict.FATAL,  # a message too big for either side: it would be so again
        1010: Verdict.FATAL,  # an extension is missing
        1011: Verdict.FATAL,  # an internal error, says the protocol, that will come again
        1012: Verdict.RETRY,  # the server restarts
        1013: Verdict.RETRY,  # overloaded, or this client was too slow for too long
        1014: Verdict.RETRY,  # a bad gateway in between
        1015: Verdict.RETRY,  # TLS failed
        4400: Verdict.FATAL,  # a bad message
        4401: Verdict.FATAL,  # an operation before the ack
        4403: Verdict.FRESH_TOKEN,
        4406: Verdict.FATAL,  # no such subprotocol
        4408: Verdict.RETRY,  # connection_init came too late
        4409: Verdict.FATAL,  # an id in use
        4429: Verdict.FATAL,  # a second connection_init
        4500: Verdict.FATAL,
    }
)
"""The verdict for each close code; as stock clients have it, but for 1000.

Another code below 2000 is fatal, any other is retried (as in ``isFatalInternalCloseCode`` and
``isFatalConnectionProblem`` of graphql-ws).
"""

HTTP_STATUSES: Final = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers to the upgrade after which another try makes sense; any other is fatal."""


@frozen
class Backoff:
    """How long to wait between tries: exponential, with full jitter.

    The wait before a try is random between 0 and ``first * factor ** failures`` seconds, at most
    ``most``; so that the clients of a server that comes back do not come all at once. Failures are
    counted from the last connection that was ``stable`` seconds old. With a ``seed`` the waits
    are the same in every run.
    """

    first: float = field(default=0.25, validator=validators.gt(0))
    most: float = field(default=10.0, validator=validators.gt(0))
    factor: float = field(default=2.0, validator=validators.ge(1))
    stable: float = field(default=5.0, validator=validators.ge(0))
    seed: int | None = None

    def ceiling(self, failures: int) -> float:
        """The longest wait, seconds, after so many failures in a row before this one (from 0)."""
        return min(self.most, self.first * self.factor ** min(failures, 64))

    def delay(self, failures: int, luck: float) -> float:
        """The wait in seconds. ``luck`` is from [0, 1)."""
        return self.ceiling(failures) * luck


@frozen
class Loss:
    """How a connection, or the try to get one, ended.

    ``code`` is the close code, or the HTTP status of a refused upgrade if ``upgraded`` is False;
    None where there was neither (no route, a timeout). ``lived`` is the time in seconds from the
    ack to the loss, None if there was no ack.
    """

    reason: str
    code: int | None = None
    upgraded: bool = True
    lived: float | None = None
    error: ClientError | None = None
    """Give up, whatever the code, and raise this."""


@frozen
class Retry:
    """Try again after ``delay`` seconds; this was failure number ``failures`` in a row."""

    delay: float
    failures: int


@frozen
class GiveUp:
    """There is no point in another try."""

    error: ClientError


Decision: TypeAlias = Retry | GiveUp


def judge(loss: Loss) -> Verdict:
    """What the table says of a loss."""
    code = loss.code
    if code is None:
        return Verdict.RETRY
    if not loss.upgraded:
        return Verdict.RETRY if code in HTTP_STATUSES else Verdict.FATAL
    return CLOSE_CODES.get(code, Verdict.FATAL if code < 2000 else Verdict.RETRY)


class Reconnect:
    """What is remembered from one loss to the next.

    ``fixed`` says that the token is always the same one. ``patience`` is for how many seconds the
    client may be without a connection, or None for ever. ``now`` is the time it begins at.
    """

    __slots__ = ("_backoff", "_failures", "_fixed", "_patience", "_random", "_refusals", "_since")

    def __init__(
        self, backoff: Backoff, *, fixed: bool, patience: float | None, now: float
    ) -> None:
        self._backoff = backoff
        self._fixed = fixed
        self._patience = patience
        self._since = now
        self._failures = 0
        self._refusals = 0
        self._random = random.Random(backoff.seed)  # noqa: S311 -- it keeps no secret  # nosec B311

    def lost(self, loss: Loss, now: float) -> Decision:
        """Take note of a loss and say what follows from it."""
        if loss.lived is not None:
            self._since = now
            self._refusals = 0
            if loss.lived >= self._backoff.stable:
                self._failures = 0
        if loss.error is not None:
            return GiveUp(loss.error)
        verdict = judge(loss)
        if verdict is Verdict.FRESH_TOKEN and loss.lived is None:
            self._refusals += 1
            # The same token would be refused again; another one has a second chance.
            if self._fixed or self._refusals > 1:
                verdict = Verdict.FATAL
        if verdict is Verdict.FATAL:
            return GiveUp(Refused(loss.code or 0, loss.reason))
        delay = self._backoff.delay(self._failures, self._random.random())
        self._failures += 1
        if self._patience is not None and now + delay - self._since > self._patience:
            text = f"no connection for {self._patience:g} seconds: {loss.reason}"
            return GiveUp(Unreachable(text))
        return Retry(delay, self._failures)
