"""The fields of Mutation."""

from typing import Any

import pytest

from incident_manager.actors.commands import CreateIncident, SubmitAlert
from incident_manager.actors.errors import Refused
from incident_manager.actors.model import Incident
from incident_manager.actors.vocabulary import AlertType, IncidentType, Severity
from incident_manager.schema.resolvers.mutation import read_alert
from unit.actors.builders import make_incident
from unit.schema.desk import Desk

INPUT: dict[str, Any] = {"source": "s", "title": "t", "description": "d", "severity": "P1"}
SEND = """mutation ($input: SubmitAlertInput!) {
  submitAlert(input: $input) { alertId incidentId status message receivedAt }
}"""
RESOLVE = """mutation ($id: UUID!, $input: ResolveIncidentInput!, $version: Int) {
  resolveIncident(id: $id, input: $input, expectedVersion: $version) {
    state version resolution { resolutionMethod notes rootCause resolvedBy }
  }
}"""


async def created(desk: Desk) -> Incident:
    command = CreateIncident("s", "t", "d", Severity.P1, IncidentType.COST)
    [incident] = await desk.ask([command])
    assert isinstance(incident, Incident)
    return incident


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
    command = read_alert({**INPUT, "severity": Severity.P1, "alert_type": "Security"})
    assert (command.alert_type, command.incident_type) == (AlertType.EVENT, IncidentType.SECURITY)
    with pytest.raises(Refused):
        read_alert({**INPUT, "alert_type": "Nonsense"})


async def test_an_alert_creates_and_joins(desk: Desk) -> None:
    first = await desk.run(SEND, input=INPUT)
    second = await desk.run(SEND, input=INPUT)
    one, two = first["data"]["submitAlert"], second["data"]["submitAlert"]
    assert (one["status"], two["status"]) == ("ACCEPTED", "DUPLICATE")
    assert one["incidentId"] == two["incidentId"]
    assert one["alertId"] != two["alertId"]
    assert one["receivedAt"].endswith("Z")


async def test_an_alert_that_is_refused_names_its_field(desk: Desk) -> None:
    for wrong, field in (({"alertType": "x"}, "alertType"), ({"title": ""}, "title")):
        result = await desk.run(SEND, input={**INPUT, **wrong})
        assert result["data"] is None
        assert result["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": field}


async def test_an_incident_is_resolved_once(desk: Desk) -> None:
    incident = await created(desk)
    given = {"method": "MANUAL", "notes": "restarted", "rootCause": "a leak"}
    done = await desk.run(RESOLVE, id=incident.id, input=given, version=1)
    assert done["data"]["resolveIncident"] == {
        "state": "RESOLVED",
        "version": 2,
        "resolution": {
            "resolutionMethod": "MANUAL",
            "notes": "restarted",
            "rootCause": "a leak",
            "resolvedBy": "rae",
        },
    }
    again = await desk.run(RESOLVE, id=incident.id, input=given)
    assert again["errors"][0]["extensions"]["code"] == "INVALID_STATE_TRANSITION"


@pytest.mark.parametrize(
    ("there", "version", "code"), [(True, 9, "CONFLICT"), (False, None, "NOT_FOUND")]
)
async def test_what_cannot_be_resolved(
    desk: Desk, there: bool, version: int | None, code: str
) -> None:
    incident_id = (await created(desk)).id if there else make_incident().id
    given = {"method": "MANUAL", "notes": ""}
    result = await desk.run(RESOLVE, id=incident_id, input=given, version=version)
    assert result["errors"][0]["extensions"]["code"] == code


async def test_two_changes_are_done_in_their_order(desk: Desk) -> None:
    incident = await created(desk)
    given = f'(id: "{incident.id}", input: {{method: MANUAL, notes: ""}})'
    result = await desk.run(
        f"mutation {{ first: resolveIncident{given} {{ version }}"
        f" second: resolveIncident{given} {{ version }} }}"
    )
    assert result["data"] is None
    assert [error["path"] for error in result["errors"]] == [["second"]]
