from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.vocabulary import AlertType, IncidentType, Severity
from incident_manager.http.rest.alerts import MOST, read_alert
from incident_manager.http.rest.problems import InvalidFields
from incident_manager.schema.scalars import parse_uuid
from unit.http.served import ALERT, serving

FULL = {
    **ALERT,
    "severity": "p0",
    "alert_type": "Metric",
    "incident_type": "performance",
    "external_id": "abc",
    "labels": {"team": "shop"},
    "affected_services": ["checkout"],
    "annotations": {"dashboard": "https://example.org"},
    "runbook_url": "https://example.org/runbook",
    "timestamp": "2026-01-31T12:00:00Z",
}


def wrong(given: object) -> list[str]:
    with pytest.raises(InvalidFields) as raised:
        read_alert(given)
    assert all(each.message for each in raised.value.errors)
    return [each.field for each in raised.value.errors]


def test_an_alert_with_everything() -> None:
    alert = read_alert({**FULL, "sent_by": "a newer sender"})
    assert alert.severity is Severity.P0
    assert alert.alert_type is AlertType.METRIC
    assert alert.incident_type is IncidentType.PERFORMANCE
    assert alert.affected_services == ("checkout",)
    assert alert.timestamp == 1_769_860_800_000_000
    assert alert.external_id == "abc"
    assert alert.source_key is not None
    assert not alert.resolved


def test_an_alert_with_the_least() -> None:
    alert = read_alert({**ALERT, "labels": None, "alert_type": None, "timestamp": None})
    assert alert.alert_type is AlertType.EVENT
    assert alert.incident_type is IncidentType.UNKNOWN
    assert alert.source_key is None
    assert alert.labels == {}


def test_the_alert_type_may_be_an_incident_type() -> None:
    alert = read_alert({**ALERT, "alert_type": "security"})
    assert (alert.alert_type, alert.incident_type) == (AlertType.EVENT, IncidentType.SECURITY)


@pytest.mark.parametrize("given", [None, [], "alert", 1])
def test_an_alert_is_an_object(given: object) -> None:
    assert wrong(given) == [""]


def test_every_bad_field_is_named() -> None:
    assert wrong({}) == ["source", "title", "description", "severity"]
    assert wrong(
        {
            "source": "x" * 256,
            "title": " ",
            "description": 1,
            "severity": "P9",
            "alert_type": 3,
            "incident_type": "weather",
            "external_id": "",
            "labels": {"a": 1},
            "affected_services": ["ok", ""],
            "annotations": [],
            "runbook_url": {},
            "timestamp": "yesterday",
        }
    ) == [
        "source",
        "title",
        "description",
        "severity",
        "external_id",
        "labels.a",
        "affected_services[1]",
        "annotations",
        "runbook_url",
        "incident_type",
        "timestamp",
        "alert_type",
    ]
    assert wrong({**ALERT, "alert_type": "weather"}) == ["alert_type"]


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=5,
)


@given(
    st.fixed_dictionaries({}, optional=dict.fromkeys(FULL, VALUES)),
    st.sets(st.sampled_from(list(FULL))),
)
def test_whatever_comes_is_read_or_named(strange: dict[str, Any], kept: set[str]) -> None:
    given = {**strange, **{name: FULL[name] for name in kept}}
    try:
        read_alert(given)
    except InvalidFields as refused:
        blamed = {error.field.split("[")[0].split(".")[0].split(" ")[0] for error in refused.errors}
        assert blamed <= set(FULL) - kept


async def test_an_alert_becomes_an_incident() -> None:
    async with serving() as served:
        reply = await served.post("/v1/alerts", FULL)
        assert reply.status == 202
        ack = reply.json
        assert list(ack) == ["alert_id", "incident_id", "status", "message", "received_at"]
        assert ack["status"] == "ACCEPTED"
        assert (await served.alert(**FULL))["status"] == "DUPLICATE"
        incident = (await served.get(f"/v1/incidents/{ack['incident_id']}")).json
        assert incident["title"] == ALERT["title"]
        assert incident["alert_count"] == 2


async def test_a_bad_alert_is_a_problem_and_changes_nothing() -> None:
    async with serving() as served:
        reply = await served.post("/v1/alerts", {**ALERT, "title": "", "severity": "P9"})
        assert (reply.status, reply.json["code"]) == (400, "BAD_USER_INPUT")
        assert reply.fields == ["title", "severity"]
        assert served.store.records == []


