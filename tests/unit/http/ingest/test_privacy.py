"""Labels and annotations that are not let in, by whichever door they come."""

from typing import Any

import pytest
from attrs import evolve

from incident_manager.actors import commands as c
from incident_manager.actors.vocabulary import IncidentType, Severity
from incident_manager.http.ingest.privacy import MASKED, Privacy
from incident_manager.http.sections import ProcessingSettings
from incident_manager.http.settings import Settings
from unit.http.served import ALERT, Served, serving

PRIVACY = Privacy(("user*",), ("*email",))
GIVEN = {"user": "Xanthippe", "email": "x@example.org", "user.email": "both", "team": "web"}
KEPT = {"email": MASKED, "team": "web"}
SETTINGS = Settings(
    processing=ProcessingSettings(drop_labels=("user*",), mask_labels=("*email", "summary"))
)
ALERT_COMMAND = c.SubmitAlert("s", "t", "d", Severity.P1, labels=GIVEN, annotations=GIVEN)


@pytest.mark.parametrize(
    ("command", "names"),
    [
        (ALERT_COMMAND, ("labels", "annotations")),
        (
            c.CreateIncident(
                "s", "t", "d", Severity.P1, IncidentType.OTHER, labels=GIVEN, metadata=GIVEN
            ),
            ("labels", "metadata"),
        ),
        (
            c.UpdateIncident("1", labels=GIVEN, add_labels=GIVEN, metadata=GIVEN),
            ("labels", "add_labels", "metadata"),
        ),
    ],
)
def test_names_are_dropped_or_masked_in_every_map(command: Any, names: tuple[str, ...]) -> None:
    assert PRIVACY.apply(command) == evolve(command, **dict.fromkeys(names, KEPT))


def test_without_patterns_and_for_other_commands_nothing_changes() -> None:
    assert Privacy().apply(ALERT_COMMAND) is ALERT_COMMAND
    close = c.CloseIncident("1")
    assert PRIVACY.apply(close) is close
    update = c.UpdateIncident("1", title="user")
    assert PRIVACY.apply(update) == update


def test_a_description_made_of_annotations_loses_what_they_lose() -> None:
    command = evolve(
        ALERT_COMMAND,
        description="Hello Xanthippe, Xanthippe of Athens",
        annotations={"user": "Xanthippe", "user2": "Xanthippe of Athens", "user3": " "},
    )
    assert PRIVACY.apply(command) == evolve(
        command, labels=KEPT, annotations={}, description=f"Hello {MASKED}, {MASKED}"
    )


async def stored(served: Served) -> str:
    parts = ("/v1/events", "/v1/alerts", "/v1/incidents")
    return "".join([(await served.get(each)).body.decode() for each in parts])


async def test_no_door_lets_it_in() -> None:
    async with serving(SETTINGS) as served:
        labels = {"user": "Xanthippe", "email": "Xanthippe@example.org"}
        one = {**ALERT, "labels": labels, "annotations": {"summary": "Xanthippe"}}
        ack = (await served.post("/v1/alerts", one)).json
        foreign = {
            "labels": {"alertname": "Slow", **labels},
            "annotations": {"summary": "Xanthippe"},
        }
        webhook = {"version": "4", "alerts": [{**foreign, "status": "firing", "fingerprint": "f"}]}
        assert (await served.post("/v1/alerts/alertmanager", webhook)).status == 202
        assert (await served.post("/api/v2/alerts", [foreign])).status == 200
        created = {**ALERT, "incident_type": "OTHER", "labels": labels, "metadata": labels}
        reply = await served.post("/v1/incidents", created)
        assert reply.status == 201
        path = f"/v1/incidents/{ack['incident_id']}"
        await served.ask("PATCH", path, json={"add_labels": labels})
        mutation = (
            """mutation ($input: SubmitAlertInput!) { submitAlert(input: $input) { status } }"""
        )
        given = {
            "source": "s",
            "title": "t",
            "description": "d",
            "severity": "P1",
            "labels": labels,
        }
        body = {"query": mutation, "variables": {"input": given}}
        assert "errors" not in (await served.post("/graphql", body)).json
        text = await stored(served)
        assert "Xanthippe" not in text
        assert MASKED in text


async def test_what_joins_what_does_not_depend_on_it() -> None:
    async with serving(SETTINGS) as served:
        first = await served.alert(labels={"user": "Xanthippe"})
        second = await served.alert(labels={"user": "Sokrates"})
        assert second["status"] == "DUPLICATE"
        assert second["incident_id"] == first["incident_id"]
