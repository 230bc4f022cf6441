"""graphql-core's executor, gathering in a Trio nursery.

graphql-core starts asyncio tasks where two or more fields (or items of a list) of one selection
can be awaited. Under Trio that fails, in places silently as ``null``. What it calls for that
are a module global, ``gather_with_cancel``, and two methods: all are replaced here, and
:func:`check_graphql_core` says whether they are still what they were.
"""

import inspect
from collections.abc import Awaitable, Iterable, Sequence
from pathlib import Path
from types import CoroutineType, FunctionType
from typing import Any, Final

import graphql
import trio
from graphql import Executor

__all__ = ["TrioExecutor", "check_graphql_core", "dispose", "gather"]

_GATHER: Final = "gather_with_cancel"
_GATHERING: Final = ("execute_fields", "complete_iterable_value", "complete_async_iterator_value")
_LIBRARY: Final = str(Path(graphql.__file__).parent)


def dispose(values: Iterable[Any]) -> None:
    """Close coroutines that were never started, and those that they hold, so that none warns.

    graphql-core wraps a resolver's coroutine in its own: closing the outer one alone would
    leave the inner one never awaited.
    """
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, CoroutineType):
            ours = value.cr_code.co_filename.startswith((_LIBRARY, __file__))
            if ours and inspect.getcoroutinestate(value) == inspect.CORO_CREATED:
                waiting += inspect.getcoroutinelocals(value).values()
            value.close()
        elif type(value) is dict:
            waiting += value.values()
        elif type(value) is list or type(value) is tuple:
            waiting += value


async def gather(*awaitables: Awaitable[Any]) -> list[Any]:
    """Await all, each in a task of its own; the results are in the order of the arguments.

    The first exception cancels the others and is raised, alone; a cancellation from outside
    reaches all of them.
    """
    results: list[Any] = [None] * len(awaitables)
    failure: list[Exception] = []

    async def run(place: int, awaitable: Awaitable[Any]) -> None:
        if nursery.cancel_scope.cancel_called:
            dispose([awaitable])
            return
        try:
            results[place] = await awaitable
        except Exception as error:  # noqa: BLE001 -- raised again below, without its group
            failure.append(error)
            nursery.cancel_scope.cancel()

    async with trio.open_nursery() as nursery:
        for place, awaitable in enumerate(awaitables):
            nursery.start_soon(run, place, awaitable)
    if failure:
        raise failure[0]
    return results


def check_graphql_core() -> None:
    """Raise ImportError if graphql-core no longer gathers where this module expects it."""
    for name in _GATHERING:
        function = getattr(Executor, name, None)
        if not isinstance(function, FunctionType) or not _mentions(function, _GATHER):
            raise ImportError(f"graphql-core {graphql.__version__} does not fit: Executor.{name}")


def _mentions(function: FunctionType, name: str) -> bool:
    """Whether a function, or one inside it, refers to a global."""
    codes = [function.__code__]
    while codes:
        code = codes.pop()
        if name in code.co_names:
            return True
        codes += [const for const in code.co_consts if inspect.iscode(const)]
    return False


def _on_trio(name: str) -> Any:
    """The method of that name, with Trio's gather in the place of asyncio's."""
    method: FunctionType = getattr(Executor, name)
    return FunctionType(
        method.__code__,
        {**method.__globals__, _GATHER: gather},
        name,
        method.__defaults__,
        method.__closure__,
    )


check_graphql_core()


class TrioExecutor(Executor[Any]):
    """Executes queries and mutations under Trio; what is not awaited runs as it ever did."""

    execute_fields = _on_trio("execute_fields")
    complete_iterable_value = _on_trio("complete_iterable_value")
    complete_async_iterator_value = _on_trio("complete_async_iterator_value")

    def gather_async_work(self, values: Sequence[Awaitable[Any]]) -> Awaitable[list[Any]]:
        """Await several values that one resolver has."""
        return gather(*values)

    def settle_in_background(self, awaitables: list[Awaitable[Any]]) -> None:
        """Nobody will await these: close them, as no task may run without an owner."""
        dispose(awaitables)
