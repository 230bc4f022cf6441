import json
from collections.abc import Callable, Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.frames import (
    ack_frame,
    complete_frame,
    error_frame,
    next_prefix,
    ping_frame,
    pong_frame,
)


def test_a_next_is_prefix_payload_and_a_brace() -> None:
    assert next_prefix("a") == b'{"id":"a","type":"next","payload":'
    assert json.loads(next_prefix("a") + b'{"data":{"x":1}}' + b"}") == {
        "id": "a",
        "type": "next",
        "payload": {"data": {"x": 1}},
    }


@given(st.text(min_size=1))
def test_any_id_survives(name: str) -> None:
    assert json.loads(next_prefix(name) + b"null}")["id"] == name
    assert json.loads(complete_frame(name)) == {"id": name, "type": "complete"}
    assert json.loads(error_frame(name, [{"message": name}])) == {
        "id": name,
        "type": "error",
        "payload": [{"message": name}],
    }


def test_the_payload_of_an_error_is_an_array_and_not_empty() -> None:
    errors: list[dict[str, object]] = [
        {"message": "one", "extensions": {"code": "CONFLICT"}},
        {"message": "two"},
    ]
    assert json.loads(error_frame("a", errors))["payload"] == errors
    with pytest.raises(ValueError, match="at least one error"):
        error_frame("a", [])


@pytest.mark.parametrize(
    ("frame", "name"),
    [(ack_frame, "connection_ack"), (ping_frame, "ping"), (pong_frame, "pong")],
)
def test_a_payload_of_none_is_left_out(
    frame: Callable[[Mapping[str, object] | None], bytes], name: str
) -> None:
    assert json.loads(frame(None)) == {"type": name}
    assert json.loads(frame({})) == {"type": name, "payload": {}}
    assert json.loads(frame({"a": [1]})) == {"type": name, "payload": {"a": [1]}}
