import pytest
import trio

from incident_manager.http.rest import batch
from unit.actors.faults import Faults, refusing
from unit.http.served import ALERT, serving

KEY = {"Idempotency-Key": "one"}
DIRECT = "/api/v2/alerts"


def posted(number: int) -> dict[str, object]:
    return {"labels": {"alertname": f"Case {number}"}, "endsAt": "2999-01-01T00:00:00Z"}


async def test_a_large_batch_is_several_transactions() -> None:
    async with serving() as served:
        alerts = [posted(number) for number in range(batch.AT_ONCE + 1)]
        reply = await served.post(DIRECT, alerts)
        assert len(reply.json["acks"]) == len(alerts)
        titles = [record.alert.title for record in served.store.records if record.alert]
        assert titles == [f"Case {number}" for number in range(len(alerts))]
        assert served.gateway.system is not None
        tree = served.gateway.system.tree.snapshot(node_id="root.journal")
        assert tree.root.stats["appends"] == 2


async def test_what_was_cut_off_goes_on_where_it_was() -> None:
    """The journal refuses the second part: the same request again brings that, and only that."""
    faults = Faults()
    async with serving(faults=faults) as served:
        faults.add("before", "append", trio.lowlevel.checkpoint)
        faults.add("before", "append", refusing())
        alerts = [posted(number) for number in range(batch.AT_ONCE + 1)]
        reply = await served.post(DIRECT, alerts, headers=KEY)
        assert reply.status == 503
        assert len(served.store.records) == batch.AT_ONCE
        reply = await served.post(DIRECT, alerts, headers=KEY)
        assert {ack["status"] for ack in reply.json["acks"]} == {"ACCEPTED"}
        assert len(reply.json["acks"]) == len(served.store.records) == len(alerts)


async def test_rejected_alerts_came_when_the_others_did() -> None:
    async with serving() as served:
        reply = await served.post("/v1/alerts", {"alerts": [{}, ALERT]})
        rejected, taken = reply.json["acks"]
        assert (rejected["status"], taken["status"]) == ("REJECTED", "ACCEPTED")
        assert rejected["received_at"] == taken["received_at"]


def test_only_a_refusal_is_a_reason() -> None:
    with pytest.raises(TypeError):
        batch._reason(object())
