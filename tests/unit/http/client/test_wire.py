import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.client import wire
from incident_manager.http.client.message import Message
from incident_manager.http.messages import (
    Complete,
    ConnectionInit,
    Ping,
    Pong,
    Subscribe,
    SubscribePayload,
    read_message,
)


@pytest.mark.parametrize(
    ("text", "frame"),
    [
        ('{"type":"connection_ack"}', wire.Ack()),
        ('{"type":"connection_ack","payload":{"x":1}}', wire.Ack()),
        ('{"type":"next","id":"1","payload":{"data":{}}}', wire.Next("1", Message({}))),
        (
            '{"type":"error","id":"1","payload":[{"message":"m"}]}',
            wire.Error("1", [{"message": "m"}]),
        ),
        ('{"type":"complete","id":"1"}', wire.Complete("1")),
        ('{"type":"ping"}', wire.Ping(None)),
        ('{"type":"ping","payload":null}', wire.Ping(None)),
        ('{"type":"pong","payload":{"a":1}}', wire.Pong({"a": 1})),
    ],
)
def test_each_frame_of_a_server(text: str, frame: wire.Frame) -> None:
    assert wire.read_frame(text) == frame


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "7",
        "{}",
        b"\xff",
        "[" * 100_000,
        '{"type":"subscribe","id":"1"}',
        '{"type":"next","payload":{}}',
        '{"type":"next","id":1,"payload":{}}',
        '{"type":"next","id":"1","payload":[]}',
        '{"type":"next","id":"1"}',
        '{"type":"next","id":"1","payload":{"data":[]}}',
        '{"type":"next","id":"1","payload":{"errors":["x"]}}',
        '{"type":"next","id":"1","payload":{"extensions":{"cursor":7}}}',
        '{"type":"next","id":"1","payload":{"extensions":{"gap":{"from":"a:1"}}}}',
        '{"type":"error","id":"1","payload":{}}',
        '{"type":"error","id":"1","payload":["x"]}',
        '{"type":"ping","payload":[]}',
        '{"type":7}',
    ],
)
def test_what_is_no_frame(text: str | bytes) -> None:
    with pytest.raises(wire.BadFrame):
        wire.read_frame(text)


@given(st.text() | st.binary())
def test_reading_never_fails_otherwise(text: str | bytes) -> None:
    with pytest.raises(wire.BadFrame):
        wire.read_frame(text)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (wire.init(None), ConnectionInit()),
        (wire.init("Bearer x"), ConnectionInit({"Authorization": "Bearer x"})),
        (wire.subscribe("1", "{ cursor }"), Subscribe("1", SubscribePayload("{ cursor }"))),
        (
            wire.subscribe("1", "q", {"a": 1}, "name", "e:7"),
            Subscribe("1", SubscribePayload("q", "name", {"a": 1}, {"cursor": "e:7"})),
        ),
        (wire.complete("1"), Complete("1")),
        (wire.ping(), Ping()),
        (wire.ping({"a": 1}), Ping({"a": 1})),
        (wire.pong(), Pong()),
        (wire.pong({"a": 1}), Pong({"a": 1})),
    ],
)
def test_the_server_reads_what_the_client_writes(text: str, message: Any) -> None:
    assert read_message(text)[1] == message
    json.loads(text)
