"""What a body holds of itself: its node, the request to stop, its figures."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

import trio

from .node import Node, Stats

__all__ = ["CANCEL_GRACE", "Body", "Child", "split"]

CANCEL_GRACE = 1.0
"""Seconds a cancelled child has to leave before its node says ``overrun``."""


class Body(Protocol):
    """What a child runs: ``async def body(child, *, task_status=trio.TASK_STATUS_IGNORED)``.

    It says that it is ready by ``task_status.started()``, as Trio's own services do.
    """

    def __call__(
        self,
        child: Child,
        /,
        *,
        task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED,
    ) -> Awaitable[None]:
        """Run until done, or until ``child.stopping`` is set."""
        ...


class Child:
    """One run of a child, in the hands of its body.

    Attributes:
        node: its place in the tree.
        scope: the cancel scope it runs in. A body that cancels it ends itself, normally.
        asked: True once it was asked to stop.
    """

    __slots__ = ("_event", "_on_stop", "asked", "node", "scope")

    def __init__(
        self,
        node: Node,
        *,
        shield: bool = False,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        self.node = node
        self.scope = trio.CancelScope(shield=shield)
        self.asked = False
        self._event: trio.Event | None = None
        self._on_stop = on_stop

    @property
    def stopping(self) -> trio.Event:
        """Set when the child is asked to stop; after its shutdown timeout it is cancelled."""
        # Made when first looked at: most of ten thousand connections use the hook instead.
        if self._event is None:
            self._event = trio.Event()
            if self.asked:
                self._event.set()
        return self._event

    def on_stop(self, hook: Callable[[], None]) -> None:
        """Call ``hook()`` when asked to stop, instead of waiting for ``stopping``.

        It must not block. If it raises, that is recorded as the child's failure and the child is
        cancelled at once. One hook at most, the latest; called at once if asked already.
        """
        self._on_stop = hook
        if self.asked:
            self._call_hook()

    def observe(self, stats: Stats) -> None:
        """Show ``stats()``, a mapping of live figures, in the snapshots of the tree.

        Called only when somebody looks; must not block. What it raises is shown in its place.
        """
        self.node.stats = stats

    def ask(self) -> None:
        """Ask the child to stop (for its supervisor; more than once does nothing)."""
        if self.asked:
            return
        self.asked = True
        if self._event is not None:
            self._event.set()
        self._call_hook()

    def _call_hook(self) -> None:
        if self._on_stop is None:
            return
        try:
            self._on_stop()
        except Exception as error:  # noqa: BLE001 - a broken child must not break its supervisor
            self.node.fail(error)
            self.scope.cancel()


def split(error: BaseException) -> tuple[Exception | None, BaseException | None]:
    """Split what a body raised into (its failure, what must travel on).

    ``Cancelled``, ``KeyboardInterrupt`` and ``SystemExit``, bare or in a group, are not failures
    and are never kept back; a group of nothing but ``Cancelled`` is a cancellation. From a mixed
    group the ordinary exceptions are the failure and the rest travels on.
    """
    if isinstance(error, Exception):
        return error, None
    if isinstance(error, BaseExceptionGroup):
        failure, rest = error.split(Exception)
        if failure is None:
            return None, error  # not the copy that split() makes of it
        # split() types both halves alike, but one of Exceptions only is an ExceptionGroup
        assert isinstance(failure, Exception)  # noqa: S101
        return failure, rest
    return None, error
