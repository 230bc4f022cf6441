import re

import pytest

from incident_manager.http.auth import Role
from unit.http.debug.connections import FIGURES, connect
from unit.http.served import AUTHENTICATED, bearer, recovering, serving

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z")


async def test_the_whole_tree() -> None:
    async with serving() as served:
        await served.alert()
        reply = await served.get("/debug/actors")
        assert reply.status == 200
        assert TIME.fullmatch(reply.json["taken_at"])
        root = reply.json["root"]
        assert root["strategy"] == "one_for_one"
        assert root["restarts_left"] == 10
        assert root["child_count"] == 4
        assert root["counts"]["registry"] == {"running": 1}
        [registry] = [each for each in root["children"] if each["name"] == "registry"]
        assert registry["id"] == "root.registry"
        assert registry["parent"] == "root"
        assert registry["messages_handled"] == 1
        assert registry["mailbox"] == {"depth": 0, "capacity": 1024, "oldest_seconds": 0}
        assert root["mailbox"] is None
        assert reply.json["connections"]["count"] == 0
        assert TIME.fullmatch(registry["started_at"])
        assert registry["age_seconds"] >= 0


async def test_one_actor() -> None:
    async with serving() as served:
        reply = await served.get("/debug/actors/root.hub")
        assert reply.status == 200
        assert reply.json["actor"]["kind"] == "hub"


async def test_an_actor_that_is_not_there() -> None:
    async with serving() as served:
        reply = await served.get("/debug/actors/root.nobody")
        assert (reply.status, reply.json["code"]) == (404, "NOT_FOUND")


async def test_children_are_counted_listed_to_a_limit_and_paged() -> None:
    async with serving() as served:
        await connect(served, *({} for _ in range(5)))
        path = "/debug/actors/root.connections"
        first = (await served.get(f"{path}?limit=2")).json["actor"]
        assert [each["name"] for each in first["children"]] == ["c0", "c1"]
        assert first["children"][0]["stats"] == FIGURES
        assert (first["child_count"], first["omitted"]) == (5, 3)
        assert first["counts"] == {"connection": {"running": 5}}
        last = (await served.get(f"{path}?limit=2&offset=4")).json["actor"]
        assert [each["name"] for each in last["children"]] == ["c4"]


async def test_every_bad_parameter_is_named() -> None:
    async with serving() as served:
        reply = await served.get("/debug/actors?limit=1001&offset=-1&depth=2")
        assert reply.status == 400
        assert reply.fields == ["depth", "limit", "offset"]


async def test_connections_are_found_and_paged() -> None:
    async with serving() as served:
        await connect(served, {}, {"principal": "eve"}, {}, {})
        for path in ("/debug/actors", "/debug/actors/root.connections"):
            found = (await served.get(f"{path}?principal=ann&limit=1&offset=1")).json
            assert (found["found"], found["omitted"]) == (3, 2)
            assert [each["name"] for each in found["actors"]] == ["c2"]
            assert found["connections"]["count"] == 4
        none = (await served.get("/debug/actors?peer=10.1.1.1")).json
        assert (none["found"], none["actors"]) == (0, [])


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("/root.hub?peer=x", "peer"),
        ("/root.hub?principal=x", "principal"),
        ("?watch&peer=x", "watch"),
    ],
)
async def test_where_nothing_can_be_found(query: str, field: str) -> None:
    async with serving() as served:
        reply = await served.get(f"/debug/actors{query}")
        assert (reply.status, reply.fields) == (400, [field])


async def test_a_page_of_another_origin_cannot_hold_a_stream() -> None:
    async with serving() as served:
        for headers in ({"Origin": "http://elsewhere"}, {"Sec-Fetch-Site": "cross-site"}):
            reply = await served.get("/debug/actors?watch", headers=headers)
            assert (reply.status, reply.json["code"]) == (403, "FORBIDDEN")


BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


@pytest.mark.parametrize("path", ["/debug/actors", "/debug/actors/root.hub", "/debug/actors?watch"])
async def test_a_browser_gets_a_page_without_data_and_needs_no_token(path: str) -> None:
    served = recovering(AUTHENTICATED)
    reply = await served.get(path, headers=BROWSER)
    assert (reply.status, reply.media_type) == (200, "text/html")
    policy = reply.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; script-src 'self';")
    assert "unsafe" not in policy
    async with serving(AUTHENTICATED) as running:
        same = await running.get(path, headers=BROWSER | bearer(Role.ADMIN))
    assert same.body == reply.body


@pytest.mark.parametrize("accept", ["*/*", "application/json", "text/event-stream", ""])
async def test_everybody_else_needs_to_be_an_admin(accept: str) -> None:
    served = recovering(AUTHENTICATED)
    for path in ("/debug/actors", "/debug/actors/root.hub"):
        assert (await served.get(path, headers={"Accept": accept})).status == 401
        reply = await served.get(path, headers={"Accept": accept} | bearer(Role.RESPONDER))
        assert reply.status == 403


async def test_what_a_browser_sends_elsewhere_needs_a_token_all_the_same() -> None:
    served = recovering(AUTHENTICATED)
    assert (await served.get("/v1/incidents", headers=BROWSER)).status == 401
    reply = await served.ask("POST", "/debug/actors/root.hub/restart", headers=BROWSER)
    assert reply.status == 401
