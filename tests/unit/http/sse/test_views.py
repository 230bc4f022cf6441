"""What is asked of the stream: which types, and from where on."""

import pytest

from incident_manager.actors.cursor import Cursor
from incident_manager.http.sse.views import resumed_from, takes_events
from incident_manager.schema.errors import OperationRefused

EPOCH = "0" * 32
ONE, TWO = f"{EPOCH}:1", f"{EPOCH}:2"


@pytest.mark.parametrize(
    ("accept", "takes"),
    [
        ("", True),
        (" ", True),
        ("*/*", True),
        ("text/*", True),
        ("text/event-stream", True),
        ("Text/Event-Stream", True),
        ("text/event-stream; charset=utf-8", True),
        ('text/event-stream;charset="UTF-8", application/json', True),
        ("application/json, text/event-stream;q=0.1", True),
        ("application/json", False),
        ("text/html", False),
        ("text/event-stream;q=0", False),
        ("application/graphql-response+json, application/json;q=0.9", False),
    ],
)
def test_who_takes_a_stream(accept: str, takes: bool) -> None:
    assert takes_events(accept) is takes


@pytest.mark.parametrize(
    ("header", "extensions", "place"),
    [
        (None, None, None),
        ("", {}, None),
        (None, {"cursor": None}, None),
        (None, {"cursor": ONE}, 1),
        ("", {"cursor": ONE}, 1),
        (TWO, {"cursor": ONE}, 2),
        (TWO, {"cursor": "none"}, 2),
        (TWO, None, 2),
    ],
)
def test_where_it_resumes(
    header: str | None, extensions: dict[str, object] | None, place: int | None
) -> None:
    expected = None if place is None else Cursor(EPOCH, place)
    assert resumed_from(header, extensions) == expected


@pytest.mark.parametrize(
    ("header", "extensions", "field"),
    [("x", {"cursor": ONE}, "Last-Event-ID"), (None, {"cursor": 7}, "extensions.cursor")],
)
def test_what_is_no_cursor_is_named(
    header: str | None, extensions: dict[str, object], field: str
) -> None:
    with pytest.raises(OperationRefused) as refused:
        resumed_from(header, extensions)
    [error] = refused.value.errors
    assert error["extensions"] == {"code": "BAD_USER_INPUT", "field": field}
    assert error["message"].startswith(f"{field}: ")
