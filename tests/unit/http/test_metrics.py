"""``/metrics``: every name of the contract, in both formats, to whom it concerns."""

import re
import time

import jwt
import pytest
import trio
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain

from incident_manager.http.auth import Role
from incident_manager.http.sections import AuthSettings
from incident_manager.http.settings import Settings
from unit.http.served import AUTHENTICATED, SECRET, Served, bearer, recovering, serving

MISSING = "00000000-0000-4000-8000-000000000000"
OPEN_METRICS = "application/openmetrics-text; version=1.0.0; q=0.8, text/plain; q=0.5"

WEBSOCKET = {
    "connections_active": "gauge",
    "connections_total": "counter",
    "refusals_total": "counter",
    "subscriptions_active": "gauge",
    "messages_sent_total": "counter",
    "messages_received_total": "counter",
    "errors_total": "counter",
    "connection_duration_seconds": "histogram",
    "message_queue_size": "gauge",
}
STREAM = {
    "delivery_latency_seconds": "histogram",
    "events_total": "counter",
    "projections_total": "counter",
    "catchups_total": "counter",
    "resumes_total": "counter",
    "evictions_total": "counter",
}
ACTOR = {"mailbox_depth": "gauge", "restarts_total": "counter", "up": "gauge"}
MANAGER = {
    "incidents_total": "counter",
    "incidents_active": "gauge",
    "incidents_deduplicated_total": "counter",
    "http_requests_total": "counter",
    "http_request_duration_seconds": "histogram",
    "graphql_queries_total": "counter",
    "graphql_query_duration_seconds": "histogram",
    "graphql_errors_total": "counter",
    "journal_append_seconds": "histogram",
    "build_info": "gauge",
}
EVERY = {
    f"{prefix}{name}": kind
    for prefix, names in {
        "lim_websocket_": WEBSOCKET,
        "lim_stream_": STREAM,
        "lim_actor_": ACTOR,
        "llm_incident_manager_": MANAGER,
    }.items()
    for name, kind in names.items()
}
LABELS = {
    "lim_websocket_refusals_total": {"reason"},
    "lim_stream_resumes_total": {"recovered"},
    "lim_stream_evictions_total": {"reason"},
    "lim_actor_mailbox_depth": {"kind"},
    "lim_actor_restarts_total": {"kind"},
    "lim_actor_up": {"kind"},
    "llm_incident_manager_incidents_total": {"severity", "status"},
    "llm_incident_manager_incidents_active": {"severity"},
    "llm_incident_manager_http_requests_total": {"method", "path", "status_code"},
    "llm_incident_manager_graphql_queries_total": {"operation"},
    "llm_incident_manager_graphql_errors_total": {"code"},
    "llm_incident_manager_build_info": {"version", "python"},
}


