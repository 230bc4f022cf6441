"""Relations over a real WebSocket: as of delivery in a stream, and behind a change of one's own."""

from system.client import opened
from system.harness import LocalServer

WATCH = """subscription { incidentUpdates { updateType incident {
    version comments { comments { content } totalCount } timeline(first: 100) { totalCount }
    relatedIncidents { title } alerts(first: 1) { title incident { title } } } } }"""


async def test_a_stream_with_relations(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        stream = await client.subscribe(WATCH)
        ack = await client.submit("first")
        other = await client.submit("second")
        for title in ("first", "second"):
            found = (await client.next(stream))["data"]["incidentUpdates"]["incident"]
            assert found["alerts"] == [{"title": title, "incident": {"title": title}}]
            assert found["relatedIncidents"] == []
        said = await client.data(
            """mutation ($id: UUID!, $other: UUID!) {
                addComment(incidentId: $id, comment: "hi") { comments { totalCount } }
                linkIncidents(incidentId: $id, relatedId: $other) {
                    relatedIncidents { title } } }""",
            {"id": ack["incidentId"], "other": other["incidentId"]},
        )
        assert said == {
            "addComment": {"comments": {"totalCount": 1}},
            "linkIncidents": {"relatedIncidents": [{"title": "second"}]},
        }
        comment, near, far = [
            (await client.next(stream))["data"]["incidentUpdates"] for _ in range(3)
        ]
        assert comment["updateType"] == "COMMENT_ADDED"
        assert comment["incident"]["comments"] == {
            "comments": [{"content": "hi"}],
            "totalCount": 1,
        }
        assert near["incident"]["relatedIncidents"] == [{"title": "second"}]
        assert far["incident"]["relatedIncidents"] == [{"title": "first"}]
