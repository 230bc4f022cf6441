"""What the doors count: plain numbers, read by ``/metrics`` and the actor tree."""

from collections import Counter
from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from attrs import define, field

from incident_manager.actors.histogram import Histogram

__all__ = ["CONNECTION_LIVES", "Counters", "Eviction", "Refusal"]

CONNECTION_LIVES = (1.0, 10.0, 60.0, 300.0, 900.0, 3600.0, 14_400.0, 86_400.0)
"""Bounds for how long connections live, in seconds."""

_METHODS = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})
_OTHER = "other"


class Eviction(StrEnum):
    """Why the server ended a connection that its client still wanted.

    Besides these there are the stalled ones, which the guard of the connections counts.
    """

    EXPIRED = "expired"
    """Its token ran out."""
    OPERATOR = "operator"
    """An operator restarted it."""


class Refusal(StrEnum):
    """Why a WebSocket was not let in."""

    FOREIGN = "foreign"
    """Its Host or its Origin is not the server's."""
    PATH = "path"
    UNAVAILABLE = "unavailable"
    """The server is not ready, or stops."""
    CONNECTIONS = "connections"
    """There are ``server.max_connections``."""
    ADDRESS = "address"
    """Its address has ``limits.connections_per_address``."""


def _durations() -> Histogram:
    return Histogram(CONNECTION_LIVES)


@define
class Counters:
    """Plain counts of what the doors do.

    ``refused`` are WebSockets that were not let in. ``errors`` are ``error`` messages and closes
    for a client's mistake (44xx). ``requests`` are by method, route and status, ``queries`` by
    root field, ``query_errors`` by code: none of them is a client's free choice.
    """

    connections: int = 0
    refused: Counter[Refusal] = field(factory=Counter)
    messages_in: int = 0
    messages_out: int = 0
    bytes_out: int = 0
    errors: int = 0
    lives: Histogram = field(factory=_durations)
    evictions: Counter[Eviction] = field(factory=Counter)
    requests: Counter[tuple[str, str, int]] = field(factory=Counter)
    request_seconds: Histogram = field(factory=Histogram)
    queries: Counter[str] = field(factory=Counter)
    query_seconds: Histogram = field(factory=Histogram)
    query_errors: Counter[str] = field(factory=Counter)

    def request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """An HTTP request was answered; ``route`` is its template, None where there is none."""
        known = method if method in _METHODS else _OTHER
        self.requests[known, _OTHER if route is None else route, status] += 1
        self.request_seconds.observe(seconds)

    def erred(self, errors: Iterable[Mapping[str, Any]]) -> None:
        """Errors of GraphQL, as their client gets them."""
        self.query_errors.update(error["extensions"]["code"] for error in errors)
