"""Trio in a thread of its own, for tests whose steps come from outside."""

import threading
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import trio
from trio.testing import MockClock

T = TypeVar("T")


class Portal:
    """``call`` runs an async function there; ``nursery`` lives until ``close``.

    Time stands still there but where ``clock`` is told to jump.
    """

    nursery: trio.Nursery

    def __init__(self) -> None:
        self.clock = MockClock()
        self._failure: BaseException | None = None
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()
        self._ready.wait()

    def _run(self) -> None:
        try:
            trio.run(self._main, clock=self.clock)
        except BaseException as error:
            self._failure = error
        finally:
            self._ready.set()

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        async with trio.open_nursery() as self.nursery:
            self._ready.set()
            await trio.sleep_forever()

    def call(self, function: Callable[..., Awaitable[T]], *args: Any) -> T:
        return trio.from_thread.run(function, *args, trio_token=self._token)

    def close(self) -> None:
        """Cancel what runs there; raises what failed there."""
        if self._thread.is_alive():
            trio.from_thread.run_sync(
                lambda: self.nursery.cancel_scope.cancel(), trio_token=self._token
            )
        self._thread.join()
        if self._failure is not None:
            raise self._failure
