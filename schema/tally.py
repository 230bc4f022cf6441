"""Tallies: what one execution may take out of the journal by its relations.

Each list is short, but lists inside lists multiply, and no rule on documents sees by how much.
"""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import trio
from attrs import frozen

from incident_manager.actors.errors import ErrorCode, Refused

__all__ = ["DELIVERY", "REQUEST", "Most", "Tally"]


@frozen
class Most:
    """How often an execution may ask for a relation, and how many objects it may be given."""

    asks: int
    objects: int


REQUEST: Final = Most(asks=5_000, objects=50_000)
"""For a query or a mutation."""
DELIVERY: Final = Most(asks=1_000, objects=20_000)
"""For one event of a subscription, which comes again and again."""

_QUIET: Final = 3
"""Ticks between being given an object and asking for its relations: a task for each item of a
list, one for each field of the item, and the tick in which they ask in any order.
"""


class Tally:
    """Counts for all the relations of one execution, and ends it where they are too many.

    It also makes those who have been given something go on in turns, one in a tick, so that a
    large answer does not keep the others in this process waiting.
    """

    __slots__ = ("_asks", "_most", "_objects", "_scope", "_turn", "exceeded")

    def __init__(self, most: Most = REQUEST) -> None:
        self._most = most
        self._asks = 0
        self._objects = 0
        self._scope = trio.CancelScope()
        self._turn = trio.Lock()
        self.exceeded: Refused | None = None
        """Why the execution has been ended."""

    @contextmanager
    def bounded(self) -> Generator[None, None, None]:
        """The execution: it is left early where ``exceeded`` says so."""
        with self._scope:
            yield

    def ask(self) -> None:
        """Somebody asks for a relation of one object. Raises Refused beyond what there may be."""
        self._asks += 1
        if self._asks > self._most.asks:
            self._exceed(f"reads relations of more than {self._most.asks} objects")

    def give(self, objects: int) -> None:
        """Somebody is given so many objects. Raises Refused beyond what there may be."""
        self.check(objects)
        self._objects += objects

    def check(self, objects: int) -> None:
        """Raise Refused if so many more would be too many."""
        if self._objects + objects > self._most.objects:
            self._exceed(f"has more than {self._most.objects} objects in relations")

    def _exceed(self, what: str) -> None:
        message = f"The operation {what}: ask for fewer with first."
        self.exceeded = Refused(ErrorCode.COMPLEXITY_LIMITED, message, "first")
        self._scope.cancel()
        raise self.exceeded

    async def quiet(self) -> None:
        """Wait until for some ticks nobody has asked, and nobody's turn is still to come."""
        seen, ticks = self._asks, 0
        while ticks < _QUIET:
            if self._turn.locked():
                await self.turn()
            else:
                await trio.lowlevel.checkpoint()
            ticks = ticks + 1 if seen == self._asks else 0
            seen = self._asks

    async def turn(self) -> None:
        """Wait until it is one's turn to go on: a tick later, or behind those who wait already."""
        async with self._turn:
            pass
