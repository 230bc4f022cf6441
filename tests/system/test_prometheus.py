"""The real Prometheus with a real rule, through a real Alertmanager and straight to us."""

from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from attrs import frozen

from incident_manager.http.auth import Role, issue_token
from incident_manager.http.ingest.alertmanager import label_fingerprint
from system.client import PATIENCE, Client, connected
from system.harness import LocalServer, free_port, local
from system.monitoring import (
    Gauges,
    alertmanager,
    checked,
    guide_files,
    prometheus,
    watched,
    write_files,
)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.component("prometheus"),
    pytest.mark.component("prometheus-alertmanager"),
]

SECRET = "a secret of tests that is long enough"
SLOW, FINE = 4.0, 0.1

UPDATES = """subscription { incidentUpdates { updateType actor incident {
    id title description severity state source alertCount affectedResources labels
    resolution { resolvedBy resolutionMethod } } } }"""
ALERTS = """subscription { alerts {
    externalId alertType labels annotations runbookUrl incidentId status } }"""


class Watcher:
    """Somebody who watches incidents and alerts."""

    def __init__(self, client: Client, updates: str, alerts: str) -> None:
        self._client = client
        self._updates = updates
        self._alerts = alerts
        self.seen: list[dict[str, Any]] = []
        """The updates so far."""

    async def update(self, *kinds: str) -> dict[str, Any]:
        """The next update that is of one of the kinds. Repeated alerts may come before it."""
        while True:
            payload = await self._client.next(self._updates)
            update: dict[str, Any] = payload["data"]["incidentUpdates"]
            self.seen.append(update)
            if update["updateType"] in kinds:
                return update
            assert update["updateType"] == "UPDATED", update

    async def alert(self, *statuses: str, **labels: str) -> dict[str, Any]:
        """The next alert of one of the statuses with these labels."""
        while True:
            payload = await self._client.next(self._alerts)
            alert: dict[str, Any] = payload["data"]["alerts"]
            if alert["status"] in statuses and labels.items() <= alert["labels"].items():
                return alert


@frozen
class Scene:
    """A service with a rule, whoever brings its alerts, and somebody who watches incidents."""

    gauges: Gauges
    watcher: Watcher
    source: str


def token(server: LocalServer, role: Role, subject: str) -> str:
    return issue_token(server.gateway.settings, role, subject, 3600)


@asynccontextmanager
async def watching(server: LocalServer) -> AsyncIterator[Watcher]:
    async with connected(server.ws) as client:
        await client.init({"Authorization": f"Bearer {token(server, Role.VIEWER, 'ann')}"})
        updates, alerts = await client.subscribe(UPDATES), await client.subscribe(ALERTS)
        yield Watcher(client, updates, alerts)


@pytest.fixture(params=["alertmanager", "prometheus"])
async def scene(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Scene]:
    """The guide's two ways: through Alertmanager, and straight from Prometheus."""
    way: str = request.param
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(local(tmp_path, auth__jwt_secret=SECRET))
        gauges = await stack.enter_async_context(watched())
        port = free_port()
        write_files(
            tmp_path,
            token(server, Role.RESPONDER, way),
            {8080: server.place.port, 9093: port, 8000: gauges.port},
        )
        watcher = await stack.enter_async_context(watching(server))
        if way == "alertmanager":
            await stack.enter_async_context(alertmanager(tmp_path, port))
            await stack.enter_async_context(prometheus(tmp_path, "prometheus.yml"))
        else:
            await stack.enter_async_context(prometheus(tmp_path, "prometheus-alone.yml"))
        yield Scene(gauges, watcher, way)


