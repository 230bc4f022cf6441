"""What resolvers may use: the context of an operation."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Protocol

from attrs import field, frozen

from incident_manager.actors.commands import Command
from incident_manager.actors.decision import Outcome
from incident_manager.actors.errors import Refused
from incident_manager.actors.journal.base import Journal, View
from incident_manager.actors.model import Micros
from incident_manager.actors.roles import Role

__all__ = ["ComponentHealth", "Health", "HealthState", "Me", "Services", "Sources", "Store"]


class HealthState(StrEnum):
    """How the system, or a part of it, does."""

    HEALTHY = "HEALTHY"
    DEGRADED = "DEGRADED"
    UNHEALTHY = "UNHEALTHY"


@frozen
class ComponentHealth:
    """How one part does; ``message`` says why where it does not do well."""

    name: str
    status: HealthState
    message: str | None = None


@frozen
class Health:
    """How the system does. ``uptime_seconds`` are whole seconds since its start."""

    status: HealthState
    version: str
    uptime_seconds: int
    components: tuple[ComponentHealth, ...] = ()


@frozen
class Me:
    """Who is asking. ``roles`` are all that the caller may act in, the least first.

    ``selectors`` are the labels that the caller is confined to; without ``expires_at`` the
    credentials do not run out.
    """

    name: str
    roles: tuple[Role, ...]
    selectors: Mapping[str, str] = field(factory=dict)
    expires_at: Micros | None = None


class Store(Protocol):
    """Where everything is kept."""

    @property
    def journal(self) -> Journal:
        """The journal."""
        ...


class Sources(Protocol):
    """Where relations are read from."""

    @property
    def journal(self) -> View:
        """What the caller sees of the journal."""
        ...


class Services(Sources, Protocol):
    """What one caller's queries and mutations work with."""

    @property
    def principal_role(self) -> Role:
        """What the caller may do."""
        ...

    def me(self) -> Me:
        """Who the caller is."""
        ...

    async def ask(self, commands: Sequence[Command]) -> Sequence[Outcome | Refused]:
        """Have commands decided and written as this caller: one answer each, in order.

        Raises Refused where the request as a whole is refused, and Unavailable.
        """
        ...

    def health(self) -> Health:
        """How the system does now."""
        ...

    def now(self) -> Micros:
        """The time."""
        ...
