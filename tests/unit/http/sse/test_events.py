"""The bytes of events: a client that parses them has what was meant, however they are cut."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.sse.events import (
    ALIVE,
    COMPLETE,
    cursor_of,
    next_event,
    note,
    retry_after,
    seen_up_to,
)
from system.event_source import Event, EventParser

CURSORS = st.from_regex(r"\A[0-9a-f]{32}:[0-9]{1,18}\Z").map(str.encode)
TEXT = st.text(max_size=20)
VALUES = st.recursive(TEXT | st.integers() | st.none(), st.lists, max_leaves=8)
RESULTS = st.dictionaries(TEXT, VALUES, max_size=6)


def test_what_they_look_like() -> None:
    assert next_event(b"{}", b"e:1") == b"event: next\nid: e:1\ndata: {}\n\n"
    assert next_event(b"{}") == b"event: next\ndata: {}\n\n"
    assert COMPLETE == b"event: complete\ndata:\n\n"
    assert note({"recovered": False}) == b': {"recovered":false}\n'
    assert seen_up_to("e:1") == b"id: e:1\n\n"
    assert retry_after(1000) == b"retry: 1000\n"


@given(st.lists(st.tuples(RESULTS, st.none() | CURSORS), max_size=8), st.integers(1, 50))
def test_what_is_sent_is_what_is_parsed(
    sent: list[tuple[dict[str, object], bytes | None]], size: int
) -> None:
    stream, last, expected = b"", "", []
    for result, cursor in sent:
        payload = msgspec.json.encode(result)
        assert b"\n" not in payload
        assert b"\r" not in payload
        event = next_event(payload, cursor)
        assert event.count(b"\n") == (3 if cursor is None else 4)
        stream += ALIVE + event + note(result)
        last = last if cursor is None else cursor.decode()
        expected.append((result, last))
    parser = EventParser()
    parts = [stream[start : start + size] for start in range(0, len(stream), size)]
    found = [event for part in [*parts, COMPLETE] for event in parser.feed(part)]
    assert found.pop() == Event("complete", "", last)
    assert [(json.loads(event.data), event.id) for event in found] == expected
    assert {event.type for event in found} <= {"next"}


@given(CURSORS)
def test_a_browser_knows_how_far_it_has_come(cursor: bytes) -> None:
    parser = EventParser()
    assert parser.feed(seen_up_to(cursor.decode())) == []
    assert parser.last_id == cursor.decode()


@given(RESULTS, CURSORS)
def test_the_cursor_of_a_payload_is_its_last_member(data: dict[str, object], cursor: bytes) -> None:
    payload = {"data": data, "extensions": {"cursor": cursor.decode()}}
    assert cursor_of(msgspec.json.encode(payload)) == cursor


@pytest.mark.parametrize("payload", [b"", b'{"data":{}}', b'{"extensions":{"cursor":7}}'])
def test_a_payload_without_one_is_none(payload: bytes) -> None:
    with pytest.raises(ValueError):
        cursor_of(payload)
