"""What a session says is to be done: frames to send, and what the caller must know."""

from typing import Any, TypeAlias

from attrs import frozen

from incident_manager.http.client.errors import ClientError
from incident_manager.http.client.message import Message

__all__ = ["Again", "Answer", "Begun", "Deliver", "Ended", "Output", "Renewed", "Say"]


@frozen
class Say:
    """Send this frame."""

    frame: str


@frozen
class Deliver:
    """A message of a subscription. Call ``Session.took`` when the caller's buffer has it."""

    key: int
    message: Message


@frozen
class Begun:
    """The place where a subscription begins is fixed: nothing after it will be missed."""

    key: int


@frozen
class Answer:
    """The result of a query or mutation."""

    key: int
    data: dict[str, Any]


@frozen
class Ended:
    """An operation is over: as it should, or by an error."""

    key: int
    error: ClientError | None = None


@frozen
class Renewed:
    """How a renewal of the token went."""

    accepted: bool
    expires_at: float | None


@frozen
class Again:
    """This connection is of no use now; open another, later."""

    reason: str


Output: TypeAlias = Say | Deliver | Begun | Answer | Ended | Renewed | Again
