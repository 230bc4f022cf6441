import logging
from typing import Any

import pytest

from incident_manager.actors.model import Incident
from incident_manager.http.rest.batch import AT_ONCE
from incident_manager.http.sections import ProcessingSettings
from incident_manager.http.settings import Settings
from unit.http.ingest.messages import LABELS, ZERO, posted, webhook, webhook_alert_of
from unit.http.served import Served, serving

WEBHOOK = "/v1/alerts/alertmanager"
DIRECT = "/api/v2/alerts"
PAST, FUTURE = "2020-01-01T00:00:00Z", "2999-01-01T00:00:00Z"


class Sender:
    """A sender of alerts by one of the two ways."""

    def __init__(self, served: Served, path: str) -> None:
        self.served = served
        self.path = path

    async def send(self, *given: tuple[bool, dict[str, str]]) -> list[dict[str, Any]]:
        """Alerts by whether they fire and what their labels are besides the usual."""
        if self.path == WEBHOOK:
            message: object = webhook(
                *(
                    webhook_alert_of(
                        status="firing" if fires else "resolved",
                        labels={**LABELS, **labels},
                        endsAt=ZERO if fires else PAST,
                        fingerprint=None,
                    )
                    for fires, labels in given
                )
            )
        else:
            message = [
                posted(labels={**LABELS, **labels}, endsAt=FUTURE if fires else PAST)
                for fires, labels in given
            ]
        reply = await self.served.post(self.path, message)
        assert reply.status == (202 if self.path == WEBHOOK else 200), reply.body
        acks: list[dict[str, Any]] = reply.json["acks"]
        return acks

    async def one(self, fires: bool, **labels: str) -> dict[str, Any]:
        [ack] = await self.send((fires, labels))
        return ack


def now(served: Served, incident_id: str) -> Incident:
    """The incident as of the last event."""
    for record in reversed(served.store.records):
        if record.incident is not None and record.incident.id == incident_id:
            return record.incident
    raise AssertionError(incident_id)


each_way = pytest.mark.parametrize("path", [WEBHOOK, DIRECT])


@each_way
async def test_it_fires_resolves_and_fires_again(path: str) -> None:
    async with serving() as served:
        sender = Sender(served, path)
        first = await sender.one(True)
        assert (first["status"], first["message"]) == ("ACCEPTED", "Incident created.")
        incident = now(served, first["incident_id"])
        assert (incident.title, incident.severity, incident.state) == ("HighLatency", "P1", "NEW")
        assert incident.affected_resources == ("checkout",)
        assert (await sender.one(True))["status"] == "DUPLICATE"
        gone = await sender.one(False)
        assert (gone["incident_id"], gone["message"]) == (incident.id, "Incident resolved.")
        assert now(served, incident.id).state == "RESOLVED"
        again = await sender.one(True)
        assert (again["incident_id"], again["message"]) == (incident.id, "Incident reopened.")
        assert now(served, incident.id).state == "INVESTIGATING"


@each_way
async def test_many_instances_are_one_incident_and_its_last_one_resolves_it(path: str) -> None:
    async with serving() as served:
        sender = Sender(served, path)
        places = [{"instance": f"web-{number}"} for number in range(5)]
        acks = await sender.send(*((True, place) for place in places))
        assert len({ack["incident_id"] for ack in acks}) == 1
        assert [ack["status"] for ack in acks] == ["ACCEPTED", *["DUPLICATE"] * 4]
        other = await sender.one(True, service="search", instance="web-0")
        incident_id = acks[0]["incident_id"]
        assert other["incident_id"] != incident_id
        acks = await sender.send(*((False, place) for place in places[:4]))
        assert {ack["message"] for ack in acks} == {"Alert resolved."}
        assert now(served, incident_id).is_active
        last = await sender.one(False, **places[4])
        assert last["message"] == "Incident resolved."
        assert not now(served, incident_id).is_active
        assert now(served, other["incident_id"]).is_active


async def test_an_alert_that_comes_both_ways_is_one() -> None:
    async with serving() as served:
        one = await Sender(served, WEBHOOK).one(True)
        other = await Sender(served, DIRECT).one(True)
        assert other["incident_id"] == one["incident_id"]
        gone = await Sender(served, DIRECT).one(False)
        assert gone["message"] == "Incident resolved."


@each_way
async def test_the_severity_map_of_the_settings(path: str) -> None:
    mapped = ProcessingSettings(severity_map={"sev1": "P0", "critical": "P2"})
    async with serving(Settings(processing=mapped)) as served:
        sender = Sender(served, path)
        for word, severity in (("SEV1", "P0"), ("critical", "P2"), ("warning", "P3")):
            ack = await sender.one(True, severity=word, service=word)
            assert now(served, ack["incident_id"]).severity == severity


async def test_a_bad_alert_is_rejected_in_its_place(caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as served:
        bad = webhook_alert_of(labels={"service": "x"})
        with caplog.at_level(logging.WARNING):
            reply = await served.post(WEBHOOK, webhook(bad, webhook_alert_of(), 7))
        assert reply.status == 202
        acks = reply.json["acks"]
        assert [ack["status"] for ack in acks] == ["REJECTED", "ACCEPTED", "REJECTED"]
        assert acks[0]["message"] == "labels must have an alertname."
        assert acks[0]["incident_id"] is None
        assert len(served.store.records) == 1
        assert caplog.messages == [
            "2 of 3 alerts from Alertmanager rejected: labels must have an alertname."
        ]
        reply = await served.post(DIRECT, [posted(startsAt="soon"), posted(endsAt=FUTURE)])
        assert reply.status == 200
        assert [ack["status"] for ack in reply.json["acks"]] == ["REJECTED", "ACCEPTED"]
        assert reply.json["acks"][0]["message"].startswith("startsAt must be a time")


async def test_no_alerts_are_no_mistake() -> None:
    async with serving() as served:
        assert (await served.post(WEBHOOK, webhook())).json == {"acks": []}
        assert (await served.post(DIRECT, [])).json == {"acks": []}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        (WEBHOOK, []),
        (WEBHOOK, {"version": "3", "alerts": []}),
        (WEBHOOK, {"receiver": "x"}),
        (DIRECT, {"alerts": []}),
        (DIRECT, None),
    ],
)
async def test_what_is_no_message_is_400(path: str, message: object) -> None:
    async with serving() as served:
        reply = await served.post(path, message)
        assert (reply.status, reply.json["code"]) == (400, "BAD_USER_INPUT")


@each_way
async def test_an_idempotency_key_is_one_change(path: str) -> None:
    async with serving() as served:
        alerts = [posted(status="firing", endsAt=FUTURE), 7]
        body = webhook(*alerts) if path == WEBHOOK else alerts
        headers = {"Idempotency-Key": "k1"}
        first = await served.post(path, body, headers=headers)
        again = await served.post(path, body, headers=headers)
        assert first.json == again.json
        assert again.headers["Idempotency-Replayed"] == "true"
        assert len(served.store.records) == 1
        other = await served.post(path, webhook() if path == WEBHOOK else [], headers=headers)
        assert other.status == 422


async def test_a_storm_is_taken_in_whole() -> None:
    async with serving() as served:
        alerts = [posted(labels={**LABELS, "instance": str(n)}) for n in range(2 * AT_ONCE + 1)]
        headers = {"Idempotency-Key": "k1"}
        reply = await served.post(DIRECT, alerts, headers=headers)
        assert len(reply.json["acks"]) == len(served.store.records) == len(alerts)
        assert (await served.post(DIRECT, alerts, headers=headers)).json == reply.json
        assert len(served.store.records) == len(alerts)
