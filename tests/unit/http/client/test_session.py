"""The session by its cases; see test_session_laws for what holds of all of them."""

import json
from collections.abc import Sequence
from typing import Any, ClassVar

import pytest

from incident_manager.http.client import wire
from incident_manager.http.client.errors import OperationFailed, OutcomeUnknown
from incident_manager.http.client.message import Gap, Message
from incident_manager.http.client.outputs import (
    Again,
    Answer,
    Begun,
    Deliver,
    Ended,
    Output,
    Renewed,
    Say,
)
from incident_manager.http.client.session import Session

STREAM = "subscription { newIncidents { title } }"


def said(outputs: Sequence[Output]) -> list[dict[str, Any]]:
    return [json.loads(output.frame) for output in outputs if isinstance(output, Say)]


def subscribe(
    session: Session, cursor: str | None = None
) -> tuple[int, str | None, Sequence[Output]]:
    """Its key, and its id if it was sent."""
    key, outputs = session.subscribe(STREAM, {"a": 1}, None, cursor)
    frames = said(outputs)
    return key, frames[0]["id"] if frames else None, outputs


def result(name: str, payload: dict[str, Any]) -> wire.Next:
    return wire.Next(name, Message.read(payload))


def event(name: str | None, offset: int, **extensions: object) -> wire.Next:
    assert name is not None
    payload = {
        "data": {"newIncidents": {"title": str(offset)}},
        "extensions": {"cursor": f"e:{offset}", **extensions},
    }
    return result(name, payload)


def heartbeat(name: str, offset: int, **extensions: object) -> wire.Next:
    payload = {
        "data": {"incidentUpdates": {"updateType": "HEARTBEAT"}},
        "extensions": {"cursor": f"e:{offset}", **extensions},
    }
    return result(name, payload)


def take(session: Session, frame: wire.Frame) -> list[Message]:
    """The messages of a frame, each taken."""
    found = []
    for output in session.receive(frame):
        assert isinstance(output, Deliver), output
        session.took(output.key, output.message)
        found.append(output.message)
    return found


@pytest.fixture
def session() -> Session:
    """Connected."""
    session = Session()
    assert session.connected() == []
    return session


class TestBeginning:
    def test_with_a_cursor_it_is_sent_as_it_is(self, session: Session) -> None:
        key, name, outputs = subscribe(session, "e:7")
        assert outputs[0] == Begun(key)
        assert said(outputs) == [
            {
                "type": "subscribe",
                "id": name,
                "payload": {
                    "query": STREAM,
                    "variables": {"a": 1},
                    "extensions": {"cursor": "e:7"},
                },
            }
        ]

    def test_without_one_the_place_is_asked_first(self, session: Session) -> None:
        key, pin, outputs = subscribe(session)
        assert pin is not None
        assert said(outputs)[0]["payload"] == {"query": "{ cursor }"}
        answer = list(session.receive(result(pin, {"data": {"cursor": "e:3"}})))
        assert answer[0] == Begun(key)
        [frame] = said(answer)
        assert frame["payload"]["extensions"] == {"cursor": "e:3"}
        assert list(session.receive(wire.Complete(pin))) == []
        # The caller resumed nothing: it is not told that nothing was missed.
        [message] = take(session, event(frame["id"], 4, recovered=True))
        assert message.recovered is None

    def test_offline_nothing_is_sent_until_there_is_a_connection(self) -> None:
        session = Session()
        _, name, outputs = subscribe(session, "e:7")
        assert (name, said(outputs)) == (None, [])
        assert [frame["payload"]["query"] for frame in said(session.connected())] == [STREAM]

    def test_a_place_that_cannot_be_had_ends_it(self, session: Session) -> None:
        key, pin, _ = subscribe(session)
        assert pin is not None
        errors = [{"message": "no", "extensions": {"code": "FORBIDDEN"}}]
        [ended] = session.receive(result(pin, {"data": None, "errors": errors}))
        assert isinstance(ended, Ended)
        assert isinstance(ended.error, OperationFailed)
        assert (ended.key, ended.error.code) == (key, "FORBIDDEN")
        assert said(session.connected()) == []


