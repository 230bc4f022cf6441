"""One request of HTTP, as the checks and the views see it, whatever has brought it."""

import time
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Final

from attrs import define, field

from incident_manager.http.gateway import Gateway, Session
from incident_manager.http.lines import Lines
from incident_manager.http.rates import Spent

__all__ = ["Exchange", "current", "during", "enter"]


@define(eq=False)
class Exchange:
    """A request, and what has become of it so far.

    ``path`` is as the client meant it, ``lines`` are its headers, ``host`` is the address of the
    client (None: it came by a Unix socket), ``secure`` whether that speaks TLS. ``read`` gives
    the body, and raises as :func:`read_raw` does.

    ``session`` is the caller's, once it is known who asks. ``counted`` is whether the request was
    counted against a quota, ``spent`` what that came to. ``replayed`` says that the answer was
    given before. ``began`` is when it began, in seconds of ``time.perf_counter``.
    """

    gateway: Gateway
    method: str
    path: str
    lines: Lines
    host: str | None
    secure: bool
    read: Callable[[], Awaitable[bytes]]
    session: Session | None = None
    counted: bool = False
    spent: Spent | None = None
    replayed: bool = False
    began: float = field(factory=time.perf_counter)

    @classmethod
    def of(
        cls, gateway: Gateway, scope: Mapping[str, Any], read: Callable[[], Awaitable[bytes]]
    ) -> "Exchange":
        """Of a scope of ASGI."""
        client = scope.get("client")
        return cls(
            gateway,
            scope["method"],
            scope["path"],
            Lines(scope["headers"]),
            None if client is None else str(client[0]),
            scope["scheme"] == "https",
            read,
        )


_current: Final[ContextVar[Exchange]] = ContextVar("exchange")


def current() -> Exchange:
    """The request that this task serves; LookupError where it serves none."""
    return _current.get()


def enter(exchange: Exchange) -> None:
    """Note what the task serves from here on, to its end."""
    _current.set(exchange)


class during:  # noqa: N801 -- a block, as those of contextlib are
    """Note what the task serves inside of the block."""

    __slots__ = ("_exchange", "_token")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange

    def __enter__(self) -> None:
        self._token = _current.set(self._exchange)

    def __exit__(self, *failure: object) -> None:
        _current.reset(self._token)
