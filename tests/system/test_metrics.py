"""What a scrape of a running server shows, and the way of a trace through it."""

import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trio
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from incident_manager.actors.model import Record
from incident_manager.http.auth import Role, issue_token
from system.client import PATIENCE, SUBMIT, Client, alert_input, connected, opened
from system.harness import LocalServer, local
from system.rude import deaf, masked

SECRET = "a secret of tests that is long enough"
STREAM = "subscription { newIncidents { title } }"
LATENCY = "lim_stream_delivery_latency_seconds"
OPEN_METRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}


def trace(number: int) -> str:
    """A sampled traceparent."""
    return f"00-{number:032x}-00f067aa0ba902b7-01"


async def scrape(server: LocalServer) -> dict[str, float]:
    """Every sample, as it is written."""
    async with httpx.AsyncClient(timeout=PATIENCE) as http:
        reply = await http.get(f"{server.http}/metrics")
    assert reply.status_code == 200, reply.text
    lines = [line for line in reply.text.splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


async def shows(
    server: LocalServer, wanted: Callable[[dict[str, float]], bool]
) -> dict[str, float]:
    """Scrape until what is wanted is there: what is counted last may come after the answer."""
    with trio.fail_after(PATIENCE):
        while not wanted(found := await scrape(server)):
            pass
    return found


async def records(server: LocalServer) -> tuple[Record, ...]:
    return (await server.gateway.running().journal.read_after(0, 100)).records


async def test_websockets_and_deliveries(server: LocalServer) -> None:
    async with opened(server.ws) as one, opened(server.ws) as two:
        streams = [await one.subscribe(STREAM), await one.subscribe(STREAM)]
        other = await two.subscribe(STREAM)
        await one.submit("alpha")
        for client, stream in ((one, streams[0]), (one, streams[1]), (two, other)):
            await client.next(stream)
        found = await shows(server, lambda found: found[f"{LATENCY}_count"] == 3)
        assert 0 < found[f"{LATENCY}_sum"] < 3 * PATIENCE
        assert found["lim_websocket_connections_active"] == 2
        assert found["lim_websocket_subscriptions_active"] == 3
        assert found["lim_websocket_message_queue_size"] == 0
        # acks, pongs of the subscriptions, next of the mutation and its complete, next of streams
        assert found["lim_websocket_messages_sent_total"] == 2 + 3 + 2 + 3
        assert found["lim_websocket_messages_received_total"] == 2 + 3 + 3 + 1
        assert found["lim_stream_events_total"] == 1
        assert found["lim_stream_projections_total"] == 1
        assert found['lim_actor_up{kind="listener"}'] == 1
        name = "llm_incident_manager_graphql_queries_total"
        assert found[f'{name}{{operation="newIncidents"}}'] == 3
        assert found[f'{name}{{operation="submitAlert"}}'] == 1
    found = await shows(server, lambda found: found["lim_websocket_connections_active"] == 0)
    assert found["lim_websocket_connections_total"] == 2
    assert found["lim_websocket_connection_duration_seconds_count"] == 2
    assert found["lim_websocket_subscriptions_active"] == 0


async def test_what_a_resume_brings_back_is_no_slow_delivery(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        cursor = (await client.data("{ cursor }"))["cursor"]
        await client.submit("missed")
    async with opened(server.ws) as client:
        stream = await client.subscribe(STREAM, cursor=cursor)
        payload = await client.next(stream)
        assert payload["extensions"]["recovered"] is True
        await client.submit("fresh")
        await client.next(stream)
        found = await shows(server, lambda found: found[f"{LATENCY}_count"] > 0)
        assert found[f"{LATENCY}_count"] == 1
        lost = await client.subscribe(STREAM, cursor="0" * 32 + ":1")
        await client.next(lost)
        found = await scrape(server)
    assert found['lim_stream_resumes_total{recovered="true"}'] == 1
    assert found['lim_stream_resumes_total{recovered="false"}'] == 1


async def test_mistakes_are_errors(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        await client.error(await client.begin("{ nothing }"))
        await client.send("nonsense")
        assert (await client.closed()).code == 4400
    found = await scrape(server)
    assert found["lim_websocket_errors_total"] == 2
    name = "llm_incident_manager_graphql_errors_total"
    assert found[f'{name}{{code="GRAPHQL_VALIDATION_FAILED"}}'] == 1


async def test_who_is_cut_off_is_counted_by_the_reason(tmp_path: Path) -> None:
    async with local(tmp_path, limits__stall_timeout="100ms", limits__outbox_bytes=65536) as server:
        async with deaf(server.place) as stream, opened(server.ws) as client:
            query = "subscription{newIncidents{description}}"
            await stream.send_all(masked('{"type":"connection_init"}'))
            message = f'{{"type":"subscribe","id":"x","payload":{{"query":"{query}"}}}}'
            await stream.send_all(masked(message))
            sent = 0
            while len(server.gateway.connections) == 2:
                sent += 1
                await client.submit(f"large {sent}", description="d" * 60_000)
        async with opened(server.ws) as client, httpx.AsyncClient(timeout=PATIENCE) as http:
            await client.ping()
            tree = (await http.get(f"{server.http}/debug/actors?peer=127.0.0.1")).json()
            [connection] = [each["id"] for each in tree["actors"] if each["state"] == "running"]
            reply = await http.post(f"{server.http}/debug/actors/{connection}/restart")
            assert reply.status_code == 202
            assert (await client.closed()).code == 1012
        found = await scrape(server)
    for reason, number in {"stalled": 1, "operator": 1, "expired": 0}.items():
        assert found[f'lim_stream_evictions_total{{reason="{reason}"}}'] == number


async def test_a_token_that_runs_out_is_an_eviction(tmp_path: Path) -> None:
    async with local(tmp_path, auth__jwt_secret=SECRET, auth__open_metrics=True) as server:
        settings = server.gateway.settings
        token = issue_token(settings, Role.VIEWER, "ann", time.time() % 1 + 1)
        async with opened(server.ws, {"Authorization": f"Bearer {token}"}) as client:
            assert (await client.closed()).code == 4403
        found = await scrape(server)
    assert found['lim_stream_evictions_total{reason="expired"}'] == 1


async def test_a_trace_goes_from_the_request_to_the_event_and_to_its_delay(
    server: LocalServer,
) -> None:
    async with opened(server.ws) as client, httpx.AsyncClient(timeout=PATIENCE) as http:
        stream = await client.subscribe(STREAM)
        alert = alert_input("by REST")
        headers = {"traceparent": trace(7)}
        await http.post(f"{server.http}/v1/alerts", json=alert, headers=headers)
        assert (await client.next(stream))["data"]["newIncidents"]["title"] == "by REST"
        await shows(server, lambda found: found[f"{LATENCY}_count"] == 1)
        text = (await http.get(f"{server.http}/metrics", headers=OPEN_METRICS)).text
        query = {"query": SUBMIT, "variables": {"input": alert_input("by GraphQL")}}
        await http.post(f"{server.http}/graphql", json=query, headers={"traceparent": trace(8)})
    assert [record.trace for record in await records(server)] == [trace(7), trace(8)]
    [example] = [
        sample.exemplar
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.exemplar is not None
    ]
    assert example.labels == {"trace_id": f"{7:032x}"}


async def submit_with(client: Client, title: str, extensions: object) -> None:
    payload = {"query": SUBMIT, "variables": {"input": alert_input(title)}}
    if extensions is not None:
        payload["extensions"] = extensions  # type: ignore[assignment]
    await client.send("subscribe", id=title, payload=payload)
    assert "errors" not in await client.next(title)


async def test_a_trace_comes_with_a_message_or_with_the_connection(server: LocalServer) -> None:
    async with connected(server.ws) as client:
        await client.init({"traceparent": trace(1)})
        await submit_with(client, "of the connection", None)
        await submit_with(client, "of its own", {"traceparent": trace(2)})
        await submit_with(client, "malformed", {"traceparent": "00-1-2-3"})
    async with connected(server.ws) as client:
        await client.init({"traceparent": 7})
        await submit_with(client, "of nobody", {"traceparent": [trace(3)]})
    assert [record.trace for record in await records(server)] == [
        trace(1),
        trace(2),
        trace(1),
        None,
    ]


@pytest.mark.component("promtool")
async def test_promtool_is_content(server: LocalServer) -> None:
    async with opened(server.ws) as client:
        await client.subscribe(STREAM)
        await client.submit("alpha")
        await client.error(await client.begin("{ nothing }"))
        async with httpx.AsyncClient(timeout=PATIENCE) as http:
            text = (await http.get(f"{server.http}/metrics")).content
    done = subprocess.run(
        ("promtool", "check", "metrics"), input=text, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, b"")
