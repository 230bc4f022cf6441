"""Loaders: the relations of one execution, each read for all its objects at once.

A page of incidents with three relations takes three reads more, however long it is.
"""

from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from typing import Any, TypeVar

from incident_manager.actors.model import Alert, Incident
from incident_manager.schema.batches import Batches
from incident_manager.schema.pages import refused
from incident_manager.schema.relations import (
    CommentConnection,
    Part,
    TimelineConnection,
    comment_connection,
    timeline_connection,
)
from incident_manager.schema.services import Sources
from incident_manager.schema.tally import REQUEST, Most, Tally

__all__ = ["Loaders"]

T = TypeVar("T")

_Keys = Sequence[str]


class Loaders:
    """What one execution reads by id. Each call answers for one id.

    All raise Refused where there would be too much altogether, and what the journal raises.
    """

    __slots__ = ("_batches", "_sources", "tally")

    def __init__(self, sources: Sources, most: Most = REQUEST) -> None:
        self.tally = Tally(most)
        self._sources = sources
        self._batches: dict[Hashable, Batches[Any]] = {}

    async def incident(self, incident_id: str) -> Incident | None:
        """The incident as it is now."""

        async def read(ids: _Keys) -> Mapping[str, Incident]:
            return await self._sources.journal.incidents_by_id(ids)

        return await self._of("incident", read, lambda _: 1).load(incident_id)

    async def related(self, incident_id: str, part: Part) -> tuple[Incident, ...]:
        """The incidents linked to one, the last linked first."""

        async def read(ids: _Keys) -> Mapping[str, tuple[Incident, ...]]:
            return await self._sources.journal.related(ids, part.first)

        return await self._of(("related", part), read, len).load(incident_id) or ()

    async def alerts(self, incident_id: str, part: Part) -> tuple[Alert, ...]:
        """The alerts of one, the newest first."""

        async def read(ids: _Keys) -> Mapping[str, tuple[Alert, ...]]:
            return await self._sources.journal.alerts_of(ids, part.first)

        return await self._of(("alerts", part), read, len).load(incident_id) or ()

    async def comments(self, incident_id: str, part: Part) -> CommentConnection | None:
        """The comments on one, the oldest first. Raises Refused for a bad ``after``."""

        async def read(ids: _Keys) -> Mapping[str, CommentConnection]:
            with refused():
                pages = await self._sources.journal.comments_of(ids, part.first, part.after)
            return {each: comment_connection(page) for each, page in pages.items()}

        def size(found: CommentConnection) -> int:
            return len(found.comments)

        return await self._of(("comments", part), read, size).load(incident_id)

    async def timeline(self, incident_id: str, part: Part) -> TimelineConnection | None:
        """The history of one, the oldest first. Raises Refused for a bad ``after``."""

        async def read(ids: _Keys) -> Mapping[str, TimelineConnection]:
            journal = self._sources.journal
            with refused():
                pages = await journal.timeline_of(ids, part.first, part.after)
            bounds = await journal.bounds()
            return {each: timeline_connection(page, bounds) for each, page in pages.items()}

        def size(found: TimelineConnection) -> int:
            return len(found.events)

        return await self._of(("timeline", part), read, size).load(incident_id)

    def _of(
        self,
        name: Hashable,
        read: Callable[[_Keys], Awaitable[Mapping[str, T]]],
        size: Callable[[T], int],
    ) -> Batches[T]:
        found = self._batches.get(name)
        if found is None:
            found = self._batches[name] = Batches(self.tally, read, size)
        return found
