"""Relations: the part that is meant, and what a connection says."""

import pytest

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.journal.reads import Bounds, CommentPage, TimelinePage
from incident_manager.actors.timeline import timeline_entries
from incident_manager.schema.relations import (
    CommentConnection,
    Part,
    TimelineConnection,
    TimelineEvent,
    comment_connection,
    timeline_connection,
)
from unit.actors.builders import make_comment, make_record


@pytest.mark.parametrize(
    ("first", "after", "otherwise", "part"),
    [
        (None, None, 20, Part(20)),
        (None, None, 50, Part(50)),
        (1, None, 20, Part(1)),
        (100, "c", 20, Part(100, "c")),
    ],
)
def test_what_is_meant(first: int | None, after: str | None, otherwise: int, part: Part) -> None:
    assert Part.read(first, after, otherwise=otherwise) == part


@pytest.mark.parametrize("first", [-1, 0, 101])
def test_what_is_refused(first: int) -> None:
    with pytest.raises(Refused) as caught:
        Part.read(first)
    assert (caught.value.code, caught.value.field) == (ErrorCode.BAD_USER_INPUT, "first")


def test_comments() -> None:
    comments = (make_comment(1), make_comment(2))
    found = comment_connection(CommentPage(comments, ("a", "b"), 7, True))
    assert found == CommentConnection(comments, 7, "b", True)
    assert comment_connection(CommentPage()) == CommentConnection((), 0, None, False)


def test_a_history() -> None:
    [entry] = timeline_entries(make_record(3))
    found = timeline_connection(TimelinePage((entry,), ("a",), 1, False), Bounds("e1", 1, 3))
    assert found == TimelineConnection(
        (
            TimelineEvent(
                Cursor("e1", 3),
                entry.timestamp,
                entry.event_type,
                entry.actor,
                entry.description,
                entry.metadata,
            ),
        ),
        1,
        "a",
        False,
    )
