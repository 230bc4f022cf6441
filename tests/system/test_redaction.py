"""A redaction, as those see it who watch: an update, and a replay without the text."""

import httpx

from system.client import opened
from system.harness import LocalServer

SECRET = "Xanthippe"
STREAM = "subscription { incidentUpdates { updateType incident { title } } }"


async def test_watchers_are_told_and_a_replay_has_nothing_of_it(server: LocalServer) -> None:
    async with opened(server.ws) as client, httpx.AsyncClient(base_url=server.http) as rest:
        begin = (await client.data("{ cursor }"))["cursor"]
        stream = await client.subscribe(STREAM)
        incident = (await client.submit(f"Login of {SECRET} fails"))["incidentId"]
        assert SECRET in str(await client.next(stream))
        reply = await rest.post(f"/v1/incidents/{incident}/redact", json={"reason": "asked for"})
        assert reply.status_code == 200
        update = (await client.next(stream))["data"]["incidentUpdates"]
        assert update == {"updateType": "UPDATED", "incident": {"title": "[redacted]"}}
        replay = await client.subscribe(STREAM, cursor=begin)
        first, second = await client.next(replay), await client.next(replay)
        assert first["data"]["incidentUpdates"]["updateType"] == "CREATED"
        assert second["extensions"]["cursor"].endswith(":2")
        assert SECRET not in str((first, second))
