"""``GET /v1/audit``: who did what, and who may know."""

import pytest
from trio.testing import MockClock, wait_all_tasks_blocked

from incident_manager.http.auth import Role
from unit.actors.faults import Faults, refusing
from unit.http.served import ALERT, AUTHENTICATED, Served, bearer, serving

MISSING = "00000000-0000-0000-0000-000000000000"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def audit(served: Served, query: str = "") -> list[dict[str, object]]:
    reply = await served.get(f"/v1/audit?{query}", headers=bearer(Role.ADMIN, "olga"))
    assert reply.status == 200
    entries: list[dict[str, object]] = reply.json["entries"]
    return entries


async def test_every_change_is_told_with_who_and_what() -> None:
    async with serving(AUTHENTICATED) as served:
        rae, traced = bearer(Role.RESPONDER, "rae"), {"traceparent": TRACE}
        ack = (await served.post("/v1/alerts", ALERT, headers=rae | traced)).json
        path = f"/v1/incidents/{ack['incident_id']}"
        await served.ask("POST", f"{path}/acknowledge", headers=bearer(Role.RESPONDER, "kim"))
        second, first = await audit(served)
        at = first.pop("time"), second.pop("time")
        assert at[0] <= at[1]  # type: ignore[operator]
        same = {"incident_id": ack["incident_id"], "detail": {}}
        assert first == {
            **same,
            "id": 1,
            "action": "ALERT",
            "principal": "rae",
            "offset": 1,
            "traceparent": TRACE,
        }
        assert second == {
            **same,
            "id": 2,
            "action": "ACKNOWLEDGE",
            "principal": "kim",
            "offset": 2,
            "traceparent": None,
        }
        assert [each["id"] for each in await audit(served, "principal=kim")] == [2]
        assert [each["id"] for each in await audit(served, "action=alert,create")] == [1]
        incident = ack["incident_id"]
        assert [each["id"] for each in await audit(served, f"incident_id={incident}")] == [2, 1]
        assert await audit(served, f"incident_id={MISSING}") == []
        assert len(await audit(served, "from=2020-01-01T00:00:00Z")) == 2
        assert await audit(served, "to=2020-01-01T00:00:00Z") == []


async def test_what_is_refused_is_not_a_change() -> None:
    async with serving() as served:
        await served.ask("POST", f"/v1/incidents/{MISSING}/acknowledge")
        assert (await served.get("/v1/audit")).json == {
            "entries": [],
            "end_cursor": None,
            "has_next_page": False,
        }


async def test_page_by_page() -> None:
    async with serving() as served:
        for number in range(5):
            await served.alert(title=f"number {number}")
        found, after = [], ""
        while True:
            page = (await served.get(f"/v1/audit?first=2&after={after}")).json
            found += [each["id"] for each in page["entries"]]
            after = page["end_cursor"]
            if not page["has_next_page"]:
                break
        assert found == [5, 4, 3, 2, 1]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("first=0", "first"),
        ("first=x", "first"),
        ("after=nothing", "after"),
        ("action=dance", "action"),
        ("incident_id=1", "incident_id"),
        ("from=yesterday", "from"),
        ("to=tomorrow", "to"),
        ("x=1", "x"),
    ],
)
async def test_a_part_that_is_none_is_named(query: str, field: str) -> None:
    async with serving() as served:
        reply = await served.get(f"/v1/audit?{query}")
        assert (reply.status, reply.fields) == (400, [field])


@pytest.mark.parametrize("role", [Role.VIEWER, Role.RESPONDER])
async def test_it_is_for_admins(role: Role) -> None:
    async with serving(AUTHENTICATED) as served:
        reply = await served.get("/v1/audit", headers=bearer(role))
        assert (reply.status, reply.json["code"]) == (403, "FORBIDDEN")
        assert (await served.get("/v1/audit")).status == 401


async def test_refused_sign_ins_are_counted_and_nothing_sent_is_kept(
    mock_clock: MockClock,
) -> None:
    async with serving(AUTHENTICATED) as served:
        for _ in range(20):
            await served.get("/v1/incidents", headers={"Authorization": "Bearer hunter2"})
        await served.get("/v1/incidents")
        mock_clock.jump(5)
        await wait_all_tasks_blocked()
        found = await audit(served, "action=SIGN_IN_REFUSED")
        counts = {str(each["detail"]["reason"]): each["detail"]["count"] for each in found}  # type: ignore[index]
        assert sorted(counts.values()) == ["1", "20"]
        assert [reason.partition(":")[0] for reason in sorted(counts)] == [
            "UNAUTHENTICATED",
            "UNAUTHORIZED",
        ]
        assert "hunter2" not in str(found)
        assert {each["principal"] for each in found} == {None}


async def test_a_restarted_actor_is_told() -> None:
    async with serving(AUTHENTICATED) as served:
        olga = bearer(Role.ADMIN, "olga")
        await served.ask("POST", "/debug/actors/root.journal/restart", headers=olga)
        await served.ask("POST", "/debug/actors/root/restart", headers=olga)
        found = await audit(served, "action=ACTOR_RESTARTED")
        told = [
            (each["principal"], each["detail"]["actor"], each["detail"]["outcome"])
            for each in found
        ]  # type: ignore[index]
        assert told == [("olga", "root", "refused"), ("olga", "root.journal", "done")]


async def test_a_restart_that_cannot_be_written_down_is_in_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    faults = Faults()
    async with serving(faults=faults) as served:
        faults.add("before", "note", refusing())
        reply = await served.ask("POST", "/debug/actors/root.hub/restart")
        assert reply.status == 200
        assert await audit(served) == []
    assert "the restart is not in the audit: The disk is full." in caplog.text
