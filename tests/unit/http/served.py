"""The HTTP application over a running system, for tests: no socket, the journal in memory."""

import json
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

from attrs import evolve, field, frozen
from quart_trio import QuartTrio

from incident_manager.actors.journal.base import Journal
from incident_manager.actors.journal.memory import MemoryJournal, MemoryStore, open_memory
from incident_manager.actors.model import Micros
from incident_manager.actors.registry import wall_clock
from incident_manager.actors.system import SystemSettings, open_system
from incident_manager.http.auth import Authenticator, Role, issue_token
from incident_manager.http.exchange import Exchange
from incident_manager.http.gateway import Gateway, Phase
from incident_manager.http.sections import AuthSettings, ServerSettings
from incident_manager.http.settings import Settings
from incident_manager.http.web import create_quart
from incident_manager.schema.projector import GraphQLProjector
from unit.actors.faults import Faults, FaultyJournal

SECRET = "a secret of tests, long enough for HS256"
AUTHENTICATED = Settings(auth=AuthSettings(jwt_secret=SECRET))
SMALL = Settings(server=ServerSettings(max_body_bytes=1024))

ALERT = {
    "source": "prometheus",
    "title": "Checkout is slow",
    "description": "p99 above 2 s",
    "severity": "P1",
}


@frozen
class Reply:
    """An answer, read to its end."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def media_type(self) -> str:
        return self.headers["Content-Type"].partition(";")[0]

    @property
    def fields(self) -> list[str]:
        """The fields that a problem names."""
        return [error["field"] for error in self.json["errors"]]


@frozen
class Served:
    """The application, and ways to ask it."""

    gateway: Gateway
    app: QuartTrio
    store: MemoryStore = field(factory=MemoryStore)
    opened: list[MemoryJournal] = field(factory=list)
    """The journals that the system has opened, the newest last."""

    async def ask(self, method: str, path: str, **given: Any) -> Reply:
        response = await self.app.test_client().open(path, method=method, **given)
        return Reply(response.status_code, response.headers, await response.get_data())

    async def get(self, path: str, **given: Any) -> Reply:
        return await self.ask("GET", path, **given)

    async def post(self, path: str, value: Any, **given: Any) -> Reply:
        return await self.ask("POST", path, json=value, **given)

    async def alert(self, **changes: Any) -> Any:
        """Send an alert in; its ack."""
        reply = await self.post("/v1/alerts", {**ALERT, **changes})
        assert reply.status == 202, reply.body
        return reply.json


@frozen
class _Sources:
    journal: Journal


def recovering(settings: Settings | None = None) -> Served:
    """The application before its system runs."""
    settings = settings or Settings()
    gateway = Gateway(settings, Authenticator.from_settings(settings))
    return Served(gateway, create_quart(gateway))


@asynccontextmanager
async def serving(
    settings: Settings | None = None,
    faults: Faults | None = None,
    *,
    clock: Callable[[], Micros] = wall_clock,
    again: Served | None = None,
) -> AsyncGenerator[Served, None]:
    """The application while its system runs, on a journal that has these faults.

    With ``again`` it is that application, which takes time to make, on an empty journal.
    """
    if again is None:
        served = recovering(settings)
    else:
        served = evolve(again, store=MemoryStore(), opened=[])

    @asynccontextmanager
    async def opener() -> AsyncIterator[Journal]:
        async with open_memory(served.store) as journal:
            served.opened.append(journal)
            yield FaultyJournal(journal, faults or Faults())

    async with open_system(
        opener,
        lambda journal: GraphQLProjector(_Sources(journal)),
        SystemSettings(),
        clock=clock,
    ) as system:
        served.gateway.system = system
        served.gateway.phase = Phase.READY
        yield served


def asked(
    gateway: Gateway,
    method: str = "GET",
    path: str = "/health",
    body: bytes = b"",
    headers: Mapping[str, str] | None = None,
) -> Exchange:
    """A request, as its view sees it."""

    async def read() -> bytes:
        return body

    lines = [(name.encode(), text.encode()) for name, text in (headers or {}).items()]
    client = ("192.0.2.7", 50_000)
    scope = {"method": method, "path": path, "scheme": "http", "headers": lines, "client": client}
    return Exchange.of(gateway, scope, read)


def bearer(role: Role, subject: str = "rae", seconds: float = 60.0) -> dict[str, str]:
    """The header of a caller with that role."""
    return {"Authorization": f"Bearer {issue_token(AUTHENTICATED, role, subject, seconds)}"}
