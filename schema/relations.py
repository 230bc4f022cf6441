"""Relations: which part of one a client asks for, and the connection it gets."""

from collections.abc import Mapping

from attrs import frozen

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.reads import Bounds, CommentPage, TimelinePage
from incident_manager.actors.model import Comment, Micros
from incident_manager.actors.vocabulary import TimelineEventType
from incident_manager.schema.pages import sized

__all__ = [
    "CommentConnection",
    "Part",
    "TimelineConnection",
    "TimelineEvent",
    "comment_connection",
    "timeline_connection",
]


@frozen
class Part:
    """The first so many of a relation, behind a place."""

    first: int
    after: str | None = None

    @classmethod
    def read(cls, first: int | None, after: str | None = None, *, otherwise: int = 20) -> "Part":
        """The meaning of ``first`` and ``after``; null for ``first`` means ``otherwise``.

        Raises Refused with BAD_USER_INPUT beyond 1 to 100.
        """
        return cls(otherwise if first is None else sized("first", first), after)


@frozen
class TimelineEvent:
    """One line of an incident's history; ``cursor`` is that of the event it comes from."""

    cursor: Cursor
    timestamp: Micros
    event_type: TimelineEventType
    actor: str
    description: str
    metadata: Mapping[str, str]


@frozen
class CommentConnection:
    """Comments of one incident; ``total_count`` is of all that it has."""

    comments: tuple[Comment, ...]
    total_count: int
    end_cursor: str | None
    has_next_page: bool


@frozen
class TimelineConnection:
    """Lines of one incident's history; ``total_count`` is of all that it has."""

    events: tuple[TimelineEvent, ...]
    total_count: int
    end_cursor: str | None
    has_next_page: bool


def comment_connection(page: CommentPage) -> CommentConnection:
    """What a client gets of the comments that the journal gave."""
    return CommentConnection(page.comments, page.total, _last(page.cursors), page.has_next)


def timeline_connection(page: TimelinePage, bounds: Bounds) -> TimelineConnection:
    """What a client gets of the history that the journal of those bounds gave."""
    events = tuple(
        TimelineEvent(
            bounds.event(each.offset),
            each.timestamp,
            each.event_type,
            each.actor,
            each.description,
            each.metadata,
        )
        for each in page.entries
    )
    return TimelineConnection(events, page.total, _last(page.cursors), page.has_next)


def _last(cursors: tuple[str, ...]) -> str | None:
    return cursors[-1] if cursors else None