class TestResuming:
    def test_a_new_connection_goes_on_after_what_was_taken(self, session: Session) -> None:
        _, name, _ = subscribe(session, "e:7")
        take(session, event(name, 8))
        list(session.receive(event(name, 9)))  # came, and was never taken
        assert session.disconnected() == []
        [frame] = said(session.connected())
        assert frame["payload"]["extensions"] == {"cursor": "e:8"}
        assert frame["id"] != name
        assert take(session, event(name, 9)) == []  # of the old connection
        [message] = take(session, event(frame["id"], 9, recovered=True))
        assert (message.cursor, message.recovered) == ("e:9", True)

    def test_repeats_are_dropped_and_what_they_said_is_kept(self, session: Session) -> None:
        _, name, _ = subscribe(session, "e:7")
        assert take(session, event(name, 6, recovered=True)) == []
        assert take(session, event(name, 7)) == []
        [message] = take(session, event(name, 8))
        assert message.recovered is True
        [message] = take(session, event(name, 9))
        assert message.recovered is None

    def test_a_heartbeat_may_stand_where_the_last_event_stood(self, session: Session) -> None:
        _, name, _ = subscribe(session, "e:7")
        assert name is not None
        [message] = take(session, heartbeat(name, 7, recovered=True))
        assert message.recovered is True
        assert len(take(session, heartbeat(name, 7))) == 1
        assert len(take(session, event(name, 8))) == 1
        assert len(take(session, heartbeat(name, 8))) == 1
        assert take(session, heartbeat(name, 5)) == []

    def test_a_message_without_a_cursor_moves_nothing(self, session: Session) -> None:
        _, name, _ = subscribe(session, "e:7")
        assert name is not None
        [message] = take(session, result(name, {"data": {"x": 1}, "errors": [{"message": "m"}]}))
        assert (message.cursor, message.errors) == (None, ({"message": "m"},))
        session.disconnected()
        assert said(session.connected())[0]["payload"]["extensions"] == {"cursor": "e:7"}

    def test_a_pin_that_was_never_answered_is_asked_again(self, session: Session) -> None:
        subscribe(session)
        session.disconnected()
        [frame] = said(session.connected())
        assert frame["payload"] == {"query": "{ cursor }"}

    def test_of_the_oldest_first(self, session: Session) -> None:
        subscribe(session, "e:1")
        session.execute("{ health { status } }", None, None, again=True)
        subscribe(session, "e:2")
        session.disconnected()
        ids = [int(frame["id"]) for frame in said(session.connected())]
        assert ids == sorted(ids)
        assert session.resumable == 2

    def test_unavailable_means_another_connection(self, session: Session) -> None:
        _, name, _ = subscribe(session, "e:7")
        assert name is not None
        errors = [{"message": "not now", "extensions": {"code": "SERVICE_UNAVAILABLE"}}]
        assert list(session.receive(wire.Error(name, errors))) == [Again("not now")]
        session.disconnected()
        assert said(session.connected())[0]["payload"]["extensions"] == {"cursor": "e:7"}


class TestGap:
    gap = Gap("old:9", "e:3")
    told: ClassVar = {"from": "old:9", "to": "e:3"}

    def ping(self, name: str | None) -> wire.Ping:
        payload = {"subscription": name, "recovered": False, "gap": self.told, "cursor": "e:3"}
        return wire.Ping(payload)

    def test_a_ping_tells_at_once_and_the_next_does_not_say_it_again(
        self, session: Session
    ) -> None:
        key, name, _ = subscribe(session, "old:9")
        pong, told = session.receive(self.ping(name))
        assert said([pong])[0]["type"] == "pong"
        assert isinstance(told, Deliver)
        assert told.message == Message(None, cursor="e:3", recovered=False, gap=self.gap)
        session.took(key, told.message)
        [message] = take(session, event(name, 4, recovered=False, gap=self.told))
        assert (message.recovered, message.gap) == (None, None)

    def test_without_a_ping_the_next_says_it(self, session: Session) -> None:
        _, name, _ = subscribe(session, "old:9")
        [message] = take(session, event(name, 4, recovered=False, gap=self.told))
        assert (message.recovered, message.gap) == (False, self.gap)

    def test_after_it_the_resume_is_from_its_end(self, session: Session) -> None:
        key, name, _ = subscribe(session, "old:9")
        _, told = session.receive(self.ping(name))
        assert isinstance(told, Deliver)
        session.took(key, told.message)
        session.disconnected()
        assert said(session.connected())[0]["payload"]["extensions"] == {"cursor": "e:3"}

    def test_it_may_lead_backwards(self, session: Session) -> None:
        _, name, _ = subscribe(session, "e:100")
        told = {"from": "e:100", "to": "e:0"}
        assert take(session, event(name, 1, recovered=False, gap=told))[0].gap is not None
        assert len(take(session, event(name, 2))) == 1

    @pytest.mark.parametrize("payload", [None, {}, {"subscription": "none", "gap": told}])
    def test_another_ping_is_just_answered(
        self, session: Session, payload: dict[str, Any] | None
    ) -> None:
        [output] = session.receive(wire.Ping(payload))
        assert said([output])[0].get("payload") == payload


class TestEnding:
    def test_complete(self, session: Session) -> None:
        key, name, _ = subscribe(session, "e:7")
        assert name is not None
        assert list(session.receive(wire.Complete(name))) == [Ended(key)]
        assert list(session.receive(wire.Complete(name))) == []
        assert session.forget(key) == ()

    def test_error(self, session: Session) -> None:
        _, name, _ = subscribe(session, "e:7")
        assert name is not None
        [ended] = session.receive(wire.Error(name, [{"message": "m"}]))
        assert isinstance(ended, Ended)
        assert str(ended.error) == "m"
        assert list(session.receive(wire.Error(name, []))) == []
        assert said(session.connected()) == []

    def test_forgotten_it_is_completed_and_late_answers_are_passed_over(
        self, session: Session
    ) -> None:
        key, name, _ = subscribe(session, "e:7")
        assert said(session.forget(key)) == [{"type": "complete", "id": name}]
        assert take(session, event(name, 8)) == []
        assert said(session.connected()) == []
        session.took(key, Message({}))  # it was being delivered in that moment


