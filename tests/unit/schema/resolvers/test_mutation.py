"""The fields of Mutation."""

from typing import Any

import pytest

from incident_manager.actors.commands import CreateIncident
from incident_manager.actors.model import Incident
from incident_manager.actors.vocabulary import IncidentType, Severity
from incident_manager.schema.build import schema
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


CREATE = """mutation ($input: CreateIncidentInput!) { createIncident(input: $input) {
  id title description severity state incidentType source assignees affectedResources labels
  metadata version
} }"""


async def test_an_incident_is_opened_by_hand(desk: Desk) -> None:
    given = {
        "source": "s",
        "title": "t",
        "description": "d",
        "severity": "P3",
        "incidentType": "DATA",
        "assignees": ["rae", "kim", "rae"],
        "affectedResources": ["db"],
        "labels": {"a": "b"},
        "metadata": {"c": "d"},
    }
    result = await desk.run(CREATE, input=given)
    found = result["data"]["createIncident"]
    assert found.pop("id")
    assert found == {**given, "assignees": ["rae", "kim"], "state": "NEW", "version": 1}
    result = await desk.run(CREATE, input={**given, "title": " "})
    assert result["errors"][0]["extensions"] == {"code": "BAD_USER_INPUT", "field": "title"}


async def test_the_life_of_an_incident(desk: Desk) -> None:
    """Every change, one after the other in one operation, from NEW to CLOSED and back."""
    one, two = await created(desk), await created(desk)
    result = await desk.run(
        """mutation ($id: UUID!, $other: UUID!) {
          seen: acknowledgeIncident(id: $id, expectedVersion: 1) {
            version state acknowledgedBy acknowledgedAt }
          taken: assignIncident(incidentId: $id, assignees: ["kim"], expectedVersion: 2) {
            version assignedTo }
          said: addComment(incidentId: $id, comment: "Looking") {
            version comments { totalCount comments { author content } } }
          raised: escalateIncident(
            incidentId: $id, newSeverity: P0, reason: "spreads", expectedVersion: 4) {
            version severity }
          linked: linkIncidents(incidentId: $id, relatedId: $other) {
            version relatedIncidents { id relatedIncidents { id } } }
          changed: updateIncident(
            id: $id, expectedVersion: 6,
            input: {title: "T", state: MONITORING, addLabels: {a: "b"}, assignees: []}) {
            version title state labels assignedTo }
          solved: resolveIncident(
            id: $id, input: {method: AUTOMATED, notes: "n"}, expectedVersion: 7) {
            version isActive resolvedAt }
          done: closeIncident(id: $id, expectedVersion: 8) { version state closedAt }
          again: reopenIncident(id: $id, reason: "no", expectedVersion: 9) {
            version state resolution { notes } }
        }""",
        id=one.id,
        other=two.id,
    )
    assert "errors" not in result, result["errors"]
    data = result["data"]
    assert [each["version"] for each in data.values()] == list(range(2, 11))
    assert data["seen"]["state"] == "INVESTIGATING"
    assert data["seen"]["acknowledgedBy"] == "rae"
    assert data["taken"]["assignedTo"] == "kim"
    assert data["said"]["comments"] == {
        "totalCount": 1,
        "comments": [{"author": "rae", "content": "Looking"}],
    }
    assert data["raised"]["severity"] == "P0"
    assert data["linked"]["relatedIncidents"] == [
        {"id": two.id, "relatedIncidents": [{"id": one.id}]}
    ]
    assert {key: value for key, value in data["changed"].items() if key != "version"} == {
        "title": "T",
        "state": "MONITORING",
        "labels": {"a": "b"},
        "assignedTo": None,
    }
    assert data["solved"]["isActive"] is False
    assert data["done"]["state"] == "CLOSED"
    assert (data["again"]["state"], data["again"]["resolution"]) == ("INVESTIGATING", None)


async def test_a_relation_behind_a_change_is_read_again(desk: Desk) -> None:
    incident = await created(desk)
    say = f'addComment(incidentId: "{incident.id}", comment: "x") {{ comments {{ totalCount }} }}'
    result = await desk.run(f"mutation {{ a: {say} b: {say} }}")
    assert [each["comments"]["totalCount"] for each in result["data"].values()] == [1, 2]


VERSIONED = [
    'updateIncident(id: "%s", input: {title: "x"}, expectedVersion: 7)',
    'acknowledgeIncident(id: "%s", expectedVersion: 7)',
    'assignIncident(incidentId: "%s", assignees: [], expectedVersion: 7)',
    'escalateIncident(incidentId: "%s", newSeverity: P0, reason: "x", expectedVersion: 7)',
    'resolveIncident(id: "%s", input: {method: MANUAL, notes: ""}, expectedVersion: 7)',
    'closeIncident(id: "%s", expectedVersion: 7)',
    'reopenIncident(id: "%s", expectedVersion: 7)',
]


@pytest.mark.parametrize("change", VERSIONED)
async def test_another_version_is_a_conflict(desk: Desk, change: str) -> None:
    incident = await created(desk)
    result = await desk.run(f"mutation {{ {change % incident.id} {{ id }} }}")
    assert result["data"] is None
    [error] = result["errors"]
    assert error["extensions"] == {"code": "CONFLICT", "field": "expectedVersion"}


def test_every_change_that_takes_a_version_is_tried() -> None:
    kind = schema.mutation_type
    assert kind is not None
    named = {each.split("(")[0] for each in VERSIONED}
    assert named == {name for name, each in kind.fields.items() if "expectedVersion" in each.args}


@pytest.mark.parametrize(
    ("change", "code", "field"),
    [
        ('updateIncident(id: "%s", input: {})', "BAD_USER_INPUT", "input"),
        ('closeIncident(id: "%s")', "INVALID_STATE_TRANSITION", "state"),
        ('reopenIncident(id: "%s")', "INVALID_STATE_TRANSITION", "state"),
        ('updateIncident(id: "%s", input: {state: CLOSED})', "INVALID_STATE_TRANSITION", "state"),
        ('escalateIncident(incidentId: "%s", newSeverity: P4, reason: "x")', "BAD_USER_INPUT",
         "newSeverity"),
        ('escalateIncident(incidentId: "%s", newSeverity: P0, reason: "")', "BAD_USER_INPUT",
         "reason"),
        ('addComment(incidentId: "%s", comment: "")', "BAD_USER_INPUT", "comment"),
        ('assignIncident(incidentId: "%s", assignees: [""])', "BAD_USER_INPUT", "assignees[0]"),
        ('linkIncidents(incidentId: "%s", relatedId: "%s")', "BAD_USER_INPUT", "relatedId"),
    ],
)  # fmt: skip
async def test_what_cannot_be_done(desk: Desk, change: str, code: str, field: str) -> None:
    incident = await created(desk)
    asked = change.replace("%s", incident.id)
    result = await desk.run(f"mutation {{ {asked} {{ id }} }}")
    assert result["data"] is None
    [error] = result["errors"]
    assert error["extensions"] == {"code": code, "field": field}