async def samples(served: Served, **given: object) -> dict[str, float]:
    """Every sample of a scrape, as it is written."""
    reply = await served.get("/metrics", **given)
    assert reply.status == 200, reply.body
    lines = [line for line in reply.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def test_every_name_of_the_contract_is_there_with_its_type_and_labels() -> None:
    async with serving() as served:
        await served.alert()
        await served.post("/graphql", {"query": "{ cursor }"})
        reply = await served.get("/metrics")
    kinds = dict(re.findall(r"^# TYPE (\S+) (\S+)$", reply.body.decode(), re.MULTILINE))
    assert kinds == EVERY
    for family in read_plain(reply.body.decode()):
        for sample in family.samples:
            if not sample.name.endswith("_bucket"):
                assert set(sample.labels) == LABELS.get(sample.name, set()), sample
        assert family.documentation.endswith((".", "1."))


async def test_open_metrics_are_had_by_asking() -> None:
    async with serving() as served:
        plain = await served.get("/metrics")
        assert plain.media_type == "text/plain"
        assert "version=0.0.4" in plain.headers["Content-Type"]
        other = await served.get("/metrics", headers={"Accept": OPEN_METRICS})
        assert other.media_type == "application/openmetrics-text"
        assert other.headers["Vary"] == "Accept"
        text = other.body.decode()
        assert text.endswith("\n# EOF\n")
        assert text.count("# EOF") == 1
        assert [family.name for family in read_open(text)] == [
            re.sub("_total$|_info$", "", family.name) for family in read_plain(plain.body.decode())
        ]


async def test_requests_are_counted_by_the_template_of_their_route() -> None:
    async with serving() as served:
        for incident in (MISSING, MISSING.replace("8", "9")):
            await served.get(f"/v1/incidents/{incident}")
        await served.get("/v1/nothing")
        await served.ask("PURGE", "/v1/alerts")
        found = await samples(served)
    name = "llm_incident_manager_http_requests_total"
    assert {line: number for line, number in found.items() if line.startswith(name)} == {
        f'{name}{{method="GET",path="/v1/incidents/{{incident_id}}",status_code="404"}}': 2,
        f'{name}{{method="GET",path="other",status_code="404"}}': 1,
        f'{name}{{method="other",path="other",status_code="405"}}': 1,
    }
    assert found["llm_incident_manager_http_request_duration_seconds_count"] == 4


async def test_incidents_are_counted_when_they_come_into_a_state() -> None:
    async with serving() as served:
        acks = [await served.alert(title=title) for title in ("one", "two", "one")]
        path = f"/v1/incidents/{acks[0]['incident_id']}/resolve"
        await served.post(path, {"method": "MANUAL", "notes": "done"})
        found = await samples(served)
    name = "llm_incident_manager_incidents"
    assert found[f'{name}_total{{severity="P1",status="NEW"}}'] == 2
    assert found[f'{name}_total{{severity="P1",status="RESOLVED"}}'] == 1
    assert found[f'{name}_total{{severity="P0",status="NEW"}}'] == 0
    assert found[f'{name}_active{{severity="P1"}}'] == 1
    assert found[f"{name}_deduplicated_total"] == 1
    assert found["llm_incident_manager_journal_append_seconds_count"] == 4


async def test_operations_of_graphql_are_counted_by_root_field_and_error() -> None:
    async with serving() as served:
        await served.post("/graphql", {"query": "{ a: cursor b: cursor health { status } }"})
        await served.post("/graphql", {"query": "{ nothing }"})
        unknown = f'mutation {{ closeIncident(id: "{MISSING}") {{ id }} }}'
        await served.post("/graphql", {"query": unknown})
        found = await samples(served)
    name = "llm_incident_manager_graphql"
    assert found[f'{name}_queries_total{{operation="cursor"}}'] == 2
    assert found[f'{name}_queries_total{{operation="health"}}'] == 1
    assert found[f'{name}_errors_total{{code="GRAPHQL_VALIDATION_FAILED"}}'] == 1
    assert found[f'{name}_errors_total{{code="NOT_FOUND"}}'] == 1
    assert found[f"{name}_query_duration_seconds_count"] == 2


async def test_the_parts_that_run_are_up_and_restarts_are_counted() -> None:
    async with serving() as served:
        system = served.gateway.system
        assert system is not None
        await system.supervisor.restart_child("hub")
        await system.supervisor.restart_child("hub")
        found = await samples(served)
        assert found['lim_actor_restarts_total{kind="hub"}'] == 2
        assert found['lim_actor_restarts_total{kind="journal"}'] == 0
        assert found['lim_actor_up{kind="hub"}'] == 1
        assert found['lim_actor_up{kind="listener"}'] == 0  # nobody listens here
        assert found['lim_actor_mailbox_depth{kind="registry"}'] == 0


async def test_it_is_answered_while_the_journal_recovers() -> None:
    served = recovering()
    found = await samples(served)
    assert found['lim_actor_up{kind="registry"}'] == 0
    assert found["lim_websocket_connections_active"] == 0
    assert not any(line.startswith("llm_incident_manager_incidents_active") for line in found)


async def test_a_setting_opens_it_to_everybody() -> None:
    settings = Settings(auth=AuthSettings(jwt_secret=SECRET, open_metrics=True))
    async with serving(settings) as served:
        assert (await served.get("/metrics")).status == 200
        assert (await served.get("/v1/incidents")).status == 401


async def test_a_viewer_sees_it_but_none_who_is_confined() -> None:
    async with serving(AUTHENTICATED) as served:
        assert (await served.get("/metrics")).status == 401
        assert (await served.get("/metrics", headers=bearer(Role.VIEWER))).status == 200
        claims = {"sub": "x", "roles": ["ADMIN"], "selectors": {"t": "a"}, "exp": time.time() + 60}
        confined = f"Bearer {jwt.encode(claims, SECRET, 'HS256')}"
        reply = await served.get("/metrics", headers={"Authorization": confined})
        assert (reply.status, reply.json["code"]) == (403, "FORBIDDEN")


@pytest.mark.parametrize("accept", ["", "*/*", "application/openmetrics-text; version=0", "ü"])
async def test_any_accept_gets_an_answer(accept: str) -> None:
    reply = await recovering().get("/metrics", headers={"Accept": accept})
    assert reply.status == 200


async def test_between_two_metrics_others_run() -> None:
    async with serving() as served:
        turns = 0
        done = trio.Event()

        async def run() -> None:
            nonlocal turns
            while not done.is_set():
                turns += 1
                await trio.lowlevel.checkpoint()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(run)
            await served.get("/metrics")
            done.set()
    assert turns > len(EVERY)