class TestParking:
    def test_it_is_completed_and_taken_up_from_its_cursor(self, session: Session) -> None:
        key, name, _ = subscribe(session, "e:7")
        take(session, event(name, 8))
        assert said(session.park(key)) == [{"type": "complete", "id": name}]
        assert take(session, event(name, 9)) == []
        [frame] = said(session.unpark(key))
        assert frame["payload"]["extensions"] == {"cursor": "e:8"}
        # That is the client's own affair.
        [message] = take(session, event(frame["id"], 9, recovered=True))
        assert message.recovered is None
        assert session.unpark(key) == ()

    def test_a_new_connection_leaves_it_parked(self, session: Session) -> None:
        key, _, _ = subscribe(session, "e:7")
        session.park(key)
        session.disconnected()
        assert session.connected() == []
        assert len(said(session.unpark(key))) == 1

    def test_taken_up_while_there_is_none(self, session: Session) -> None:
        key, _, _ = subscribe(session, "e:7")
        session.park(key)
        session.disconnected()
        assert session.unpark(key) == ()
        assert len(said(session.connected())) == 1

    def test_forgotten_it_is_gone(self, session: Session) -> None:
        key, _, _ = subscribe(session, "e:7")
        session.park(key)
        assert session.forget(key) == ()
        assert session.unpark(key) == ()


class TestCalls:
    def call(self, session: Session, *, again: bool = False) -> tuple[int, str]:
        key, outputs = session.execute("mutation { x }", {"a": 1}, "name", again=again)
        [frame] = said(outputs)
        assert frame["payload"] == {
            "query": "mutation { x }",
            "variables": {"a": 1},
            "operationName": "name",
        }
        return key, frame["id"]

    def test_an_answer(self, session: Session) -> None:
        key, name = self.call(session)
        assert list(session.receive(result(name, {"data": {"x": 1}}))) == [Answer(key, {"x": 1})]
        assert list(session.receive(wire.Complete(name))) == []

    @pytest.mark.parametrize(
        "payload",
        [{"data": {"x": None}, "errors": [{"message": "m"}]}, {"data": None}, {}],
        ids=str,
    )
    def test_an_answer_with_errors(self, session: Session, payload: dict[str, Any]) -> None:
        _, name = self.call(session)
        [ended] = session.receive(result(name, payload))
        assert isinstance(ended, Ended)
        assert isinstance(ended.error, OperationFailed)
        assert ended.error.data == payload.get("data")

    def test_a_refusal(self, session: Session) -> None:
        key, name = self.call(session)
        errors = [{"message": "m", "extensions": {"code": "SERVICE_UNAVAILABLE"}}]
        [ended] = session.receive(wire.Error(name, errors))
        assert isinstance(ended, Ended)
        assert (ended.key, str(ended.error)) == (key, "m")

    def test_an_end_without_an_answer(self, session: Session) -> None:
        _, name = self.call(session)
        [ended] = session.receive(wire.Complete(name))
        assert isinstance(ended, Ended)
        assert isinstance(ended.error, OperationFailed)

    def test_a_change_that_was_sent_is_not_sent_again(self, session: Session) -> None:
        key, _ = self.call(session)
        [ended] = session.disconnected()
        assert isinstance(ended, Ended)
        assert ended.key == key
        assert isinstance(ended.error, OutcomeUnknown)
        assert session.connected() == []

    def test_what_may_be_repeated_is(self, session: Session) -> None:
        _, name = self.call(session, again=True)
        assert session.disconnected() == []
        [frame] = said(session.connected())
        assert frame["id"] != name

    def test_what_was_never_sent_is_sent_whatever_it_is(self) -> None:
        session = Session()
        session.execute("mutation { x }", None, None, again=False)
        assert session.disconnected() == []
        assert len(said(session.connected())) == 1

    def test_forgotten_it_is_completed(self, session: Session) -> None:
        key, name = self.call(session)
        assert said(session.forget(key)) == [{"type": "complete", "id": name}]
        assert list(session.receive(result(name, {"data": {"x": 1}}))) == []


@pytest.mark.parametrize(
    ("payload", "outputs"),
    [
        (None, []),
        ({"a": 1}, []),
        ({"authorization": "rejected", "expiresAt": None}, [Renewed(False, None)]),
        (
            {"authorization": "accepted", "expiresAt": "1970-01-01T00:01:00.000000Z"},
            [Renewed(True, 60.0)],
        ),
    ],
)
def test_a_pong_may_bear_the_outcome_of_a_renewal(
    session: Session, payload: dict[str, Any] | None, outputs: list[Output]
) -> None:
    assert list(session.receive(wire.Pong(payload))) == outputs


def test_a_second_ack_says_nothing(session: Session) -> None:
    assert list(session.receive(wire.Ack())) == []
