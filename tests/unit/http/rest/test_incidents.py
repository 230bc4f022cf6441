import pytest

from unit.http.served import serving

MISSING = "00000000-0000-0000-0000-000000000000"
SOLVED = {"method": "auto_assisted_manual", "notes": "Scaled out", "root_cause": "Too few pods"}


async def test_a_list_with_its_page_and_the_journals_position() -> None:
    async with serving() as served:
        for number in range(3):
            await served.alert(title=f"Case {number}")
        reply = await served.get("/v1/incidents?page_size=2")
        assert reply.status == 200
        assert [each["title"] for each in reply.json["incidents"]] == ["Case 2", "Case 1"]
        info = reply.json["page_info"]
        assert info.pop("end_cursor")
        assert info == {
            "page": 0,
            "page_size": 2,
            "total_count": 3,
            "total_pages": 2,
            "has_next_page": True,
            "has_previous_page": False,
        }
        assert reply.json["cursor"] == f"{served.store.epoch}:3"


async def test_pages_follow_each_other_by_cursor() -> None:
    async with serving() as served:
        for number in range(5):
            await served.alert(title=f"Case {number}")
        titles: list[str] = []
        after = ""
        while True:
            page = (await served.get(f"/v1/incidents?first=2&after={after}")).json
            titles += [each["title"] for each in page["incidents"]]
            after = page["page_info"]["end_cursor"]
            if not page["page_info"]["has_next_page"]:
                break
        assert titles == [f"Case {number}" for number in (4, 3, 2, 1, 0)]


async def test_conditions_hold_together() -> None:
    async with serving() as served:
        await served.alert(title="A", severity="P0", labels={"team": "shop", "zone": "eu"})
        await served.alert(title="B", severity="P2", labels={"team": "shop"})
        await served.alert(title="C", severity="P0", source="grafana")
        for query, titles in {
            "severity=p0,p2&label=team:shop": ["B", "A"],
            "severity=p0&label=team=shop&label=zone:eu": ["A"],
            "severity=P0&source=grafana": ["C"],
            "sort=severity&order=asc": ["B", "A", "C"],
            "state=closed": [],
        }.items():
            found = (await served.get(f"/v1/incidents?{query}")).json["incidents"]
            assert [each["title"] for each in found] == titles, query


async def test_a_place_that_is_none_is_named() -> None:
    async with serving() as served:
        reply = await served.get("/v1/incidents?after=nothing")
        assert (reply.status, reply.fields) == (400, ["after"])


async def test_one_incident_and_its_tag() -> None:
    async with serving() as served:
        ack = await served.alert()
        path = f"/v1/incidents/{ack['incident_id']}"
        reply = await served.get(path.upper().replace("/V1/INCIDENTS", "/v1/incidents"))
        assert (reply.status, reply.json["id"]) == (200, ack["incident_id"])
        assert reply.headers["ETag"] == '"1"'
        assert reply.headers["Cache-Control"] == "private, no-cache"
        # An alert that joins leaves the version, so the tag cannot tell that nothing has changed.
        await served.alert()
        again = await served.get(path, headers={"If-None-Match": '"1"'})
        assert (again.status, again.json["alert_count"]) == (200, 2)


@pytest.mark.parametrize("suffix", ["", "/resolve"])
@pytest.mark.parametrize(("text", "status"), [("7", 400), (MISSING, 404), (f"{{{MISSING}}}", 400)])
async def test_an_incident_that_is_not_there(text: str, status: int, suffix: str) -> None:
    async with serving() as served:
        method = "POST" if suffix else "GET"
        given = {"json": SOLVED} if suffix else {}
        reply = await served.ask(method, f"/v1/incidents/{text}{suffix}", **given)
        assert (reply.status, reply.fields) == (status, ["id"])
        assert reply.json["code"] == {400: "BAD_USER_INPUT", 404: "NOT_FOUND"}[status]


async def test_an_incident_is_solved() -> None:
    async with serving() as served:
        ack = await served.alert()
        path = f"/v1/incidents/{ack['incident_id']}"
        reply = await served.post(f"{path}/resolve", SOLVED)
        assert (reply.status, reply.headers["ETag"]) == (200, '"2"')
        incident = reply.json
        assert incident["state"] == "RESOLVED"
        assert incident["resolution"] == {
            "resolved_at": incident["resolved_at"],
            "resolved_by": "anonymous",
            "resolution_method": "AUTO_ASSISTED_MANUAL",
            "root_cause": "Too few pods",
            "notes": "Scaled out",
        }
        assert (await served.get(path)).json == incident
        again = await served.post(f"{path}/resolve", SOLVED)
        assert (again.status, again.json["code"]) == (409, "INVALID_STATE_TRANSITION")


async def test_only_the_version_that_the_client_has_seen() -> None:
    async with serving() as served:
        ack = await served.alert()
        path = f"/v1/incidents/{ack['incident_id']}/resolve"
        reply = await served.post(path, SOLVED, headers={"If-Match": '"2"'})
        assert (reply.status, reply.json["code"], reply.fields) == (412, "CONFLICT", ["If-Match"])
        reply = await served.post(path, SOLVED, headers={"If-Match": "2"})
        assert (reply.status, reply.fields) == (400, ["If-Match"])
        assert len(served.store.records) == 1
        assert (await served.post(path, SOLVED, headers={"If-Match": '"1"'})).status == 200


async def test_every_bad_field_of_a_solution_is_named() -> None:
    async with serving() as served:
        ack = await served.alert()
        path = f"/v1/incidents/{ack['incident_id']}/resolve"
        reply = await served.post(path, {"method": "magic", "root_cause": 3})
        assert (reply.status, reply.fields) == (400, ["method", "notes", "root_cause"])


