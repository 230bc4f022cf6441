"""Supervisors beside a block of code."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import trio

from .child_spec import ChildSpec, Strategy
from .dynamic import DynamicSupervisor
from .errors import only
from .intensity import Intensity
from .node import Node
from .supervisor import Supervisor
from .tree import Tree

__all__ = ["open_dynamic", "open_supervisor"]


@asynccontextmanager
async def open_supervisor(
    id: str,  # noqa: A002
    specs: Sequence[ChildSpec],
    *,
    strategy: Strategy = Strategy.ONE_FOR_ONE,
    intensity: Intensity = Intensity(),  # noqa: B008 - a frozen value
    tree: Tree | None = None,
) -> AsyncGenerator[Supervisor, None]:
    """Run a supervisor beside a block: inside it all children are started and ready.

    On leaving the block the children are stopped in reverse. If the supervisor gives up, the block
    is cancelled. What the block raises comes out as it is; if cancellation or a second failure
    meets it, both come out in a group.

    Raises:
        StartFailed: a child failed in the first start (before the block).
        SupervisorGaveUp: its children failed too often.
    """
    supervisor = Supervisor(id, specs, strategy=strategy, intensity=intensity, tree=tree)
    wrapped: BaseException | None = None
    try:
        async with trio.open_nursery() as nursery:
            scope, done = trio.CancelScope(), trio.Event()
            await nursery.start(_run_beside, supervisor, scope, done)
            # From here on the children outlive the block, even if all is cancelled.
            scope.shield = True
            raised: Exception | None = None
            try:
                yield supervisor
            except Exception as error:  # noqa: BLE001 - raised again below
                raised = error
            finally:
                scope.shield = False
                supervisor.begin_stop()
            if raised is not None:
                await _stopped_with(raised, done)
    except BaseExceptionGroup as group:
        wrapped = only(group)
    if wrapped is not None:
        raise wrapped


async def _run_beside(
    supervisor: Supervisor,
    scope: trio.CancelScope,
    done: trio.Event,
    *,
    task_status: trio.TaskStatus[object],
) -> None:
    with scope:
        try:
            await supervisor.run(task_status=task_status)
        finally:
            done.set()


async def _stopped_with(raised: Exception, done: trio.Event) -> None:
    """Wait for the orderly stop, then raise what the block raised, and lose nothing."""
    try:
        await done.wait()
    except trio.Cancelled as cancelled:
        raise BaseExceptionGroup("block failed, then cancelled", [raised, cancelled]) from None
    raise raised


def open_dynamic(
    id: str | None,  # noqa: A002
    *,
    kind: str = "supervisor",
    parent: Node | None = None,
    tree: Tree | None = None,
    shutdown: float = 5.0,
) -> DynamicSupervisor:
    """Return a dynamic supervisor to enter: ``async with open_dynamic("connections") as dyn:``.

    Its children live inside the block and are stopped when it is left; what the block raises comes
    out as it is. See :class:`DynamicSupervisor` for the arguments.
    """
    return DynamicSupervisor(id, kind=kind, parent=parent, tree=tree, shutdown=shutdown)
