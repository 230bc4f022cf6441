"""Message by message against PROTOCOL.md of graphql-ws, and the state table written out."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from incident_manager.http.protocol import (
    TRANSITIONS,
    Close,
    CloseCode,
    Complete,
    ConnectionInit,
    Event,
    LocalProtocolError,
    MessageType,
    Ping,
    Pong,
    Protocol,
    State,
    Subscribe,
    SubscribePayload,
    SubscriptionRefused,
    Terminate,
    error_frame,
    next_prefix,
)

INIT = '{"type":"connection_init"}'
PING = '{"type":"ping"}'
PONG = '{"type":"pong"}'
TERMINATE = '{"type":"connection_terminate"}'
PAYLOAD = SubscribePayload("{x}")
ERRORS = [{"message": "no such field"}]


def subscribe(name: str) -> str:
    return json.dumps({"type": "subscribe", "id": name, "payload": {"query": "{x}"}})


def complete(name: str) -> str:
    return json.dumps({"type": "complete", "id": name})


def in_state(state: State, *, max_subscriptions: int = 10) -> Protocol:
    protocol = Protocol(agreed=True, max_subscriptions=max_subscriptions)
    if state in (State.INITIALISING, State.READY):
        assert protocol.receive(INIT) == (ConnectionInit(),)
    if state is State.READY:
        assert protocol.ack() == b'{"type":"connection_ack"}'
    if state is State.CLOSED:
        protocol.close(CloseCode.NORMAL)
    assert protocol.state is state
    return protocol


def ready(*ids: str, max_subscriptions: int = 10) -> Protocol:
    protocol = in_state(State.READY, max_subscriptions=max_subscriptions)
    for name in ids:
        assert protocol.receive(subscribe(name)) == (Subscribe(name, PAYLOAD),)
    return protocol


def parsed(frame: bytes | None) -> Any:
    assert frame is not None
    return json.loads(frame)


# --- The table: (state x message) -> (event, next state), written out in full ---------------

UNAUTHORIZED = Close(CloseCode.UNAUTHORIZED, "Unauthorized")
TOO_MANY = Close(CloseCode.TOO_MANY_INIT_REQUESTS, "Too many initialisation requests")
EXISTS = Close(CloseCode.SUBSCRIBER_EXISTS, "Subscriber for live already exists")
UNKNOWN = Close(CloseCode.BAD_MESSAGE, "Invalid message 'type' property \"stop\"")
BINARY = Close(CloseCode.BAD_MESSAGE, "Message is expected to be text, but got binary data")
OPENED, INITIALISING, READY, CLOSED = State


def unexpected(name: str) -> Close:
    return Close(CloseCode.BAD_MESSAGE, f'Unexpected message of type "{name}" received')


ACK = '{"type":"connection_ack"}'
NEXT = '{"type":"next","id":"live","payload":{}}'
ERROR = '{"type":"error","id":"live","payload":[]}'
STOP = '{"type":"stop"}'


@pytest.mark.parametrize(
    ("state", "data", "event", "then"),
    [
        (OPENED, INIT, ConnectionInit(), INITIALISING),
        (OPENED, PING, Ping(), OPENED),
        (OPENED, PONG, Pong(), OPENED),
        (OPENED, subscribe("live"), UNAUTHORIZED, CLOSED),
        (OPENED, subscribe("new"), UNAUTHORIZED, CLOSED),
        (OPENED, complete("live"), None, OPENED),
        (OPENED, TERMINATE, Terminate(), CLOSED),
        (OPENED, ACK, unexpected("connection_ack"), CLOSED),
        (OPENED, NEXT, unexpected("next"), CLOSED),
        (OPENED, ERROR, unexpected("error"), CLOSED),
        (OPENED, STOP, UNKNOWN, CLOSED),
        (OPENED, b"{}", BINARY, CLOSED),
        (INITIALISING, INIT, TOO_MANY, CLOSED),
        (INITIALISING, PING, Ping(), INITIALISING),
        (INITIALISING, PONG, Pong(), INITIALISING),
        (INITIALISING, subscribe("live"), UNAUTHORIZED, CLOSED),
        (INITIALISING, subscribe("new"), UNAUTHORIZED, CLOSED),
        (INITIALISING, complete("live"), None, INITIALISING),
        (INITIALISING, TERMINATE, Terminate(), CLOSED),
        (INITIALISING, ACK, unexpected("connection_ack"), CLOSED),
        (INITIALISING, NEXT, unexpected("next"), CLOSED),
        (INITIALISING, ERROR, unexpected("error"), CLOSED),
        (INITIALISING, STOP, UNKNOWN, CLOSED),
        (INITIALISING, b"{}", BINARY, CLOSED),
        (READY, INIT, TOO_MANY, CLOSED),
        (READY, PING, Ping(), READY),
        (READY, PONG, Pong(), READY),
        (READY, subscribe("live"), EXISTS, CLOSED),
        (READY, subscribe("new"), Subscribe("new", PAYLOAD), READY),
        (READY, complete("live"), Complete("live"), READY),
        (READY, complete("new"), None, READY),
        (READY, TERMINATE, Terminate(), CLOSED),
        (READY, ACK, unexpected("connection_ack"), CLOSED),
        (READY, NEXT, unexpected("next"), CLOSED),
        (READY, ERROR, unexpected("error"), CLOSED),
        (READY, STOP, UNKNOWN, CLOSED),
        (READY, b"{}", BINARY, CLOSED),
        (CLOSED, INIT, None, CLOSED),
        (CLOSED, PING, None, CLOSED),
        (CLOSED, PONG, None, CLOSED),
        (CLOSED, subscribe("live"), None, CLOSED),
        (CLOSED, subscribe("new"), None, CLOSED),
        (CLOSED, complete("live"), None, CLOSED),
        (CLOSED, TERMINATE, None, CLOSED),
        (CLOSED, ACK, None, CLOSED),
        (CLOSED, NEXT, None, CLOSED),
        (CLOSED, ERROR, None, CLOSED),
        (CLOSED, STOP, None, CLOSED),
        (CLOSED, b"{}", None, CLOSED),
    ],
)
@pytest.mark.parametrize("agreed", [True, False])
def test_the_table(
    state: State, data: str | bytes, event: Event | None, then: State, agreed: bool
) -> None:
    protocol = Protocol(agreed=agreed)
    if state is CLOSED:
        protocol.close(CloseCode.NORMAL)
    elif state is not OPENED:
        protocol.receive(INIT)
    if state is READY:
        protocol.ack()
        protocol.receive(subscribe("live"))
    assert protocol.state is state

    assert protocol.receive(data) == (() if event is None else (event,))
    assert protocol.state is then
    if then is CLOSED:
        assert not protocol.ids


def test_the_transitions_cover_every_message_of_a_client_in_every_open_state() -> None:
    sent_by_servers = {MessageType.CONNECTION_ACK, MessageType.NEXT, MessageType.ERROR}
    assert set(TRANSITIONS) == set(State) - {State.CLOSED}
    for row in TRANSITIONS.values():
        assert set(row) == set(MessageType) - sent_by_servers


# --- PROTOCOL.md, "Examples" ------------------------------------------------------------------


def test_successful_connection_initialisation() -> None:
    protocol = Protocol(agreed=True)
    credentials = {"Authorization": "Bearer x"}
    message = json.dumps({"type": "connection_init", "payload": credentials})
    assert protocol.receive(message) == (ConnectionInit(credentials),)
    assert parsed(protocol.ack({"role": "VIEWER"})) == {
        "type": "connection_ack",
        "payload": {"role": "VIEWER"},
    }
    assert protocol.receive(subscribe("a")) == (Subscribe("a", PAYLOAD),)


def test_connection_initialisation_timeout() -> None:
    protocol = Protocol(agreed=True)
    assert protocol.init_timed_out() == Close(
        CloseCode.INIT_TIMEOUT, "Connection initialisation timeout"
    )
    assert protocol.state is State.CLOSED
    assert protocol.init_timed_out() is None


@pytest.mark.parametrize("state", [State.INITIALISING, State.READY, State.CLOSED])
def test_the_timeout_comes_too_late(state: State) -> None:
    protocol = in_state(state)
    assert protocol.init_timed_out() is None
    assert protocol.state is state


def test_a_ping_does_not_stop_the_initialisation_timeout() -> None:
    protocol = Protocol(agreed=True)
    protocol.receive(PING)
    assert protocol.init_timed_out() is not None


def test_forbidden() -> None:
    protocol = in_state(State.INITIALISING)
    assert protocol.close(CloseCode.FORBIDDEN) == Close(CloseCode.FORBIDDEN, "Forbidden")
    assert protocol.receive(subscribe("a")) == ()


def test_a_stream_the_server_completes() -> None:
    protocol = ready("a")
    frame = next_prefix("a") + b'{"data":{"x":1}}' + b"}"
    assert parsed(frame) == {"id": "a", "type": "next", "payload": {"data": {"x": 1}}}
    assert parsed(protocol.complete("a")) == {"id": "a", "type": "complete"}
    assert not protocol.ids


def test_a_stream_the_client_completes() -> None:
    protocol = ready("a", "b")
    assert protocol.receive(complete("a")) == (Complete("a"),)
    assert list(protocol.ids) == ["b"]
    assert protocol.complete("a") is None  # not echoed
    assert protocol.error("a", ERRORS) is None


def test_both_complete_at_the_same_moment() -> None:
    protocol = ready("a")
    assert protocol.complete("a") is not None
    assert protocol.receive(complete("a")) == ()
    assert protocol.state is State.READY


def test_an_error_ends_the_operation() -> None:
    protocol = ready("a")
    assert parsed(protocol.error("a", ERRORS)) == {"id": "a", "type": "error", "payload": ERRORS}
    assert protocol.error("a", ERRORS) is None
    assert protocol.complete("a") is None  # no complete after an error
    assert protocol.receive(complete("a")) == ()


def test_a_single_result_the_client_did_not_wait_for() -> None:
    protocol = ready("a")
    assert protocol.receive(complete("a")) == (Complete("a"),)
    assert not protocol.is_live("a")  # so the result is not sent


@pytest.mark.parametrize("end", ["complete", "error", "client"])
def test_an_id_that_has_ended_may_be_used_again(end: str) -> None:
    protocol = ready("a")
    match end:
        case "complete":
            protocol.complete("a")
        case "error":
            protocol.error("a", ERRORS)
        case _:
            protocol.receive(complete("a"))
    assert protocol.receive(subscribe("a")) == (Subscribe("a", PAYLOAD),)


def test_an_id_in_use() -> None:
    protocol = ready("a", "b")
    assert protocol.receive(subscribe("a")) == (
        Close(CloseCode.SUBSCRIBER_EXISTS, "Subscriber for a already exists"),
    )
    assert protocol.complete("b") is None  # nothing is sent after a close
    assert protocol.error("b", ERRORS) is None


def test_operations_are_interleaved() -> None:
    protocol = ready("a", "b", "c")
    assert list(protocol.ids) == ["a", "b", "c"]
    protocol.complete("b")
    assert list(protocol.ids) == ["a", "c"]


# --- Beyond the examples ----------------------------------------------------------------------


def test_a_ping_is_answered_with_its_payload() -> None:
    protocol = Protocol(agreed=True)
    (ping,) = protocol.receive('{"type":"ping","payload":{"at":[1,null,"é"]}}')
    assert isinstance(ping, Ping)
    assert parsed(protocol.pong(ping.payload)) == {
        "type": "pong",
        "payload": {"at": [1, None, "é"]},
    }
    (ping,) = protocol.receive(PING)
    assert isinstance(ping, Ping)
    assert protocol.pong(ping.payload) == b'{"type":"pong"}'
    assert protocol.ping({"gap": {}}) == b'{"type":"ping","payload":{"gap":{}}}'


def test_one_that_completed_its_id_and_took_it_again() -> None:
    protocol = ready()
    (first,) = protocol.receive(subscribe("a"))
    protocol.receive(complete("a"))
    (second,) = protocol.receive(subscribe("a"))
    assert isinstance(first, Subscribe)
    assert isinstance(second, Subscribe)
    assert (first.serial, second.serial) == (1, 2)
    # The first one's task, which has not noticed yet, cannot end the second.
    assert protocol.complete("a", serial=first.serial) is None
    assert protocol.error("a", ERRORS, serial=first.serial) is None
    assert not protocol.is_live("a", first.serial)
    assert protocol.is_live("a", second.serial)
    assert protocol.complete("a", serial=second.serial) is not None


def test_over_the_limit() -> None:
    protocol = ready("a", "b", max_subscriptions=2)
    (refused,) = protocol.receive(subscribe("c"))
    assert refused == SubscriptionRefused("c", 2)
    assert isinstance(refused, SubscriptionRefused)
    assert list(protocol.ids) == ["a", "b"]
    assert protocol.error("c", refused.errors) is None  # it never was live
    assert parsed(error_frame("c", refused.errors)) == {
        "id": "c",
        "type": "error",
        "payload": [
            {
                "message": "This connection has reached its limit of 2 operations at a time",
                "extensions": {"code": "SUBSCRIPTION_LIMIT_EXCEEDED", "limit": 2},
            }
        ],
    }
    assert protocol.receive(complete("c")) == ()
    assert protocol.receive(subscribe("c")) == (SubscriptionRefused("c", 2),)
    protocol.complete("a")
    assert protocol.receive(subscribe("c")) == (Subscribe("c", PAYLOAD),)


def test_an_id_in_use_goes_before_the_limit() -> None:
    protocol = ready("a", max_subscriptions=1)
    (event,) = protocol.receive(subscribe("a"))
    assert isinstance(event, Close)
    assert event.code == 4409


def test_no_limit() -> None:
    protocol = ready(*(str(n) for n in range(200)), max_subscriptions=0)
    assert len(protocol.ids) == 200


def test_the_default_limit_is_ten() -> None:
    protocol = Protocol(agreed=False)
    assert protocol.max_subscriptions == 10
    assert protocol.agreed is False
    with pytest.raises(ValueError, match="max_subscriptions must be 0 or more, not -1"):
        Protocol(agreed=True, max_subscriptions=-1)


def test_a_malformed_message_is_that_before_it_is_out_of_turn() -> None:
    for data in ('{"type":"subscribe","id":"a"}', '{"type":"connection_init","payload":[]}'):
        protocol = in_state(State.INITIALISING)
        (event,) = protocol.receive(data)
        assert isinstance(event, Close)
        assert event.code == 4400


def test_acknowledging() -> None:
    protocol = in_state(State.INITIALISING)
    protocol.receive(INIT)  # a second one, while the application is deciding
    assert protocol.ack() is None
    assert protocol.state is State.CLOSED
    for state in (State.OPENED, State.READY):
        protocol = in_state(state)
        with pytest.raises(LocalProtocolError, match=state.value):
            protocol.ack()
        assert protocol.state is state


def test_what_cannot_be_sent_leaves_the_state_alone() -> None:
    protocol = in_state(State.INITIALISING)
    unsendable: Mapping[str, object] = {"a": object()}
    with pytest.raises(TypeError):
        protocol.ack(unsendable)
    assert protocol.state is State.INITIALISING
    protocol = ready("a")
    with pytest.raises(TypeError):
        protocol.error("a", [unsendable])
    with pytest.raises(ValueError, match="at least one error"):
        protocol.error("a", [])
    assert list(protocol.ids) == ["a"]


def test_a_long_reason_is_cut() -> None:
    protocol = ready("é" * 200)
    (event,) = protocol.receive(subscribe("é" * 200))
    assert event == Close(CloseCode.SUBSCRIBER_EXISTS, "Subscriber for " + "é" * 54)
    assert isinstance(event, Close)
    assert len(event.reason.encode()) == 123
    assert Protocol(agreed=True).close(CloseCode.BAD_MESSAGE, "x" * 200).reason == "x" * 123


def test_what_it_says_of_itself() -> None:
    assert repr(ready("a")) == "<Protocol ready, 1 live>"
