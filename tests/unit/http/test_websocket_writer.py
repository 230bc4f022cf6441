"""Frames as RFC 6455 has them: read back by another implementation."""

from collections.abc import Callable

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage

from incident_manager.http.websocket_writer import KEY, WebSocketWriter, text_head, writer_of


class Lane:
    def __init__(self) -> None:
        self.written = b""
        self.told: list[Callable[[], None]] = []
        self.size = 7

    def watch(self, progressed: Callable[[], None]) -> None:
        self.told.append(progressed)

    def write(self, data: bytes) -> None:
        self.written += data


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
    writer = WebSocketWriter(lane, lambda: True)
    writer.write([b"one"])
    writer.write(["zwölf".encode(), b"y" * 300])
    assert texts(lane.written) == ["one", "zwölf", "y" * 300]
    assert writer.size == 7
    told: list[int] = []
    writer.watch(lambda: told.append(1))
    lane.told[0]()
    assert told == [1]
    await writer.settled()


def test_nothing_follows_a_close() -> None:
    lane = Lane()
    WebSocketWriter(lane, lambda: False).write([b"late"])
    assert lane.written == b""


def test_where_the_scope_has_it() -> None:
    writer = WebSocketWriter(Lane(), lambda: True)
    assert writer_of({"state": {KEY: writer}}) is writer
    assert writer_of({"state": {KEY: "another"}}) is None
    assert writer_of({}) is None
