"""The fields of Mutation."""

from typing import Any

import pytest

from incident_manager.actors.commands import CreateIncident
from incident_manager.actors.model import Incident
from incident_manager.actors.vocabulary import IncidentType, Severity
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
