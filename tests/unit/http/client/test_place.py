import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.client.message import Gap, Message
from incident_manager.http.client.place import Place, Request

REQUEST = Request("subscription { newIncidents { title } }", None, None)
EVENT = {"newIncidents": {"title": "t"}}
BEAT = {"incidentUpdates": {"updateType": "HEARTBEAT"}}


def place(cursor: str | None = "e:7") -> Place:
    found = Place(REQUEST, cursor)
    found.opened("1")
    return found


def test_without_a_cursor_its_place_is_asked_for() -> None:
    assert place(None).pinning
    assert not place().pinning


@pytest.mark.parametrize(
    ("cursor", "news"),
    [
        ("e:6", False),
        ("e:7", False),
        ("e:8", True),
        ("e:10", True),
        ("other:1", True),
        ("opaque", True),
        (None, True),
    ],
)
def test_what_is_news(cursor: str | None, news: bool) -> None:
    assert (place().news(Message(EVENT, cursor=cursor)) is not None) is news


@pytest.mark.parametrize("data", [None, {}, {"a": None}, {"a": 1}, {"a": {"title": "x"}}])
def test_what_is_no_heartbeat_is_a_repeat(data: dict[str, object] | None) -> None:
    assert place().news(Message(data, cursor="e:7")) is None


def test_a_heartbeat_repeats_no_event() -> None:
    assert place().news(Message(BEAT, cursor="e:7")) is not None
    assert place().news(Message(BEAT, cursor="e:6")) is None


@given(st.lists(st.integers(1, 50)))
def test_what_was_taken_never_comes_again(offsets: list[int]) -> None:
    found = place("e:0")
    taken: list[int] = []
    for offset in offsets:
        found.opened("again")
        news = found.news(Message(EVENT, cursor=f"e:{offset}"))
        if news is not None:
            found.took(news)
            taken.append(offset)
    assert taken == sorted(set(taken))
    assert found.cursor == f"e:{max([0, *offsets])}"


def test_a_gap_is_told_once() -> None:
    found, gap = place(), Gap("e:7", "f:3")
    told = found.news(Message(None, cursor="f:3", recovered=False, gap=gap))
    assert told is not None
    found.took(told)
    first = found.news(Message(EVENT, cursor="f:4", recovered=False, gap=gap))
    assert first == Message(EVENT, cursor="f:4")
    found.took(first)
    another = Message(EVENT, cursor="f:9", recovered=False, gap=Gap("f:4", "f:8"))
    assert found.news(another) == another
