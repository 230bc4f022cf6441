from unit.http.served import serving

MISSING = "00000000-0000-0000-0000-000000000000"


async def test_what_was_said_page_by_page() -> None:
    async with serving() as served:
        path = f"/v1/incidents/{(await served.alert())['incident_id']}"
        for number in range(5):
            reply = await served.post(f"{path}/comments", {"comment": f"Try {number}"})
            assert (reply.status, reply.headers["Location"]) == (201, f"{path}/comments")
            assert reply.headers["ETag"] == f'"{number + 2}"'
            assert reply.json["version"] == number + 2
        said: list[str] = []
        after = ""
        while True:
            page = (await served.get(f"{path}/comments?first=2&after={after}")).json
            assert page["total_count"] == 5
            said += [each["content"] for each in page["comments"]]
            after = page["end_cursor"]
            if not page["has_next_page"]:
                break
        assert said == [f"Try {number}" for number in range(5)]
        assert set(page["comments"][0]) == {"id", "author", "content", "created_at"}


async def test_nothing_was_said() -> None:
    async with serving() as served:
        path = f"/v1/incidents/{(await served.alert())['incident_id']}"
        assert (await served.get(f"{path}/comments")).json == {
            "comments": [],
            "total_count": 0,
            "end_cursor": None,
            "has_next_page": False,
        }


async def test_an_incident_that_is_not_there() -> None:
    async with serving() as served:
        reply = await served.get(f"/v1/incidents/{MISSING}/comments")
        assert (reply.status, reply.fields) == (404, ["id"])
        assert (await served.get("/v1/incidents/7/comments")).status == 400


async def test_a_part_that_is_none_is_named() -> None:
    async with serving() as served:
        path = f"/v1/incidents/{(await served.alert())['incident_id']}/comments"
        for query, fields in {
            "first=0": ["first"],
            "first=101": ["first"],
            "first=x&page=2": ["page", "first"],
            "after=nothing": ["after"],
        }.items():
            reply = await served.get(f"{path}?{query}")
            assert (reply.status, reply.fields) == (400, fields), query