async def test_a_batch_is_answered_in_its_order() -> None:
    async with serving() as served:
        batch = [{**ALERT, "title": "A"}, {"title": ""}, 7, {**ALERT, "title": "B"}, ALERT, ALERT]
        reply = await served.post("/v1/alerts", {"alerts": batch})
        assert reply.status == 202
        acks = reply.json["acks"]
        assert [ack["status"] for ack in acks] == [
            "ACCEPTED",
            "REJECTED",
            "REJECTED",
            "ACCEPTED",
            "ACCEPTED",
            "DUPLICATE",
        ]
        assert [record.alert.title for record in served.store.records if record.alert] == [
            "A",
            "B",
            ALERT["title"],
            ALERT["title"],
        ]
        rejected = acks[1]
        assert parse_uuid(rejected["alert_id"])
        assert rejected["incident_id"] is None
        assert "severity is required" in rejected["message"]
        assert "title must not be empty" in rejected["message"]
        assert len({ack["received_at"] for ack in acks}) == 1
        assert len({ack["alert_id"] for ack in acks}) == len(acks)


async def test_a_batch_of_nothing_but_mistakes() -> None:
    async with serving() as served:
        reply = await served.post("/v1/alerts", {"alerts": [{}, {}]})
        assert reply.status == 202
        assert {ack["status"] for ack in reply.json["acks"]} == {"REJECTED"}
        assert served.store.records == []


@pytest.mark.parametrize("alerts", [[], {}, "x", [{}] * (MOST + 1)])
async def test_a_batch_has_1_to_1000_alerts(alerts: object) -> None:
    async with serving() as served:
        reply = await served.post("/v1/alerts", {"alerts": alerts})
        assert (reply.status, reply.fields) == (400, ["alerts"])


async def test_a_full_batch_is_one_transaction() -> None:
    async with serving() as served:
        batch = [{**ALERT, "title": f"Case {number}"} for number in range(MOST)]
        reply = await served.post("/v1/alerts", {"alerts": batch})
        assert len(reply.json["acks"]) == len(served.store.records) == MOST
        assert served.gateway.system is not None
        tree = served.gateway.system.tree.snapshot(node_id="root.journal")
        assert tree.root.stats["appends"] == 1


async def test_a_list_of_alerts() -> None:
    async with serving() as served:
        for number in range(3):
            await served.alert(title=f"Case {number}", labels={"n": str(number % 2)})
        reply = await served.get("/v1/alerts?page_size=2")
        assert reply.status == 200
        assert [each["title"] for each in reply.json["alerts"]] == ["Case 2", "Case 1"]
        assert reply.json["page_info"]["total_count"] == 3
        assert reply.json["cursor"] == f"{served.store.epoch}:3"
        after = reply.json["page_info"]["end_cursor"]
        rest = (await served.get(f"/v1/alerts?first=2&after={after}")).json
        assert [each["title"] for each in rest["alerts"]] == ["Case 0"]


async def test_conditions_on_alerts_hold_together() -> None:
    async with serving() as served:
        first = await served.alert(title="A", severity="P0", labels={"team": "shop"})
        await served.alert(title="A", severity="P0", labels={"team": "shop"})
        await served.alert(title="B", source="grafana", severity="P2")
        for query, titles in {
            "severity=p0,p1": ["A", "A"],
            "source=grafana": ["B"],
            f"incident_id={first['incident_id'].upper()}": ["A", "A"],
            "label=team:shop&source=grafana": [],
            f"received_after={first['received_at']}": ["B", "A"],
        }.items():
            found = (await served.get(f"/v1/alerts?{query}")).json["alerts"]
            assert [each["title"] for each in found] == titles, query


async def test_every_bad_parameter_is_named() -> None:
    async with serving() as served:
        reply = await served.get(
            "/v1/alerts?state=NEW&severity=P9&incident_id=7&received_after=x&page=-1&after=a"
        )
        assert (reply.status, reply.fields) == (
            400,
            ["state", "severity", "incident_id", "received_after", "page"],
        )
        assert (await served.get("/v1/alerts?after=nothing")).fields == ["after"]


async def test_one_alert() -> None:
    async with serving() as served:
        ack = await served.alert(**FULL)
        reply = await served.get(f"/v1/alerts/{ack['alert_id']}")
        assert reply.status == 200
        alert = reply.json
        assert {name: alert[name] for name in ("title", "labels", "external_id")} == {
            name: FULL[name] for name in ("title", "labels", "external_id")
        }
        assert (alert["status"], alert["incident_id"]) == ("CREATED_INCIDENT", ack["incident_id"])
        assert (await served.get("/v1/alerts")).json["alerts"] == [alert]


async def test_an_alert_that_the_client_holds() -> None:
    async with serving() as served:
        path = f"/v1/alerts/{(await served.alert())['alert_id']}"
        tag = (await served.get(path)).headers["ETag"]
        held = await served.get(path, headers={"If-None-Match": tag})
        assert (held.status, held.body, held.headers["ETag"]) == (304, b"", tag)
        assert (await served.get(path, headers={"If-None-Match": '"x"'})).status == 200


async def test_an_alert_that_is_not_there() -> None:
    async with serving() as served:
        missing = "00000000-0000-0000-0000-000000000000"
        reply = await served.get(f"/v1/alerts/{missing}")
        assert (reply.status, reply.fields) == (404, ["id"])
        assert (await served.get("/v1/alerts/7")).status == 400
