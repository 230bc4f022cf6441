"""Laws of the protocol: no input breaks it, and the ids follow a plain model."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from incident_manager.http.protocol import (
    Close,
    CloseCode,
    Complete,
    ConnectionInit,
    MessageType,
    Ping,
    Protocol,
    State,
    Subscribe,
    SubscriptionRefused,
    Terminate,
)

any_text = st.text(st.characters(exclude_categories=()))  # lone surrogates too
scalars = st.none() | st.booleans() | st.integers() | st.floats() | any_text
values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(any_text, inner), max_leaves=12
)
ids = st.sampled_from(["a", "b", ""]) | scalars
almost_messages = st.fixed_dictionaries(
    {"type": st.sampled_from([kind.value for kind in MessageType]) | values},
    optional={
        "id": ids,
        "payload": values
        | st.fixed_dictionaries(
            {"query": st.text() | values},
            optional={"variables": values, "operationName": values, "extensions": values},
        ),
        "more": values,
    },
)
# json.dumps writes NaN, Infinity and lone surrogates, escaped or not, as hostile clients do.
texts = st.one_of(
    any_text,
    values.map(json.dumps),
    almost_messages.map(json.dumps),
    almost_messages.map(lambda message: json.dumps(message, ensure_ascii=False)),
    st.integers(0, 200_000).map(lambda depth: "[" * depth),
    st.integers(0, 3_000).map(lambda depth: '{"type":"ping","payload":' + '{"a":' * depth),
)
inputs = texts | st.binary()


def machine_in(state: State) -> Protocol:
    protocol = Protocol(agreed=True, max_subscriptions=2)
    if state is not State.OPENED:
        protocol.receive('{"type":"connection_init"}')
    if state is State.READY:
        protocol.ack()
    return protocol


@given(st.sampled_from([State.OPENED, State.INITIALISING, State.READY]), st.lists(inputs))
@settings(max_examples=300, deadline=None)
def test_no_input_breaks_it(state: State, messages: list[str | bytes]) -> None:
    protocol = machine_in(state)
    for data in messages:
        before = protocol.state
        events = protocol.receive(data)
        assert len(events) <= 1
        if before is State.CLOSED:
            assert events == ()
        over = any(isinstance(event, Close | Terminate) for event in events)
        assert (protocol.state is State.CLOSED) == (over or before is State.CLOSED)
        assert len(protocol.ids) <= 2
        for event in events:
            if isinstance(event, Close):
                assert event.reason
                assert len(event.reason.encode()) <= 123
            if isinstance(event, Ping):  # whatever was read can be written back
                protocol.pong(event.payload)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=12,
)


@given(st.dictionaries(st.text(), json_values))
def test_a_pong_brings_back_the_payload(payload: dict[str, Any]) -> None:
    protocol = Protocol(agreed=False)
    (event,) = protocol.receive(json.dumps({"type": "ping", "payload": payload}))
    assert event == Ping(payload)
    assert json.loads(protocol.pong(payload)) == {"type": "pong", "payload": payload}


names = st.sampled_from(["a", "b", "c", "d"])
LIMIT = 3


class Ids(RuleBasedStateMachine):
    """A model: the live ids are a dict of serials, emptied at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.protocol = Protocol(agreed=True, max_subscriptions=LIMIT)
        self.live: dict[str, int] = {}
        self.used = 0
        self.over = False

    @initialize()
    def open(self) -> None:
        assert self.protocol.receive('{"type":"connection_init"}') == (ConnectionInit(),)
        self.protocol.ack()

    def end(self) -> None:
        self.live.clear()
        self.over = True

    @rule(name=names)
    def subscribe(self, name: str) -> None:
        message = {"type": "subscribe", "id": name, "payload": {"query": "{x}"}}
        events = self.protocol.receive(json.dumps(message))
        if self.over:
            assert events == ()
            return
        (event,) = events
        if name in self.live:
            reason = f"Subscriber for {name} already exists"
            assert event == Close(CloseCode.SUBSCRIBER_EXISTS, reason)
            self.end()
        elif len(self.live) == LIMIT:
            assert event == SubscriptionRefused(name, LIMIT)
        else:
            self.used += 1
            assert isinstance(event, Subscribe)
            assert (event.id, event.serial) == (name, self.used)
            self.live[name] = self.used

    @rule(name=names)
    def client_completes(self, name: str) -> None:
        events = self.protocol.receive(json.dumps({"type": "complete", "id": name}))
        assert events == ((Complete(name),) if self.live.pop(name, None) else ())

    @rule(name=names)
    def server_completes(self, name: str) -> None:
        assert (self.protocol.complete(name) is not None) == (name in self.live)
        self.live.pop(name, None)

    @rule(name=names)
    def server_fails(self, name: str) -> None:
        frame = self.protocol.error(name, [{"message": "failed"}])
        assert (frame is not None) == (name in self.live)
        self.live.pop(name, None)

    @rule(name=names, serial=st.integers(1, 6))
    def a_task_completes_its_own(self, name: str, serial: int) -> None:
        mine = self.live.get(name) == serial
        assert (self.protocol.complete(name, serial=serial) is not None) == mine
        if mine:
            del self.live[name]

    @precondition(lambda self: len(self.live) == LIMIT)
    @rule()
    def second_init(self) -> None:
        (event,) = self.protocol.receive('{"type":"connection_init"}')
        assert isinstance(event, Close)
        assert event.code is CloseCode.TOO_MANY_INIT_REQUESTS
        self.end()

    @invariant()
    def agree(self) -> None:
        assert list(self.protocol.ids) == list(self.live)
        assert (self.protocol.state is State.CLOSED) == self.over
        for name in ("a", "b", "c", "d"):
            assert self.protocol.is_live(name) == (name in self.live)


TestIds = Ids.TestCase
TestIds.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
