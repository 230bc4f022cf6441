import pytest

from incident_manager.http.rest.actions import STEPS
from unit.http.served import Served, serving

MISSING = "00000000-0000-0000-0000-000000000000"
SOLVED = {"method": "MANUAL", "notes": "Scaled out"}


async def opened(served: Served, title: str = "Checkout is slow") -> str:
    ack = await served.alert(title=title)
    return f"/v1/incidents/{ack['incident_id']}"


async def test_the_life_of_an_incident() -> None:
    async with serving() as served:
        path = await opened(served)
        steps = {
            "acknowledge": (None, "INVESTIGATING"),
            "assign": ({"assignees": ["ann", "bob", "ann"]}, "INVESTIGATING"),
            "escalate": ({"new_severity": "p0", "reason": "It spreads"}, "INVESTIGATING"),
            "resolve": (SOLVED, "RESOLVED"),
            "close": (None, "CLOSED"),
            "reopen": ({"reason": "It is back"}, "INVESTIGATING"),
        }
        for version, (step, (body, state)) in enumerate(steps.items(), 2):
            given = {} if body is None else {"json": body}
            reply = await served.ask("POST", f"{path}/{step}", **given)
            assert (reply.status, reply.headers["ETag"]) == (200, f'"{version}"'), reply.body
            assert (reply.json["state"], reply.json["version"]) == (state, version)
        incident = (await served.get(path)).json
        assert incident == reply.json
        assert incident["acknowledged_by"] == "anonymous"
        assert incident["assignees"] == ["ann", "bob"]
        assert (incident["severity"], incident["closed_at"]) == ("P0", None)
        kinds = [record.kind.value for record in served.store.records]
        assert kinds == ["alert", *steps]


async def test_a_link_is_on_both_sides() -> None:
    async with serving() as served:
        near, far = await opened(served, "A"), await opened(served, "B")
        reply = await served.post(f"{near}/link", {"related_id": far.rpartition("/")[2]})
        assert (reply.status, reply.json["title"], reply.json["version"]) == (200, "A", 2)
        assert (await served.get(far)).json["version"] == 2


@pytest.mark.parametrize(
    ("step", "body", "fields"),
    [
        ("assign", {}, ["assignees"]),
        ("assign", {"assignees": ["ann", 3]}, ["assignees[1]"]),
        ("escalate", {"new_severity": "P9"}, ["new_severity", "reason"]),
        ("escalate", {"new_severity": "P4", "reason": "No"}, ["new_severity"]),
        ("resolve", {"method": "magic", "notes": 1}, ["method", "notes"]),
        ("reopen", {"reason": ""}, ["reason"]),
        ("link", {}, ["related_id"]),
        ("comments", {"comment": " "}, ["comment"]),
    ],
)
async def test_every_bad_field_is_named(
    step: str, body: dict[str, object], fields: list[str]
) -> None:
    async with serving() as served:
        reply = await served.post(f"{await opened(served)}/{step}", body)
        assert (reply.status, reply.fields) == (400, fields)


async def test_so_are_those_of_path_and_headers() -> None:
    async with serving() as served:
        reply = await served.post(
            "/v1/incidents/7/assign", {}, headers={"If-Match": "2", "Idempotency-Key": "ä"}
        )
        assert (reply.status, reply.fields) == (
            400,
            ["id", "If-Match", "Idempotency-Key", "assignees"],
        )


@pytest.mark.parametrize("step", [name for name, _, _ in STEPS])
async def test_an_incident_that_is_not_there(step: str) -> None:
    async with serving() as served:
        other = (await opened(served)).rpartition("/")[2]
        body = {
            **SOLVED,
            "assignees": [],
            "new_severity": "P0",
            "reason": "why",
            "related_id": other,
        }
        reply = await served.post(f"/v1/incidents/{MISSING}/{step}", body)
        assert (reply.status, reply.json["code"], reply.fields) == (404, "NOT_FOUND", ["id"])


async def test_what_does_not_fit_the_state_is_a_conflict() -> None:
    async with serving() as served:
        path = await opened(served)
        for step in ("close", "reopen"):
            reply = await served.ask("POST", f"{path}/{step}")
            assert (reply.status, reply.json["code"]) == (409, "INVALID_STATE_TRANSITION")


@pytest.mark.parametrize(
    ("step", "body"),
    [
        ("acknowledge", {}),
        ("assign", {"assignees": ["ann"]}),
        ("escalate", {"new_severity": "P0", "reason": "It spreads"}),
        ("resolve", SOLVED),
    ],
)
async def test_only_the_version_that_the_client_has_seen(
    step: str, body: dict[str, object]
) -> None:
    async with serving() as served:
        path = await opened(served)
        reply = await served.post(f"{path}/{step}", body, headers={"If-Match": '"2"'})
        assert (reply.status, reply.fields) == (412, ["If-Match"])
        reply = await served.post(f"{path}/{step}", body, headers={"If-Match": '"1"'})
        assert (reply.status, reply.json["version"]) == (200, 2)


async def test_a_step_is_taken_once_for_each_key() -> None:
    async with serving() as served:
        path = await opened(served)
        headers = {"Idempotency-Key": "k1"}
        first = await served.ask("POST", f"{path}/acknowledge", headers=headers)
        again = await served.ask("POST", f"{path}/acknowledge", headers=headers)
        assert (first.status, first.json) == (again.status, again.json)
        assert again.headers["Idempotency-Replayed"] == "true"
        other = await served.post(f"{path}/acknowledge", {"a": 1}, headers=headers)
        assert other.status == 422
        assert len(served.store.records) == 2


async def test_a_body_that_is_there_must_be_json() -> None:
    async with serving() as served:
        path = await opened(served)
        reply = await served.ask("POST", f"{path}/close", data=b"{}")
        assert reply.status == 415
        reply = await served.post(f"{path}/close", ["no object"])
        assert reply.status == 400
