"""What supervision raises; each name says who was at fault."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from types import TracebackType

__all__ = [
    "ChildEnded",
    "DuplicateChild",
    "StartFailed",
    "SupervisionError",
    "SupervisorGaveUp",
    "SupervisorStopped",
    "left",
    "only",
]


class SupervisionError(Exception):
    """Base of everything that supervision itself raises."""


class SupervisorGaveUp(SupervisionError):  # named after what it did
    """A supervisor restarted its children too often and stopped.

    Attributes:
        id: node id of the supervisor that gave up.
        child: id of the child whose failure was one too many.

    ``__cause__`` is that last failure.
    """

    def __init__(self, id: str, child: str, restarts: int, period: float) -> None:  # noqa: A002
        super().__init__(
            f"supervisor {id!r} gave up: more than {restarts} restarts within {period:g} s,"
            f" the last asked for by child {child!r}"
        )
        self.id = id
        self.child = child


class StartFailed(SupervisionError):
    """A child failed before it was ready; ``__cause__`` is its failure.

    Raised by a supervisor whose first start fails (its started children are stopped by then), and
    to whoever asked for the restart of one child.
    """

    def __init__(self, id: str, child: str) -> None:  # noqa: A002
        super().__init__(f"child {child!r} of supervisor {id!r} failed before it was ready")
        self.id = id
        self.child = child


class SupervisorStopped(SupervisionError):
    """The supervisor is not running, or is stopping: it takes no child and no request."""


class ChildEnded(SupervisionError):
    """A permanent child returned; that counts as its failure."""


class DuplicateChild(SupervisionError, ValueError):
    """A child of this name is there already."""


def only(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one exception a nursery wrapped, or ``group`` itself if there are several.

    A supervisor's nursery is an inner matter, so its callers should not meet the group around
    what their own code raised.
    """
    return group.exceptions[0] if len(group.exceptions) == 1 else group


async def left(
    nursery: AbstractAsyncContextManager[object],
    raised: BaseException | None,
    trace: TracebackType | None,
) -> BaseException | None:
    """Leave a nursery whose block ended so; what comes out of it, unwrapped, None where nothing."""
    try:
        caught = await nursery.__aexit__(None if raised is None else type(raised), raised, trace)
    except BaseExceptionGroup as group:
        return only(group)
    return None if caught else raised
