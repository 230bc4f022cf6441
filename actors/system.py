"""The whole actor system: journal, registry, hub and connections under one supervisor.

::

    root (one_for_one)
    ├── journal        the keeper of the journal
    ├── registry       the only writer of incident state
    ├── hub            the fan-out
    └── connections    a dynamic supervisor of temporary children
"""

import logging
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext

from attrs import field, frozen

from incident_manager.actors.answers import Caller, IdempotencyKey
from incident_manager.actors.commands import Command
from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.hub import Hub
from incident_manager.actors.journal.base import OpenJournal
from incident_manager.actors.journal.keeper import Keeper, Retention
from incident_manager.actors.model import Micros
from incident_manager.actors.ports import Projector
from incident_manager.actors.projections import Projections
from incident_manager.actors.registry import Answered, Registry, wall_clock
from incident_manager.actors.subscription import Streams
from incident_manager.supervision import (
    ChildSpec,
    DynamicSupervisor,
    Intensity,
    Node,
    NodeState,
    StartFailed,
    Supervisor,
    Tree,
    open_supervisor,
)

__all__ = ["System", "SystemSettings", "open_system"]

_log = logging.getLogger(__name__)


@frozen
class SystemSettings:
    """What the core must be told: the deduplication window, and how long events are kept."""

    window: Micros = 900_000_000
    retention: Retention = field(factory=Retention)


@frozen
class System:
    """The running core, and the handles of its actors."""

    tree: Tree
    supervisor: Supervisor
    journal: Keeper
    registry: Registry
    hub: Hub
    connections: DynamicSupervisor
    streams: Streams
    clock: Callable[[], Micros]

    async def ask(
        self, commands: Iterable[Command], caller: Caller, *, key: IdempotencyKey | None = None
    ) -> Answered:
        """Have commands carried out: see :meth:`Registry.ask`."""
        return await self.registry.ask(commands, caller, key=key)


def _log_failure(node: Node, failure: BaseException) -> None:
    if isinstance(failure, StartFailed) or (node.state is NodeState.STARTING and not node.restarts):
        return  # open_system raises it
    _log.error("actor %s failed", node.id, exc_info=failure)


@asynccontextmanager
async def open_system(
    opener: Callable[[], OpenJournal],
    projector: Callable[[Keeper], Projector],
    settings: SystemSettings,
    *,
    clock: Callable[[], Micros] = wall_clock,
    beside: Sequence[ChildSpec] = (),
    together: Callable[[], AbstractContextManager[object]] = nullcontext,
) -> AsyncGenerator[System, None]:
    """Run the core inside the block; ready when it is entered.

    ``opener`` opens the journal, again after each crash; ``projector`` gets the journal for the
    relations that it reads; ``beside`` are more actors that live as long; what the hub has outlets
    send on inside a block of ``together`` leaves at its end.

    Raises :class:`StartFailed` with JournalError as its cause where the journal cannot be opened,
    and :class:`SupervisorGaveUp` (cancelling the block) when restarts do not help.
    """
    tree = Tree(_log_failure)
    keeper = Keeper(opener, retention=settings.retention, clock=clock)
    made = projector(keeper)
    projections = Projections(made)
    hub = Hub(keeper, projections, latency=Deliveries(clock), together=together)
    registry = Registry(
        keeper,
        hub.announce,
        window=settings.window,
        forget=hub.forget,
        foretell=hub.foretell,
        clock=clock,
    )
    connections = DynamicSupervisor("connections", shutdown=5.0)
    specs = [
        ChildSpec("journal", keeper.run, kind="journal", shutdown=0),
        ChildSpec("registry", registry.run, kind="registry", shutdown=0),
        ChildSpec("hub", hub.run, kind="hub", shutdown=0),
        ChildSpec("connections", connections.run, kind="connections", shutdown=6.0),
        *beside,
    ]
    intensity = Intensity(restarts=10, period=30.0)
    async with open_supervisor("root", specs, intensity=intensity, tree=tree) as supervisor:
        streams = Streams(
            hub=hub, journal=keeper, projector=made, projections=projections, clock=clock
        )
        yield System(
            tree=tree,
            supervisor=supervisor,
            journal=keeper,
            registry=registry,
            hub=hub,
            connections=connections,
            streams=streams,
            clock=clock,
        )
