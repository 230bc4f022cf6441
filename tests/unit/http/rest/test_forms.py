from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.commands import EscalateIncident, SubmitAlert
from incident_manager.actors.vocabulary import Severity
from incident_manager.http.rest.fields import Fields
from incident_manager.http.rest.forms import Form, kind_of
from incident_manager.http.rest.problems import InvalidFields

ESCALATED = Form(
    "Escalate",
    EscalateIncident("-", Severity.P4, "-"),
    required=("new_severity", "reason"),
    names={"new_severity": "severity"},
)
ALERT = Form(
    "Alert",
    SubmitAlert("-", "-", "-", Severity.P4),
    required=("source", "severity"),
    optional=("timestamp", "labels", "affected_services"),
)


def test_a_command_of_its_members() -> None:
    command = ALERT.read(
        {
            "source": "grafana",
            "severity": "p0",
            "timestamp": "1970-01-01T00:00:01Z",
            "labels": {"team": "shop"},
            "affected_services": ["a", "b"],
            "title": "not asked for",
        }
    )
    assert command == SubmitAlert(
        "grafana",
        "-",
        "-",
        Severity.P0,
        timestamp=1_000_000,
        labels={"team": "shop"},
        affected_services=("a", "b"),
    )


def test_null_is_absent() -> None:
    command = ALERT.read({"source": "s", "severity": "P1", "timestamp": None, "labels": None})
    assert (command.timestamp, command.labels) == (None, {})


def test_what_is_wrong_is_named_in_the_order_of_the_members() -> None:
    fields = Fields({"labels": {"team": 3}, "timestamp": 7, "affected_services": "x"})
    ALERT.fill(fields)
    assert [error.field for error in fields.errors] == [
        "source",
        "severity",
        "timestamp",
        "labels.team",
        "affected_services",
    ]


def test_a_member_may_be_called_otherwise() -> None:
    command = ESCALATED.read({"new_severity": "P0", "reason": "why"})
    assert ESCALATED.complete(command, {"id": "x"}) == EscalateIncident("x", Severity.P0, "why")
    with pytest.raises(InvalidFields) as raised:
        ESCALATED.read({"severity": "P0", "reason": "why"})
    assert [error.field for error in raised.value.errors] == ["new_severity"]


def test_the_type_of_an_attribute() -> None:
    assert kind_of(SubmitAlert, "timestamp") is int
    assert kind_of(SubmitAlert, "runbook_url") is str
    assert kind_of(SubmitAlert, "affected_services") is tuple


ANYTHING: Any = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=4),
    st.lists(st.text(max_size=3), max_size=3),
    st.dictionaries(st.text(max_size=3), st.none() | st.text(max_size=3), max_size=3),
)


@given(st.dictionaries(st.sampled_from([member.name for member in ALERT.members]), ANYTHING))
def test_whatever_comes_is_read_or_named(body: dict[str, Any]) -> None:
    fields = Fields(body)
    ALERT.fill(fields)
    absent = {name for name in ALERT.required if body.get(name) is None}
    assert {error.member for error in fields.errors} <= set(body) | absent
    assert {error.member for error in fields.errors} >= absent
