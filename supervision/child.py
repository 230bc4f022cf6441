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
        resting: True while it has no task.
    """

    __slots__ = ("_event", "_on_stop", "_scope", "asked", "node", "resting")

    def __init__(
        self,
        node: Node,
        *,
        shield: bool = False,
        on_stop: Callable[[], None] | None = None,
    ) -> None:
        self.node = node
        self._scope = trio.CancelScope(shield=True) if shield else None
        self.asked = False
        self.resting = False
        self._event: trio.Event | None = None
        self._on_stop = on_stop

    @property
    def scope(self) -> trio.CancelScope:
        """The cancel scope it runs in; one that rests has none, and gets a new one."""
        if self._scope is None:
            self._scope = trio.CancelScope()
        return self._scope

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

    def rest(self, leave: Callable[[], None]) -> None:
        """Stay without a task when the body returns, until the supervisor wakes or stops it.

        ``leave()`` is called in the second case; it is the hook of :meth:`on_stop`, and takes the
        place of one. A body that is cancelled, or raises, does not rest. To ask for it must be the
        last thing that the body does: a child that rests may be woken, or be gone, any moment.
        """
        self.resting = True
        self._on_stop = leave

    def rise(self) -> None:
        """Rest no more, and leave (for its supervisor): no harm if it did not rest."""
        if self.resting:
            leave, self._on_stop = self._on_stop, None
            self.resting = False
            if leave is not None:
                leave()

    def awake(self) -> None:
        """Have a task again (for its supervisor)."""
        self.resting = False
        self._on_stop = None
        self._scope = None  # it can be entered only once

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
