"""``POST /v1/incidents/{id}/redact``: who may, what goes, and what is told of it."""

import json

import pytest

from incident_manager.http.auth import Role
from unit.http.served import ALERT, AUTHENTICATED, Served, bearer, serving

SECRET = "Xanthippe"
MISSING = "00000000-0000-0000-0000-000000000000"
FULL = {
    **ALERT,
    "title": f"Login of {SECRET} fails",
    "description": f"{SECRET} cannot log in",
    "labels": {"user": SECRET, "team": "web"},
    "annotations": {"summary": SECRET},
}
KEY = {"Idempotency-Key": "once"}


async def incident(served: Served, **given: object) -> str:
    reply = await served.post("/v1/alerts", FULL, **given)
    path = f"/v1/incidents/{reply.json['incident_id']}"
    await served.post(f"{path}/comments", {"comment": f"I am {SECRET}"}, **given)
    return path


async def everything(served: Served, path: str) -> str:
    parts = ["", "/comments", "/timeline"]
    replies = [await served.get(f"{path}{part}") for part in parts]
    replies += [await served.get(each) for each in ("/v1/events", "/v1/alerts", "/v1/incidents")]
    replies.append(await served.post("/v1/alerts", FULL, headers=KEY))
    return "".join(reply.body.decode() for reply in replies)


async def test_nothing_that_can_be_read_has_the_text() -> None:
    async with serving() as served:
        path = await incident(served, headers=KEY)
        assert SECRET in await everything(served, path)
        reply = await served.post(
            f"{path}/redact",
            {"reason": "asked for", "labels": ["us*"]},
            headers={"If-Match": '"2"'},
        )
        assert reply.status == 200
        assert reply.headers["ETag"] == '"3"'
        assert reply.json["title"] == "[redacted]"
        assert reply.json["labels"] == {"user": "[redacted]", "team": "web"}
        assert SECRET not in await everything(served, path)


async def test_it_is_an_event_and_in_the_audit() -> None:
    async with serving(AUTHENTICATED) as served:
        path = await incident(served, headers=bearer(Role.RESPONDER))
        olga = bearer(Role.ADMIN, "olga")
        await served.post(f"{path}/redact", {"reason": "asked for"}, headers=olga)
        events = (await served.get("/v1/events", headers=olga)).json["events"]
        assert [each["kind"] for each in events] == ["alert", "comment", "redact"]
        assert [int(each["cursor"].split(":")[1]) for each in events] == [1, 2, 3]
        assert (events[2]["update_type"], events[2]["actor"]) == ("UPDATED", "olga")
        assert SECRET not in json.dumps([each["incident"]["title"] for each in events])
        [entry] = (await served.get("/v1/audit?action=REDACT", headers=olga)).json["entries"]
        assert (entry["principal"], entry["offset"]) == ("olga", 3)
        assert entry["detail"] == {"reason": "asked for", "fields": "title, description"}
        lines = (await served.get(f"{path}/timeline", headers=olga)).json["events"]
        assert lines[-1]["description"] == "Redacted"
        assert lines[-1]["metadata"] == {"changed": "title, description"}


async def test_a_part_of_it_may_go_alone() -> None:
    async with serving() as served:
        path = await incident(served)
        body = {"reason": "asked for", "fields": ["comments", "ALERTS"]}
        reply = await served.post(f"{path}/redact", body)
        assert reply.json["title"] == FULL["title"]
        [comment] = (await served.get(f"{path}/comments")).json["comments"]
        assert comment["content"] == "[redacted]"
        [alert] = (await served.get("/v1/alerts")).json["alerts"]
        assert (alert["title"], alert["annotations"]) == ("[redacted]", {})
        assert alert["labels"]["user"] == SECRET


async def test_what_comes_afterwards_is_taken_as_ever() -> None:
    async with serving() as served:
        path = await incident(served)
        await served.post(f"{path}/redact", {"reason": "asked for"})
        ack = await served.alert(**FULL)
        assert ack["status"] == "DUPLICATE"  # it is known by a digest, which stays
        await served.ask("PATCH", path, json={"title": "Some login fails"})
        assert (await served.get(path)).json["title"] == "Some login fails"


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RESPONDER])
async def test_it_is_for_admins(role: Role) -> None:
    async with serving(AUTHENTICATED) as served:
        path = await incident(served, headers=bearer(Role.RESPONDER))
        reply = await served.post(f"{path}/redact", {"reason": "x"}, headers=bearer(role))
        assert (reply.status, reply.json["code"]) == (403, "FORBIDDEN")
        found = await served.get(path, headers=bearer(Role.VIEWER))
        assert found.json["title"] == FULL["title"]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "reason"),
        ({"reason": ""}, "reason"),
        ({"reason": "x", "fields": ["everything"]}, "fields"),
        ({"reason": "x", "fields": "TITLE"}, "fields"),
        ({"reason": "x", "labels": [""]}, "labels[0]"),
    ],
)
async def test_what_is_wrong_is_named(body: dict[str, object], field: str) -> None:
    async with serving() as served:
        path = await incident(served)
        reply = await served.post(f"{path}/redact", body)
        assert (reply.status, reply.fields) == (400, [field])


async def test_one_that_is_not_there_or_has_changed() -> None:
    async with serving() as served:
        path = await incident(served)
        body = {"reason": "x"}
        reply = await served.post(f"/v1/incidents/{MISSING}/redact", body)
        assert reply.status == 404
        reply = await served.post(f"{path}/redact", body, headers={"If-Match": '"1"'})
        assert reply.status == 412
