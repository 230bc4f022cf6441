from typing import Any

import pytest

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.base import Bounds
from incident_manager.http.rest.events import check_place
from incident_manager.http.rest.problems import Gone, InvalidFields
from unit.http.served import Served, serving

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


async def followed(served: Served, limit: int) -> list[dict[str, Any]]:
    """The whole journal, as a client reads it that asks again and again."""
    found: list[dict[str, Any]] = []
    after = ""
    while True:
        page = (await served.get(f"/v1/events?limit={limit}&after={after}")).json
        found += page["events"]
        after = page["next"]
        if not page["has_more"]:
            return found


async def test_the_journal_as_it_is() -> None:
    async with serving() as served:
        ack = await served.alert()
        path = f"/v1/incidents/{ack['incident_id']}"
        await served.post(f"{path}/comments", {"comment": "Seen"}, headers={"traceparent": TRACE})
        await served.ask("POST", f"{path}/acknowledge")
        reply = await served.get("/v1/events")
        assert reply.status == 200
        epoch = served.store.epoch
        assert reply.json["next"] == f"{epoch}:3"
        assert reply.json["has_more"] is False
        first, second, third = reply.json["events"]
        assert [each["cursor"] for each in (first, second, third)] == [
            f"{epoch}:{number}" for number in (1, 2, 3)
        ]
        assert (first["kind"], first["update_type"], first["before"]) == ("alert", "CREATED", None)
        assert first["alert"]["id"] == ack["alert_id"]
        assert first["alert"]["incident_id"] == first["incident"]["id"] == ack["incident_id"]
        assert (second["kind"], second["comment"]["content"]) == ("comment", "Seen")
        assert (second["traceparent"], third["traceparent"]) == (TRACE, None)
        assert third["before"] == {"state": "NEW", "severity": "P1", "assignees": []}
        assert third["changed"] == ["state", "acknowledged_at", "acknowledged_by"]
        assert (third["update_type"], third["actor"]) == ("STATE_CHANGED", "anonymous")
        assert third["incident"] == (await served.get(path)).json


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
async def test_pages_follow_each_other(limit: int) -> None:
    async with serving() as served:
        for number in range(6):
            await served.alert(title=f"Case {number}")
        found = await followed(served, limit)
        assert [each["incident"]["title"] for each in found] == [f"Case {n}" for n in range(6)]


async def test_an_alert_without_an_incident_is_an_event_too() -> None:
    async with serving() as served:
        alert = {"status": "resolved", "labels": {"alertname": "Gone"}}
        await served.post("/v1/alerts/alertmanager", {"alerts": [alert]})
        [event] = (await served.get("/v1/events")).json["events"]
        assert event["alert"]["title"] == "Gone"
        assert (event["incident"], event["update_type"]) == (None, None)


async def test_a_journal_without_events() -> None:
    async with serving() as served:
        epoch = served.store.epoch
        reply = await served.get("/v1/events")
        assert reply.json == {"events": [], "next": f"{epoch}:0", "has_more": False}
        assert (await served.get(f"/v1/events?after={epoch}:0")).json == reply.json


async def test_a_place_that_is_not_kept_is_gone() -> None:
    async with serving() as served:
        for number in range(5):
            await served.alert(title=f"Case {number}")
        [journal] = served.opened
        assert await journal.trim(keep=2, before=0, limit=10) == 3
        epoch = served.store.epoch
        for after in (f"{epoch}:2", "other:4"):
            reply = await served.get(f"/v1/events?after={after}")
            assert (reply.status, reply.json["code"]) == (410, "NOT_FOUND")
            assert (reply.fields, reply.json["oldest"]) == (["after"], f"{epoch}:3")
        on = (await served.get(f"/v1/events?after={reply.json['oldest']}")).json
        assert [each["cursor"] for each in on["events"]] == [f"{epoch}:4", f"{epoch}:5"]
        assert (await served.get("/v1/events")).json == on


async def test_a_place_ahead_was_never_given() -> None:
    async with serving() as served:
        await served.alert()
        reply = await served.get(f"/v1/events?after={served.store.epoch}:2")
        assert (reply.status, reply.fields) == (400, ["after"])


async def test_every_bad_parameter_is_named() -> None:
    async with serving() as served:
        for query, fields in {
            "after=here&limit=x&page=1": ["page", "after", "limit"],
            "limit=0": ["limit"],
            "limit=101": ["limit"],
        }.items():
            reply = await served.get(f"/v1/events?{query}")
            assert (reply.status, reply.fields) == (400, fields)


def test_the_edges_of_what_is_kept() -> None:
    bounds = Bounds("e", 4, 9)
    for good in (3, 4, 9):
        check_place(Cursor("e", good), bounds)
    for epoch, offset in (("e", 2), ("f", 5), ("f", 99)):
        with pytest.raises(Gone) as gone:
            check_place(Cursor(epoch, offset), bounds)
        assert gone.value.oldest == "e:3"
    with pytest.raises(InvalidFields):
        check_place(Cursor("e", 10), bounds)
