"""Frames as RFC 6455 has them: read back by another implementation."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from incident_manager.actors.batch import Batch
from incident_manager.http.websocket_writer import KEY, WebSocketWriter, text_head, writer_of


class Lane:
    def __init__(self) -> None:
        self.written = b""
        self.told: list[Callable[[], None]] = []
        self.size = 7

    def watch(self, progressed: Callable[[], None]) -> None:
        self.told.append(progressed)

    def write(self, data: bytes) -> int:
        self.written += data
        return self.size


def opened(lane: Lane) -> WebSocketWriter:
    writer = WebSocketWriter(lane)
    writer.open = True
    return writer


def texts(data: bytes) -> list[str]:
    client = Connection(ConnectionType.CLIENT)
    client.receive_data(data)
    found, whole = "", []
    for event in client.events():
        assert isinstance(event, TextMessage)
        found += event.data
        if event.message_finished:
            whole.append(found)
            found = ""
    return whole


@pytest.mark.parametrize("size", [0, 1, 125, 126, 127, 65535, 65536, 70_000])
def test_a_frame_of_any_size(size: int) -> None:
    assert texts(text_head(size) + b"x" * size) == ["x" * size]


async def test_messages_are_frames_in_order() -> None:
    lane = Lane()
    writer = opened(lane)
    assert writer.write([writer.frame(b"one")]) == 7
    writer.write([writer.frame("zwölf".encode()), writer.frame(b"y" * 300)])
    assert texts(lane.written) == ["one", "zwölf", "y" * 300]
    assert writer.size == 7
    told: list[int] = []
    writer.watch(lambda: told.append(1))
    lane.told[0]()
    assert told == [1]
    await writer.settled()


def test_nothing_is_sent_where_it_is_not_open() -> None:
    lane = Lane()
    writer = WebSocketWriter(lane)
    assert writer.write([writer.frame(b"late")]) == 7
    assert lane.written == b""


@given(
    st.lists(st.text(max_size=200).map(str.encode), min_size=1, max_size=5),
    st.lists(st.sampled_from([b"1", b"22", b"33", b"a" * 200, b"b" * 300]), min_size=1, max_size=6),
)
def test_a_batch_is_the_same_frames_whoever_had_it_before(
    payloads: list[bytes], prefixes: list[bytes]
) -> None:
    batch = Batch(payloads)
    for prefix in prefixes:
        lane = Lane()
        writer = opened(lane)
        writer.write(writer.frames(prefix, batch))
        assert texts(lane.written) == [(prefix + each + b"}").decode() for each in payloads]
        one_by_one = [writer.next_frame(prefix, payload) for payload in payloads]
        assert b"".join(one_by_one) == lane.written


def test_of_one_who_chose_a_very_long_id_nothing_is_remembered() -> None:
    batch = Batch([b"one", b"two"])
    for size in (257, 300, 200_000):
        writer = opened(Lane())
        assert len(writer.frames(b"x" * size, batch)[0]) > 2 * size
    assert batch.memo == {}


def test_where_the_scope_has_it() -> None:
    writer = WebSocketWriter(Lane())
    assert writer_of({"state": {KEY: writer}}) is writer
    assert writer_of({"state": {KEY: "another"}}) is None
    assert writer_of({}) is None
