"""What is read and what is refused, field by field."""

import json
from typing import Any

import pytest

from incident_manager.http.messages import (
    MAX_DEPTH,
    BadMessage,
    ClientMessage,
    Complete,
    ConnectionInit,
    MessageType,
    Ping,
    Pong,
    Subscribe,
    SubscribePayload,
    Terminate,
    read_message,
)

QUERY = {"query": "{x}"}


@pytest.mark.parametrize(
    ("message", "value"),
    [
        ({"type": "connection_init"}, ConnectionInit()),
        ({"type": "connection_init", "payload": None}, ConnectionInit()),
        ({"type": "connection_init", "payload": {"a": 1}}, ConnectionInit({"a": 1})),
        ({"type": "ping"}, Ping()),
        ({"type": "ping", "payload": None}, Ping()),
        ({"type": "ping", "payload": {}}, Ping({})),
        ({"type": "ping", "payload": {"n": [None]}}, Ping({"n": [None]})),
        ({"type": "pong"}, Pong()),
        ({"type": "pong", "payload": {"a": "b"}}, Pong({"a": "b"})),
        ({"type": "complete", "id": "1"}, Complete("1")),
        ({"type": "connection_terminate"}, Terminate()),
        ({"type": "connection_terminate", "id": 5, "payload": []}, Terminate()),
        (
            {"type": "subscribe", "id": "1", "payload": {"query": ""}},
            Subscribe("1", SubscribePayload("")),
        ),
        (
            {
                "type": "subscribe",
                "id": "é😀",
                "payload": {
                    "query": "subscription S{x}",
                    "operationName": "S",
                    "variables": {"v": [1.5, {"w": None}]},
                    "extensions": {"cursor": "e:1"},
                },
            },
            Subscribe(
                "é😀",
                SubscribePayload(
                    "subscription S{x}", "S", {"v": [1.5, {"w": None}]}, {"cursor": "e:1"}
                ),
            ),
        ),
        (
            {
                "type": "subscribe",
                "id": "1",
                "payload": {
                    "query": "{x}",
                    "operationName": None,
                    "variables": None,
                    "extensions": None,
                },
            },
            Subscribe("1", SubscribePayload("{x}")),
        ),
    ],
)
def test_what_is_read(message: dict[str, Any], value: ClientMessage) -> None:
    assert read_message(json.dumps(message)) == (MessageType(message["type"]), value)


def test_unknown_keys_are_tolerated() -> None:
    message = {"type": "subscribe", "id": "1", "payload": {**QUERY, "doc": 1}, "more": []}
    assert read_message(json.dumps(message))[1] == Subscribe("1", SubscribePayload("{x}"))


def refusal(data: str | bytes) -> str:
    with pytest.raises(BadMessage) as caught:
        read_message(data)
    return str(caught.value)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (None, "Message is expected to be an object, but got null"),
        (True, "Message is expected to be an object, but got boolean"),
        (1, "Message is expected to be an object, but got number"),
        (1.5, "Message is expected to be an object, but got number"),
        ("x", "Message is expected to be an object, but got string"),
        ([], "Message is expected to be an object, but got array"),
        ({}, "Message is missing the 'type' property"),
        ({"type": None}, "Message is missing the 'type' property"),
        ({"type": ""}, "Message is missing the 'type' property"),
        ({"type": 1}, "Message expects the 'type' property to be a string, got number"),
        ({"type": {}}, "Message expects the 'type' property to be a string, got object"),
        ({"type": "start"}, "Invalid message 'type' property \"start\""),
        ({"type": "PING"}, "Invalid message 'type' property \"PING\""),
    ],
)
def test_what_is_no_message(message: object, reason: str) -> None:
    assert refusal(json.dumps(message)) == reason


@pytest.mark.parametrize("name", ["connection_ack", "next", "error"])
def test_the_messages_of_a_server_are_refused(name: str) -> None:
    message = {"type": name, "id": "1", "payload": {}}
    assert refusal(json.dumps(message)) == f'Unexpected message of type "{name}" received'


@pytest.mark.parametrize("name", ["connection_init", "ping", "pong"])
@pytest.mark.parametrize(
    ("payload", "got"), [([], "array"), ("x", "string"), (0, "number"), (False, "boolean")]
)
def test_an_optional_payload_is_an_object(name: str, payload: object, got: str) -> None:
    expected = f"\"{name}\" message expects 'payload' to be an object or null, but got {got}"
    assert refusal(json.dumps({"type": name, "payload": payload})) == expected


