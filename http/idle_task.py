"""What ends a connection that nobody uses: one task, which need not begin anew for each request."""

from collections.abc import Awaitable, Callable
from typing import Any, Protocol

import trio

__all__ = ["IdleTask"]


class _Group(Protocol):
    def spawn(self, func: Callable[..., Any], /, *args: Any) -> object:
        """Run a task."""


class _Signal(Protocol):
    async def wait(self) -> object:
        """Wait for it."""


class IdleTask:
    """Hypercorn's task that waits while a connection is idle, and can also be :meth:`pause`\\ d: a
    request that is soon over costs no task.
    """

    __slots__ = ("_busy", "_ended", "_scope", "_since")

    def __init__(self) -> None:
        self._scope: trio.CancelScope | None = None
        self._busy = False
        self._ended = False
        self._since = 0.0

    async def restart(self, group: _Group, action: Callable[[], Awaitable[None]]) -> None:
        """Run ``action`` in a task of the group; one that runs already is cancelled.

        After :meth:`end` nothing happens.
        """
        await self.stop()
        if self._ended:
            return
        self._busy = False
        self._scope = trio.CancelScope()
        group.spawn(self._run, self._scope, action)

    async def stop(self) -> None:
        """Cancel the task, if there is one."""
        if self._scope is not None:
            self._scope.cancel()
            self._scope = None

    async def end(self) -> None:
        """The connection is closed: there is nothing to wait for any more."""
        self._ended = True
        await self.stop()

    def pause(self) -> None:
        """The connection is used."""
        self._busy = True

    def resume(self) -> bool:
        """It is idle from now on; whether there is a task that knows it."""
        self._busy = False
        self._since = trio.current_time()
        return self._scope is not None

    async def expired(self, timeout: float, terminated: _Signal) -> bool:
        """Wait, as the action, until the connection was idle for so many seconds, or ``terminated``
        is set. Whether it is to end: one that is used then is not.
        """
        self._since = trio.current_time()
        while True:
            with trio.move_on_at(self._since + timeout):
                await terminated.wait()
                return not self._busy
            now = trio.current_time()
            if self._busy:
                self._since = now
            elif now >= self._since + timeout:
                return True

    async def _run(self, scope: trio.CancelScope, action: Callable[[], Awaitable[None]]) -> None:
        with scope:
            await action()
        if self._scope is scope:
            self._scope = None
