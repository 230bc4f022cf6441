from unit.http.served import serving

MISSING = "00000000-0000-0000-0000-000000000000"


async def test_the_history_page_by_page() -> None:
    async with serving() as served:
        path = f"/v1/incidents/{(await served.alert())['incident_id']}"
        await served.ask("POST", f"{path}/acknowledge")
        await served.post(f"{path}/comments", {"comment": "Seen"})
        whole = (await served.get(f"{path}/timeline")).json
        lines = whole["events"]
        assert [each["event_type"] for each in lines] == [
            "CREATED",
            "ALERT_RECEIVED",
            "STATE_CHANGED",
            "ACTION_EXECUTED",
            "COMMENT_ADDED",
        ]
        assert whole["total_count"] == 5
        assert not whole["has_next_page"]
        epoch = served.store.epoch
        assert [each["cursor"] for each in lines] == [f"{epoch}:{n}" for n in (1, 1, 2, 2, 3)]
        found: list[object] = []
        after = ""
        while True:
            page = (await served.get(f"{path}/timeline?first=2&after={after}")).json
            found += page["events"]
            after = page["end_cursor"]
            if not page["has_next_page"]:
                break
        assert found == lines


async def test_an_incident_that_is_not_there() -> None:
    async with serving() as served:
        reply = await served.get(f"/v1/incidents/{MISSING}/timeline")
        assert (reply.status, reply.fields) == (404, ["id"])


async def test_a_part_that_is_none_is_named() -> None:
    async with serving() as served:
        path = f"/v1/incidents/{(await served.alert())['incident_id']}/timeline"
        for query, name in {"first=0": "first", "after=nothing": "after", "x=1": "x"}.items():
            reply = await served.get(f"{path}?{query}")
            assert (reply.status, reply.fields) == (400, [name])
