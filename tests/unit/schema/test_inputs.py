"""Inputs: every field arrives in its command, and null is as if it were not there."""

from typing import Any

import pytest
from graphql import GraphQLInputObjectType

from incident_manager.actors.commands import (
    CreateIncident,
    ResolveIncident,
    SubmitAlert,
    UpdateIncident,
)
from incident_manager.actors.errors import Refused
from incident_manager.actors.vocabulary import (
    AlertType,
    IncidentState,
    IncidentType,
    ResolutionMethod,
    Severity,
)
from incident_manager.schema.build import schema
from incident_manager.schema.inputs import (
    read_alert,
    read_incident,
    read_resolution,
    read_update,
)

INPUT: dict[str, Any] = {"source": "s", "title": "t", "description": "d", "severity": Severity.P1}


def inputs(name: str) -> set[str]:
    """The fields of an input object, as resolvers get them."""
    kind = schema.type_map[name]
    assert isinstance(kind, GraphQLInputObjectType)
    return {field.out_name or each for each, field in kind.fields.items()}


def test_an_alert_with_all_its_fields() -> None:
    command = read_alert(
        {
            "external_id": "7",
            "source": "grafana",
            "title": "t",
            "description": "d",
            "severity": Severity.P2,
            "alert_type": "metric",
            "incident_type": IncidentType.COST,
            "labels": {"a": "b"},
            "affected_services": ["db", "web"],
            "runbook_url": "https://example.org",
            "annotations": {"c": "d"},
            "timestamp": 5,
        }
    )
    assert command == SubmitAlert(
        source="grafana",
        title="t",
        description="d",
        severity=Severity.P2,
        alert_type=AlertType.METRIC,
        incident_type=IncidentType.COST,
        external_id="7",
        labels={"a": "b"},
        affected_services=("db", "web"),
        annotations={"c": "d"},
        runbook_url="https://example.org",
        timestamp=5,
        source_key="7:grafana:7",
    )


@pytest.mark.parametrize("nothing", [{}, {"labels": None, "affected_services": None}])
def test_an_alert_with_the_least(nothing: dict[str, None]) -> None:
    least = {"source": "s", "title": "t", "description": "d", "severity": Severity.P1}
    assert read_alert({**least, **nothing}) == SubmitAlert("s", "t", "d", Severity.P1)


def test_an_incident_type_for_an_alert_type() -> None:
    command = read_alert({**INPUT, "alert_type": "Security"})
    assert (command.alert_type, command.incident_type) == (AlertType.EVENT, IncidentType.SECURITY)
    with pytest.raises(Refused):
        read_alert({**INPUT, "alert_type": "Nonsense"})


INCIDENT: dict[str, Any] = {
    **INPUT,
    "incident_type": IncidentType.COST,
    "affected_resources": ["db"],
    "labels": {"a": "b"},
    "metadata": {"c": "d"},
    "assignees": ["rae", "kim"],
}


def test_an_incident_with_all_its_fields() -> None:
    assert INCIDENT.keys() == inputs("CreateIncidentInput")
    assert read_incident(INCIDENT) == CreateIncident(
        source="s",
        title="t",
        description="d",
        severity=Severity.P1,
        incident_type=IncidentType.COST,
        affected_resources=("db",),
        labels={"a": "b"},
        metadata={"c": "d"},
        assignees=("rae", "kim"),
    )


@pytest.mark.parametrize("nothing", [True, False])
def test_an_incident_with_the_least(nothing: bool) -> None:
    least = {**INPUT, "incident_type": IncidentType.COST}
    given = {**dict.fromkeys(INCIDENT), **least} if nothing else least
    assert read_incident(given) == CreateIncident("s", "t", "d", Severity.P1, IncidentType.COST)


def test_an_update_with_all_its_fields() -> None:
    given = {
        "title": "t",
        "description": "d",
        "severity": Severity.P0,
        "state": IncidentState.MONITORING,
        "incident_type": IncidentType.DATA,
        "assignees": [],
        "add_labels": {"a": "b"},
        "remove_labels": ["c"],
        "metadata": {},
    }
    assert given.keys() == inputs("UpdateIncidentInput")
    assert read_update("i", given, 3) == UpdateIncident(
        id="i",
        title="t",
        description="d",
        severity=Severity.P0,
        state=IncidentState.MONITORING,
        incident_type=IncidentType.DATA,
        assignees=(),
        add_labels={"a": "b"},
        remove_labels=("c",),
        metadata={},
        expected_version=3,
    )
    assert read_update("i", {}, None) == UpdateIncident("i")
    assert read_update("i", dict.fromkeys(given), None) == UpdateIncident("i")


def test_a_resolution() -> None:
    given = {"method": ResolutionMethod.MANUAL, "notes": "n", "root_cause": "r"}
    assert given.keys() == inputs("ResolveIncidentInput")
    assert read_resolution("i", given, 3) == ResolveIncident(
        "i", ResolutionMethod.MANUAL, "n", "r", 3
    )
    del given["root_cause"]
    assert read_resolution("i", given, None).root_cause is None