NEW = {
    "source": "desk",
    "title": "The login is slow",
    "description": "Somebody called",
    "severity": "p2",
    "incident_type": "performance",
}
EDITED = {
    "title": "The login is down",
    "description": "Everybody calls",
    "severity": "P0",
    "state": "IDENTIFIED",
    "incident_type": "AVAILABILITY",
    "assignees": ["ann"],
    "labels": {"team": "login"},
    "metadata": {"ticket": "7"},
}


async def test_an_incident_is_opened_by_hand() -> None:
    async with serving() as served:
        reply = await served.post(
            "/v1/incidents",
            {**NEW, "affected_resources": ["b", "a"], "labels": {"team": "x"}, "assignees": None},
        )
        assert reply.status == 201
        incident = reply.json
        assert reply.headers["Location"] == f"/v1/incidents/{incident['id']}"
        assert reply.headers["ETag"] == '"1"'
        assert (await served.get(reply.headers["Location"])).json == incident
        assert (incident["severity"], incident["incident_type"]) == ("P2", "PERFORMANCE")
        assert incident["affected_resources"] == ["b", "a"]
        assert (incident["labels"], incident["assignees"]) == ({"team": "x"}, [])
        assert (incident["state"], incident["alert_count"]) == ("NEW", 0)


async def test_it_is_opened_once_for_each_key() -> None:
    async with serving() as served:
        headers = {"Idempotency-Key": "k"}
        first = await served.post("/v1/incidents", NEW, headers=headers)
        again = await served.post("/v1/incidents", NEW, headers=headers)
        assert (again.status, again.json) == (201, first.json)
        assert again.headers["Location"] == first.headers["Location"]
        assert len(served.store.records) == 1


async def test_every_bad_field_of_a_new_incident_is_named() -> None:
    async with serving() as served:
        reply = await served.post("/v1/incidents", {"title": "", "labels": 3})
        assert (reply.status, reply.fields) == (
            400,
            ["source", "title", "description", "severity", "incident_type", "labels"],
        )


async def test_only_what_is_given_changes() -> None:
    async with serving() as served:
        path = (
            await served.post("/v1/incidents", {**NEW, "labels": {"a": "1", "b": "2"}})
        ).headers["Location"]
        before = (await served.get(path)).json
        changes = {
            "severity": "P1",
            "add_labels": {"c": "3"},
            "remove_labels": ["a"],
            "title": None,
        }
        reply = await served.ask("PATCH", path, json=changes)
        assert (reply.status, reply.headers["ETag"]) == (200, '"2"')
        after = reply.json
        assert after["labels"] == {"b": "2", "c": "3"}
        assert after["severity"] == "P1"
        assert {name for name in after if after[name] != before[name]} == {
            "labels",
            "severity",
            "is_critical",
            "updated_at",
            "version",
        }


async def test_a_change_of_nothing_is_told() -> None:
    async with serving() as served:
        path = (await served.post("/v1/incidents", NEW)).headers["Location"]
        for body in ({}, {"severty": "P0"}, {"title": None}):
            reply = await served.ask("PATCH", path, json=body)
            assert (reply.status, reply.fields) == (400, [""])
            assert "severity" in reply.json["detail"]


async def test_all_that_can_be_edited_is_replaced() -> None:
    async with serving() as served:
        path = (
            await served.post(
                "/v1/incidents", {**NEW, "labels": {"a": "1"}, "metadata": {"m": "1"}}
            )
        ).headers["Location"]
        reply = await served.ask("PUT", path, json=EDITED)
        assert (reply.status, reply.headers["ETag"]) == (200, '"2"')
        assert {name: reply.json[name] for name in EDITED} == EDITED
        # What GET gives can be sent back.
        again = await served.ask("PUT", path, json=(await served.get(path)).json)
        assert again.status == 200
        assert {name: again.json[name] for name in EDITED} == EDITED


async def test_a_replacement_is_whole() -> None:
    async with serving() as served:
        path = (await served.post("/v1/incidents", NEW)).headers["Location"]
        reply = await served.ask("PUT", path, json={"title": "x", "labels": None})
        assert reply.status == 400
        assert set(reply.fields) == set(EDITED) - {"title"}


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"title": "x"}), ("PUT", EDITED)])
async def test_an_edit_of_a_version_that_is_past(method: str, body: dict[str, object]) -> None:
    async with serving() as served:
        path = (await served.post("/v1/incidents", NEW)).headers["Location"]
        reply = await served.ask(method, path, json=body, headers={"If-Match": '"2"'})
        assert (reply.status, reply.fields) == (412, ["If-Match"])
        reply = await served.ask(method, path, json=body, headers={"If-Match": '"1"'})
        assert reply.status == 200


@pytest.mark.parametrize(("method", "body"), [("PATCH", {"state": "CLOSED"}), ("PUT", EDITED)])
async def test_an_edit_keeps_to_the_life_of_an_incident(
    method: str, body: dict[str, object]
) -> None:
    async with serving() as served:
        path = (await served.post("/v1/incidents", NEW)).headers["Location"]
        reply = await served.ask(method, path, json={**body, "state": "CLOSED"})
        assert (reply.status, reply.json["code"]) == (409, "INVALID_STATE_TRANSITION")
        assert (await served.ask(method, f"{path[:-1]}x", json=body)).status == 400


async def test_a_list_is_asked_for_no_more_than_it_can_answer() -> None:
    async with serving() as served:
        many = ",".join(f"s{number}" for number in range(1_001))
        reply = await served.get(f"/v1/incidents?source={many}")
        assert (reply.status, reply.fields) == (400, ["source"])
        pairs = "&".join(f"label=k{number}:v" for number in range(100))
        reply = await served.get(f"/v1/incidents?{pairs}")
        assert (reply.status, reply.fields) == (400, ["label"])
