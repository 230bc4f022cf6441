"""What a client says about its connection: to ``on_event``, as it happens."""

from typing import TypeAlias

from attrs import frozen

__all__ = ["ClientEvent", "Connected", "Disconnected", "TokenRenewed"]


@frozen
class Connected:
    """There is a connection, acknowledged. ``number`` counts them from 1."""

    number: int
    resumed: int
    """How many subscriptions go on from their cursors."""


@frozen
class Disconnected:
    """The connection is lost, or a try to get one failed; the next is in ``retry_in`` seconds.

    ``code`` is the close code or HTTP status where there was one; ``failures`` counts the tries
    in a row that led nowhere.
    """

    code: int | None
    reason: str
    retry_in: float
    failures: int


@frozen
class TokenRenewed:
    """A renewal on the living connection: whether the server took the new token.

    ``expires_at`` is the end of the token that counts now, seconds since 1970 (None: it has none).
    ``error`` is what the caller's source of tokens raised, if it did; it will be asked again.
    """

    accepted: bool
    expires_at: float | None
    error: Exception | None = None


ClientEvent: TypeAlias = Connected | Disconnected | TokenRenewed
