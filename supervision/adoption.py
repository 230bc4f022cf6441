"""A child in the task that already runs it: a block, not a new task."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING

from .child import Child, split
from .node import Stats

if TYPE_CHECKING:
    from .dynamic import DynamicSupervisor

__all__ = ["Adoption"]


class Adoption:
    """The block of an adopted child; made by :meth:`DynamicSupervisor.adopt`."""

    __slots__ = ("_child", "_id", "_kind", "_on_stop", "_stats", "_supervisor")

    def __init__(
        self,
        supervisor: DynamicSupervisor,
        id: str,  # noqa: A002
        kind: str,
        stats: Stats | None,
        on_stop: Callable[[], None] | None,
    ) -> None:
        self._supervisor = supervisor
        self._id = id
        self._kind = kind
        self._stats = stats
        self._on_stop = on_stop
        self._child: Child | None = None

    async def __aenter__(self) -> Child:
        """Make the calling task's block a child."""
        child = self._supervisor.admit(self._id, self._kind, self._stats, self._on_stop)
        child.scope.__enter__()
        self._child = child
        return child

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool:
        """Leave the supervisor; record what the block raised and let it travel on."""
        child = self._child
        assert child is not None  # noqa: S101 - set by __aenter__
        try:
            caught = child.scope.__exit__(kind, error, trace)
            if error is not None and not caught:
                self._supervisor.brood.record(child, split(error)[0])
        except BaseException as left:
            # The scope took its Cancelled out of a group: what is left is what counts.
            self._supervisor.brood.record(child, split(left)[0])
            raise
        finally:
            self._supervisor.brood.leave(child)
        return caught
