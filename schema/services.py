"""What resolvers may use: the context of an operation."""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol

from attrs import frozen

from incident_manager.actors.commands import Command
from incident_manager.actors.decision import Outcome
from incident_manager.actors.errors import Refused
from incident_manager.actors.journal.base import Journal
from incident_manager.actors.model import Micros
from incident_manager.actors.roles import Role

__all__ = ["ComponentHealth", "Health", "HealthState", "Services", "Sources"]


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


class Sources(Protocol):
    """Where relations are read from."""

    @property
    def journal(self) -> Journal:
        """The journal's read side."""
        ...


class Services(Sources, Protocol):
    """What one caller's queries and mutations work with."""

    @property
    def principal_role(self) -> Role:
        """What the caller may do."""
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
