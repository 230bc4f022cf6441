"""A journal in which anything may happen before and after each call, and gates to stop it at."""

from collections import defaultdict, deque
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from inspect import iscoroutinefunction
from typing import Any, TypeVar

import trio

from incident_manager.actors.journal.base import (
    Append,
    Journal,
    JournalUnavailable,
    OpenJournal,
    StaleHead,
    nothing,
)

_T = TypeVar("_T")

Act = Callable[[], Awaitable[None]]


class Crash(Exception):
    """A bug, for all that anybody knows."""


class Gate:
    """Stops who comes by until it is opened."""

    def __init__(self) -> None:
        self.reached = trio.Event()
        self.opened = trio.Event()

    async def __call__(self) -> None:
        self.reached.set()
        await self.opened.wait()


def raising(error: Exception) -> Act:
    async def act() -> None:
        raise error

    return act


def refusing() -> Act:
    return raising(JournalUnavailable("The disk is full.", written=False))


def losing() -> Act:
    return raising(JournalUnavailable("The answer is lost.", written=None))


def crashing() -> Act:
    return raising(Crash("injected"))


def stale() -> Act:
    return raising(StaleHead("injected"))


class Faults:
    """What is to happen at the next calls, by ``(when, what)``; and what was called."""

    def __init__(self) -> None:
        self._acts: defaultdict[tuple[str, str], deque[Act]] = defaultdict(deque)
        self.calls: list[str] = []
        self.appends: list[Append] = []
        self.opens = 0
        self.doom = trio.Event()
        self._opened = trio.Event()

    def opened_now(self) -> None:
        self.opens += 1
        self.doom = trio.Event()
        self._opened.set()

    async def crash_journal(self) -> None:
        """Have the journal's actor crash, and wait until it is open again."""
        self._opened = trio.Event()
        self.doom.set()
        await self._opened.wait()

    def add(self, when: str, what: str, act: Act) -> None:
        self._acts[when, what].append(act)

    def gate(self, when: str, what: str) -> Gate:
        gate = Gate()
        self.add(when, what, gate)
        return gate

    def clear(self) -> None:
        self._acts.clear()

    async def meet(self, when: str, what: str) -> None:
        acts = self._acts[when, what]
        if acts:
            await acts.popleft()()


class FaultyJournal:
    def __init__(self, inner: Journal, faults: Faults) -> None:
        self.inner = inner
        self.faults = faults

    def __getattr__(self, name: str) -> Any:
        found = getattr(self.inner, name)
        if not iscoroutinefunction(found):
            return found
        return lambda *args, **more: self._call(name, lambda: found(*args, **more))

    async def _call(self, what: str, call: Callable[[], Awaitable[_T]]) -> _T:
        self.faults.calls.append(what)
        await self.faults.meet("before", what)
        result = await call()
        await self.faults.meet("after", what)
        return result

    async def append(self, batch: Append, meanwhile: Callable[[], None] = nothing) -> None:
        async def append() -> None:
            await self.inner.append(batch, meanwhile)
            self.faults.appends.append(batch)

        await self._call("append", append)


@asynccontextmanager
async def open_faulty(opened: OpenJournal, faults: Faults) -> AsyncIterator[FaultyJournal]:
    """Open a journal that ends by itself, with :class:`Crash`, when ``faults.doom`` is set."""
    await faults.meet("before", "open")
    async with opened as inner, trio.open_nursery() as nursery:
        faults.opened_now()
        nursery.start_soon(_die, faults.doom)
        yield FaultyJournal(inner, faults)
        nursery.cancel_scope.cancel()


async def _die(doom: trio.Event) -> None:
    await doom.wait()
    raise Crash("the journal")
