"""Batches: what many tasks ask for one by one is read at once.

The first who asks waits until nobody asks for more, and then reads for all. A task that is
cancelled while it reads leaves that to another one that waits. Nothing is kept: who asks when
a batch is closed begins the next.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Final, Generic, TypeVar

import trio

from incident_manager.schema.tally import Tally

__all__ = ["Batches"]

T = TypeVar("T")

_STEP: Final = 1_000


class _Batch(Generic[T]):
    """Keys that are read together, and what came of it once ``over``."""

    __slots__ = ("failure", "found", "keys", "led", "moved", "over")

    def __init__(self) -> None:
        self.keys: dict[str, None] = {}
        self.led = False
        self.moved = trio.Event()
        self.over = False
        self.found: Mapping[str, T] = {}
        self.failure: Exception | None = None


class Batches(Generic[T]):
    """Reads one kind of thing. ``size`` tells how many objects a thing has.

    ``read`` gives what it finds of the keys; it is never called twice at a time for one batch,
    and for a long one several times, with at most 1,000 keys each.
    """

    __slots__ = ("_open", "_read", "_size", "_tally")

    def __init__(
        self,
        tally: Tally,
        read: Callable[[Sequence[str]], Awaitable[Mapping[str, T]]],
        size: Callable[[T], int],
    ) -> None:
        self._tally = tally
        self._read = read
        self._size = size
        self._open: _Batch[T] | None = None

    async def load(self, key: str) -> T | None:
        """The thing of that key, or None if there is none.

        Raises what ``read`` raises, to all who wait for it, and Refused beyond the tally.
        """
        self._tally.ask()
        batch = self._open
        if batch is None:
            batch = self._open = _Batch()
        batch.keys[key] = None
        while not batch.over:
            if batch.led:
                await batch.moved.wait()
            else:
                await self._lead(batch)
        if batch.failure is not None:
            raise batch.failure
        await self._tally.turn()
        found = batch.found.get(key)
        if found is not None:
            self._tally.give(self._size(found))
        return found

    async def _lead(self, batch: _Batch[T]) -> None:
        batch.led = True
        try:
            await self._tally.quiet()
            if self._open is batch:
                self._open = None
            batch.found = await self._all(tuple(batch.keys))
            batch.over = True
        except Exception as failure:  # noqa: BLE001 -- raised by everybody who waits
            batch.failure = failure
            batch.over = True
        finally:  # or this task is cancelled, and another one leads
            batch.led = False
            batch.moved.set()
            batch.moved = trio.Event()

    async def _all(self, keys: Sequence[str]) -> Mapping[str, T]:
        found: dict[str, T] = {}
        objects = 0
        for start in range(0, len(keys), _STEP):
            part = await self._read(keys[start : start + _STEP])
            objects += sum(map(self._size, part.values()))
            self._tally.check(objects)
            found.update(part)
        return found
