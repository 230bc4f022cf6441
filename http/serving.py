"""What a view may use of the request that it serves: the gateway, its caller, and time."""

from contextlib import AbstractContextManager
from types import TracebackType
from typing import Final

import trio

from incident_manager.actors.errors import Unavailable
from incident_manager.http.auth import Principal
from incident_manager.http.exchange import current
from incident_manager.http.gateway import Gateway, Session

__all__ = [
    "PATIENCE",
    "caller",
    "change_in_time",
    "gateway",
    "in_time",
    "read_in_time",
    "session",
]

PATIENCE: Final = 30.0
"""Seconds that the system has for a change."""


def gateway() -> Gateway:
    """The server's shared state."""
    return current().gateway


def session() -> Session:
    """The caller's way to the system."""
    found = current().session
    if found is None:
        exchange = current()
        what = f"{exchange.method} {exchange.path}"
        raise RuntimeError(f"{what} has no caller: its route names no role")
    return found


def caller() -> Principal | None:
    """Who asks; None where nobody needs to say who they are."""
    found = current().session
    return None if found is None else found.principal


def in_time(gateway: Gateway, *, changes: bool) -> AbstractContextManager[object]:
    """Bound an operation: a read as :func:`read_in_time`, a change as :func:`change_in_time`."""
    limit = gateway.settings.limits.query_timeout
    return change_in_time() if changes else trio.fail_after(limit)


def read_in_time() -> AbstractContextManager[object]:
    """Bound a read: TooSlowError after ``limits.query_timeout`` (it waits while the journal
    restarts, but not for ever). What runs in a thread of the journal is interrupted.
    """
    return in_time(gateway(), changes=False)


class change_in_time:  # noqa: N801 -- a block, as those of contextlib are
    """Bound a change: Unavailable after ``PATIENCE``, and nobody knows what became of it."""

    __slots__ = ("_scope",)

    def __enter__(self) -> None:
        self._scope = trio.CancelScope(deadline=trio.current_time() + PATIENCE)
        self._scope.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._scope.__exit__(kind, error, trace)
        if self._scope.cancelled_caught:  # else the scope has swallowed nothing
            raise Unavailable(f"There was no answer within {PATIENCE:.0f} seconds.") from None