async def test_an_alert_fires_resolves_and_fires_again(scene: Scene) -> None:
    gauges, watcher = scene.gauges, scene.watcher
    gauges.seconds["eu"] = SLOW
    created = await watcher.update("CREATED")
    incident = created["incident"]
    assert incident["title"] == "CheckoutIsSlow"
    assert incident["description"] == "It takes 4 s on eu"
    assert (incident["severity"], incident["state"]) == ("P1", "NEW")
    assert (incident["source"], created["actor"]) == (scene.source, scene.source)
    assert incident["affectedResources"] == ["checkout"]
    assert incident["labels"]["shard"] == "eu"
    alert = await watcher.alert("CREATED_INCIDENT")
    assert alert["externalId"] == label_fingerprint(alert["labels"])
    assert (alert["incidentId"], alert["alertType"]) == (incident["id"], "METRIC")
    assert alert["runbookUrl"] == "https://example.org/runbooks/checkout"
    assert "/graph?" in alert["annotations"]["generator_url"]

    gauges.seconds["eu"] = FINE
    resolved = (await watcher.update("RESOLVED"))["incident"]
    assert (resolved["id"], resolved["state"]) == (incident["id"], "RESOLVED")
    assert resolved["resolution"] == {
        "resolvedBy": scene.source,
        "resolutionMethod": "AUTOMATED",
    }

    gauges.seconds["eu"] = SLOW
    reopened = (await watcher.update("STATE_CHANGED", "CREATED"))["incident"]
    assert (reopened["id"], reopened["state"]) == (incident["id"], "INVESTIGATING")
    assert reopened["resolution"] is None

    gauges.seconds["eu"] = FINE
    assert (await watcher.update("RESOLVED"))["incident"]["id"] == incident["id"]


async def test_the_last_of_many_resolves_their_incident(scene: Scene) -> None:
    gauges, watcher = scene.gauges, scene.watcher
    gauges.seconds.update(eu=SLOW, us=SLOW)
    incident_id = (await watcher.update("CREATED"))["incident"]["id"]
    for shard in ("eu", "us"):
        joined = await watcher.alert("CREATED_INCIDENT", "DEDUPLICATED", shard=shard)
        assert joined["incidentId"] == incident_id

    gauges.seconds["eu"] = FINE
    await watcher.alert("RESOLVED", shard="eu")
    gauges.seconds["us"] = FINE
    await watcher.alert("RESOLVED", shard="us")
    resolved = (await watcher.update("RESOLVED"))["incident"]
    assert resolved["id"] == incident_id
    # It was active until the last one was over: nothing but repetitions before that.
    kinds = [update["updateType"] for update in watcher.seen]
    assert kinds == ["CREATED", *["UPDATED"] * (len(kinds) - 2), "RESOLVED"]
    assert len(kinds) > 3


LABEL_SETS: Sequence[dict[str, str]] = (
    {"alertname": "A"},
    {"alertname": "A", "b": "x"},
    {"alertname": "Größe", "z": "日本", "A_1": "x y", "_": "\n"},
    {"alertname": "A", "empty": "", "Z": "𝄞"},
    {"alertname": "A", "long": "x" * 900},
    {f"l{number}": str(number) for number in range(60)} | {"alertname": "A"},
)


async def test_a_key_is_what_alertmanager_makes_of_the_labels(tmp_path: Path) -> None:
    async with local(tmp_path, auth__jwt_secret=SECRET) as server, watching(server) as watcher:
        port = free_port()
        write_files(
            tmp_path,
            token(server, Role.RESPONDER, "alertmanager"),
            {8080: server.place.port, 9093: port, 8000: port},
        )
        async with alertmanager(tmp_path, port), httpx.AsyncClient(timeout=PATIENCE) as http:
            given = [{"labels": labels} for labels in LABEL_SETS]
            answer = await http.post(f"http://127.0.0.1:{port}/api/v2/alerts", json=given)
            assert (answer.status_code, answer.content) == (200, b"")
            keys: dict[str, dict[str, str]] = {}
            while len(keys) < len(LABEL_SETS):  # in an order of its own, and some twice
                alert = await watcher.alert("CREATED_INCIDENT", "DEDUPLICATED")
                keys[alert["externalId"]] = alert["labels"]
    kept = [{name: value for name, value in each.items() if value} for each in LABEL_SETS]
    assert keys == {label_fingerprint(labels): labels for labels in kept}


def test_the_programs_own_tools_are_content_with_the_guide(tmp_path: Path) -> None:
    for name, text in guide_files().items():
        (tmp_path / name).write_text(text)
    (tmp_path / "incident-manager.token").write_text("x\n")
    for name in ("prometheus.yml", "prometheus-alone.yml"):
        assert "SUCCESS: 1 rules found" in checked(tmp_path, "promtool", "check", "config", name)
    assert "SUCCESS" in checked(tmp_path, "amtool", "check-config", "alertmanager.yml")