@pytest.mark.parametrize("name", ["subscribe", "complete"])
def test_an_id_is_a_string_and_not_empty(name: str) -> None:
    expects = f"\"{name}\" message expects 'id' to be a string, but got"
    assert refusal(json.dumps({"type": name, "payload": QUERY})) == f"{expects} nothing"
    for value, got in ((None, "null"), (1, "number"), ([], "array"), (True, "boolean")):
        wrong: dict[str, object] = {"type": name, "id": value, "payload": QUERY}
        assert refusal(json.dumps(wrong)) == f"{expects} {got}"
    empty = {"type": name, "id": "", "payload": QUERY}
    assert refusal(json.dumps(empty)) == f"\"{name}\" message requires a non-empty 'id' property"


@pytest.mark.parametrize(
    ("payload", "where", "what", "got"),
    [
        (None, "payload", "an object", "null"),
        ([], "payload", "an object", "array"),
        ("{x}", "payload", "an object", "string"),
        ({}, "payload.query", "a string", "nothing"),
        ({"query": None}, "payload.query", "a string", "null"),
        ({"query": {}}, "payload.query", "a string", "object"),
        ({**QUERY, "operationName": 1}, "payload.operationName", "a string or null", "number"),
        ({**QUERY, "variables": []}, "payload.variables", "an object or null", "array"),
        ({**QUERY, "variables": "{}"}, "payload.variables", "an object or null", "string"),
        ({**QUERY, "variables": False}, "payload.variables", "an object or null", "boolean"),
        ({**QUERY, "extensions": 0}, "payload.extensions", "an object or null", "number"),
    ],
)
def test_the_payload_of_a_subscribe(payload: object, where: str, what: str, got: str) -> None:
    message = {"type": "subscribe", "id": "1", "payload": payload}
    reason = f"\"subscribe\" message expects '{where}' to be {what}, but got {got}"
    assert refusal(json.dumps(message)) == reason


def test_a_subscribe_without_payload() -> None:
    reason = refusal('{"type":"subscribe","id":"1"}')
    assert reason == "\"subscribe\" message expects 'payload' to be an object, but got nothing"


@pytest.mark.parametrize("data", [b"", b'{"type":"ping"}', b"\xff\x00"])
def test_binary_is_refused(data: bytes) -> None:
    assert refusal(data) == "Message is expected to be text, but got binary data"


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "\x00",
        "{",
        "{'type':'ping'}",
        '{"type":"ping",}',
        '{"type":"ping"} {}',
        '\ufeff{"type":"ping"}',
        '{"type":"ping","payload":{"a":NaN}}',
        '{"type":"ping","payload":{"a":Infinity}}',
        '{"type":"ping","payload":{"a":1e999}}',
        '{"type":"ping","payload":{"a":' + "9" * 5_000 + "}}",
        '{"type":"ping","payload":{"a":01}}',
        '{"type":"ping","payload":{"a":"\n"}}',
        '{"type":"ping","payload":{"a":"\\ud800"}}',
        '{"type":"ping","payload":{"a":"\\udc00abcdef"}}',
        '{"type":"ping","payload":{"\\ud800abcdef":1}}',
    ],
)
def test_what_is_no_json(text: str) -> None:
    assert refusal(text).startswith("Message is not valid JSON: ")


def test_a_lone_surrogate_in_the_text_itself() -> None:
    assert refusal('{"type":"ping","payload":{"a":"\ud800"}}') == "Message is not valid UTF-8"


def test_of_duplicate_keys_the_last_counts() -> None:
    assert read_message('{"type":"pong","type":"ping"}')[1] == Ping()


def test_integers_beyond_64_bits_are_kept() -> None:
    value = 10**400
    assert read_message(f'{{"type":"ping","payload":{{"n":{value}}}}}')[1] == Ping({"n": value})


def nested(depth: int, opening: str, inner: str, closing: str) -> str:
    """A ping in which `depth` levels nest, the message and its payload counted."""
    levels = depth - 2
    return f'{{"type":"ping","payload":{{"a":{opening * levels}{inner}{closing * levels}}}}}'


@pytest.mark.parametrize(("opening", "inner", "closing"), [("[", "1", "]"), ('{"a":', "1", "}")])
def test_nesting_is_bounded(opening: str, inner: str, closing: str) -> None:
    assert isinstance(read_message(nested(MAX_DEPTH, opening, inner, closing))[1], Ping)
    for depth in (MAX_DEPTH + 1, 200, 100_000):
        reason = refusal(nested(depth, opening, inner, closing))
        assert reason == f"Message nests deeper than {MAX_DEPTH} levels"


def test_nesting_is_counted_by_depth_not_by_brackets() -> None:
    payload = {"flat": [[] for _ in range(1_000)], "text": "[{" * 1_000}
    assert read_message(json.dumps({"type": "ping", "payload": payload}))[1] == Ping(payload)
