"""One caller's services over a journal in memory, with a registry of its own."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from typing import Any

from incident_manager.actors.answers import Caller
from incident_manager.actors.commands import Command
from incident_manager.actors.decision import Outcome
from incident_manager.actors.errors import Refused
from incident_manager.actors.journal.base import Journal
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.model import Micros
from incident_manager.actors.registry import Registry
from incident_manager.actors.roles import Role
from incident_manager.schema.execute import execute
from incident_manager.schema.operation import Preparer
from incident_manager.schema.services import ComponentHealth, Health, HealthState, Me
from incident_manager.supervision import ChildSpec, open_supervisor

START: Micros = 1_700_000_000_000_000


class Desk:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.principal_role = Role.ADMIN
        self.preparer = Preparer()
        self.registry = Registry(
            journal, lambda _head, _records: None, window=900_000_000, clock=self.now
        )
        self._now = START

    def me(self) -> Me:
        return Me("rae", tuple(Role), {"tenant": "acme"}, START)

    def now(self) -> Micros:
        self._now += 1_000
        return self._now

    def health(self) -> Health:
        parts = (
            ComponentHealth("journal", HealthState.HEALTHY),
            ComponentHealth("hub", HealthState.DEGRADED, "restarting"),
        )
        return Health(HealthState.DEGRADED, "1.2.3", 42, parts)

    async def ask(self, commands: Sequence[Command]) -> Sequence[Outcome | Refused]:
        return (await self.registry.ask(commands, Caller("rae", "rae"))).results

    async def run(self, query: str, **variables: object) -> dict[str, Any]:
        """The result of a document with variables, as an ADMIN."""
        operation = self.preparer.prepare(query, None, variables, role=self.principal_role)
        return await execute(operation, self)


@asynccontextmanager
async def open_desk() -> AsyncGenerator[Desk, None]:
    async with open_memory() as journal:
        desk = Desk(journal)
        async with open_supervisor("root", [ChildSpec("registry", desk.registry.run, shutdown=0)]):
            yield desk
