"""One caller's services over a memory journal: every command is decided and written at once."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from incident_manager.actors.commands import Command
from incident_manager.actors.decision import Context, Outcome
from incident_manager.actors.errors import Refused
from incident_manager.actors.ids import new_id
from incident_manager.actors.journal.base import Append, Journal
from incident_manager.actors.journal.memory import open_memory
from incident_manager.actors.lifecycle import decide, needs
from incident_manager.actors.model import Micros
from incident_manager.actors.roles import Role
from incident_manager.actors.state import WorkingSet
from incident_manager.schema.execute import execute
from incident_manager.schema.operation import Preparer
from incident_manager.schema.services import ComponentHealth, Health, HealthState

START: Micros = 1_700_000_000_000_000


class Desk:
    def __init__(self, journal: Journal) -> None:
        self.journal = journal
        self.principal_role = Role.ADMIN
        self.preparer = Preparer()
        self._now = START

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
        return [await self._ask(command) for command in commands]

    async def _ask(self, command: Command) -> Outcome | Refused:
        now = self.now()
        ctx = Context(now, "rae", "rae", (new_id(now), new_id(now + 1)))
        state = WorkingSet((await self.journal.bounds()).head)
        try:
            state.learn(await self.journal.load(needs(command, ctx), now))
            decision = decide(state, command, ctx)
        except Refused as refused:
            return refused
        await self.journal.append(Append(state.head, decision.records))
        return decision.outcome

    async def run(self, query: str, **variables: object) -> dict[str, object]:
        """The result of a document with variables, as an ADMIN."""
        operation = self.preparer.prepare(query, None, variables, role=self.principal_role)
        return await execute(operation, self)


@asynccontextmanager
async def open_desk() -> AsyncIterator[Desk]:
    async with open_memory() as journal:
        yield Desk(journal)
