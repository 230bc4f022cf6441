"""The frames of a WebSocket, and that nothing is kept of what is over."""

import struct
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionState, ConnectionType
from wsproto.events import CloseConnection, Event, Message, Ping, Pong, TextMessage

from incident_manager.http.websocket_frames import Frames

LIMIT = 70_000
KEY = b"\x11\x22\x33\x44"


def masked(head: int, body: bytes, *, size: bytes | None = None) -> bytes:
    if size is None:
        if len(body) < 126:
            size = bytes((len(body) | 0x80,))
        elif len(body) < 65536:
            size = b"\xfe" + struct.pack("!H", len(body))
        else:
            size = b"\xff" + struct.pack("!Q", len(body))
    return bytes((head,)) + size + KEY + bytes(each ^ KEY[at % 4] for at, each in enumerate(body))


def kept(frames: Frames) -> bool:
    return frames._connection is not None


@given(st.text(max_size=200), st.integers(0, 3))
def test_a_whole_text_is_what_wsproto_makes_of_it(text: str, times: int) -> None:
    data = Connection(ConnectionType.CLIENT).send(TextMessage(text * 10**times))
    frames, real = Frames(), Connection(ConnectionType.SERVER)
    found = frames.whole(data, 0, LIMIT)
    real.receive_data(data)
    events = list(real.events())
    size = len((text * 10**times).encode())
    if size < 65536:
        [message] = [event for event in events if isinstance(event, Message)]
        assert found == (message.data, len(data))
    else:
        assert found is None
    assert not kept(frames)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x81",
        b"\x81\x80\x11\x22\x33",
        masked(0x81, b"abc")[:-1],
        masked(0x01, b"begins"),
        masked(0x80, b"ends"),
        masked(0x82, b"binary"),
        masked(0xC1, b"compressed"),
        masked(0x89, b"ping"),
        masked(0x88, b"\x03\xe8"),
        masked(0x81, b"\xff\xfe"),
        masked(0x81, b"ab", size=b"\xfe\x00\x02"),
        masked(0x81, b"a" * 65536),
        b"\x81\x02ab1234",
    ],
)
def test_anything_else_is_for_wsproto(data: bytes) -> None:
    assert Frames().whole(data, 0, LIMIT) is None
    assert Frames().whole(masked(0x81, b"first") + data, 11, LIMIT) is None


def test_messages_that_came_together_are_taken_one_by_one() -> None:
    frames, data = Frames(), masked(0x81, b"one") + masked(0x81, b"") + masked(0x81, b"two" * 50)
    assert frames.whole(data, 0, LIMIT) == ("one", 9)
    assert frames.whole(data, 9, LIMIT) == ("", 15)
    assert frames.whole(data, 15, LIMIT) == ("two" * 50, len(data))
    assert frames.whole(data, len(data), LIMIT) is None


def test_a_message_beyond_the_limit_is_for_wsproto_that_says_so() -> None:
    assert Frames().whole(masked(0x81, b"x" * 300), 0, 300) == ("x" * 300, 308)
    assert Frames().whole(masked(0x81, b"x" * 301), 0, 300) is None


def test_while_something_is_half_way_all_is_for_wsproto() -> None:
    frames = Frames()
    frames.receive_data(masked(0x01, b"be"))
    assert [event.message_finished for event in texts(frames)] == [False]
    assert kept(frames)
    assert frames.whole(masked(0x81, b"no"), 0, LIMIT) is None
    frames.receive_data(masked(0x80, b"gun"))
    assert [event.data for event in texts(frames)] == ["gun"]
    assert not kept(frames)


def texts(frames: Frames) -> Sequence[TextMessage]:
    return [event for event in frames.events() if isinstance(event, TextMessage)]


@pytest.mark.parametrize("at", range(1, 12))
def test_a_frame_may_come_in_two_parts(at: int) -> None:
    frames, data = Frames(), masked(0x81, b"whole")
    got: list[Event] = []
    for part in (data[:at], data[at:]):
        frames.receive_data(part)
        got += frames.events()
    assert "".join(str(event.data) for event in got if isinstance(event, TextMessage)) == "whole"
    assert not kept(frames)


def test_control_frames_leave_nothing() -> None:
    frames = Frames()
    frames.receive_data(masked(0x89, b"there?"))
    [ping] = frames.events()
    assert ping == Ping(payload=b"there?")
    assert frames.send(Pong(payload=b"here")) == b"\x8a\x04here"
    assert frames.send(TextMessage("text")) == b"\x81\x04text"
    assert (frames.state, kept(frames)) == (ConnectionState.OPEN, False)


def test_a_message_that_is_sent_in_parts_goes_on() -> None:
    frames = Frames()
    assert frames.send(TextMessage("a", message_finished=False)) == b"\x01\x01a"
    assert frames.send(TextMessage("b")) == b"\x80\x01b"
    assert not kept(frames)


def test_a_close_is_remembered() -> None:
    frames = Frames()
    frames.send(CloseConnection(code=1001))
    assert frames.state is ConnectionState.LOCAL_CLOSING
    assert frames.whole(masked(0x81, b"late"), 0, LIMIT) is None
    frames.receive_data(masked(0x88, b"\x03\xe9"))
    assert [type(event) for event in frames.events()] == [CloseConnection]
    assert frames.state is ConnectionState.CLOSED


def test_events_that_nobody_has_asked_for_are_kept() -> None:
    frames = Frames()
    frames.receive_data(masked(0x81, b"one") + masked(0x81, b"two"))
    first = next(iter(frames.events()))
    assert isinstance(first, TextMessage)
    assert first.data == "one"
    assert [event.data for event in texts(frames)] == ["two"]
    assert not kept(frames)


@given(st.binary(max_size=125), st.binary(max_size=9))
def test_a_pong_ends_where_it_ends(payload: bytes, before: bytes) -> None:
    frames = Frames()
    frame = masked(0x8A, payload)
    assert frames.pong(before + frame, len(before)) == len(before) + len(frame)
    assert frames.pong(before + frame[:-1], len(before)) is None  # half-way
    assert frames.pong(before + masked(0x89, payload), len(before)) is None  # a ping


def test_a_pong_that_is_wrong_or_comes_amid_something_is_for_wsproto() -> None:
    frames = Frames()
    assert frames.pong(b"\x8a\x00\0\0\0\0", 0) is None  # not masked
    assert frames.pong(b"\x8a\xfe\x00\x7e\0\0\0\0" + b"x" * 126, 0) is None  # too long
    assert frames.pong(b"\x0a\x80\0\0\0\0", 0) is None  # in parts, which no control frame may be
    frames.receive_data(b"\x01\x80\0\0\0\0")  # a text begins
    list(frames.events())
    assert frames.pong(masked(0x8A, b""), 0) is None
