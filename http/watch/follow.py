"""Follow the incidents: an exact snapshot, then every update after it, and anew after a gap."""

import random
from collections.abc import Mapping
from typing import Any, Final, Protocol

import trio
from attrs import frozen

from incident_manager.http.client import (
    Backoff,
    Client,
    ClientEvent,
    OperationFailed,
    TokenSource,
    open_client,
)
from incident_manager.http.watch.model import LIMIT, Wanted

__all__ = ["Screen", "Snapshot", "follow"]

_FIELDS: Final = (
    "id title severity state source assignees labels alertCount version createdAt updatedAt"
)

_SNAPSHOT: Final = f"""query ($filter: IncidentFilterInput, $after: String) {{
  incidents(
    filter: $filter, pagination: {{first: 100, after: $after}}, sort: {{field: CREATED_AT}}
  ) {{
    cursor incidents {{ {_FIELDS} }} pageInfo {{ hasNextPage endCursor }} }} }}"""

_STREAM: Final = f"""subscription (
  $severities: [Severity!], $activeOnly: Boolean, $filter: StreamFilterInput
) {{
  incidentUpdates(
    severities: $severities, activeOnly: $activeOnly, filter: $filter, heartbeatSeconds: 30
  ) {{
    updateType timestamp actor changedFields incident {{ {_FIELDS} }} }} }}"""

_BACKOFF: Final = Backoff(most=5.0)  # somebody is looking at it
_PASSING: Final = frozenset({"SERVICE_UNAVAILABLE", "TIMEOUT"})


@frozen
class Snapshot:
    """Incidents as they were at ``cursor``, the newest; ``more`` says that there are others."""

    incidents: list[dict[str, Any]]
    cursor: str
    more: bool


class Screen(Protocol):
    """Where it is shown."""

    def connection(self, event: ClientEvent) -> None:
        """The connection has come or gone."""
        ...

    async def snapshot(self, snapshot: Snapshot) -> None:
        """Everything as it is; what was shown before does not count any more."""
        ...

    async def update(self, update: Mapping[str, Any], cursor: str | None) -> None:
        """An IncidentUpdate, never a heartbeat."""
        ...

    async def gap(self, since: str, until: str) -> None:
        """Some updates are lost; a snapshot follows."""
        ...


async def follow(
    url: str,
    token: TokenSource | None,
    wanted: Wanted,
    screen: Screen,
    *,
    once: bool,
    patience: float | None,
) -> None:
    """Show what is wanted on a screen until cancelled; with ``once`` just the snapshot.

    Raises:
        ClientError: the server refuses, or there is none for ``patience`` seconds.
    """
    async with open_client(
        url, token, backoff=_BACKOFF, patience=patience, on_event=screen.connection
    ) as client:
        while True:
            snapshot = await _load(client, wanted)
            await screen.snapshot(snapshot)
            if once:
                return
            await _stream(client, wanted, snapshot.cursor, screen)


async def _stream(client: Client, wanted: Wanted, cursor: str, screen: Screen) -> None:
    """Show updates until there is a gap."""
    updates = client.subscribe(_STREAM, wanted.of_stream(), cursor=cursor)
    async with updates:
        async for message in updates:
            if message.gap is not None:
                await screen.gap(message.gap.since, message.gap.until)
                return
            if message.errors or message.data is None:
                raise OperationFailed(message.errors, message.data)
            update = message.data["incidentUpdates"]
            if update["incident"] is not None:
                await screen.update(update, message.cursor)


async def _load(client: Client, wanted: Wanted) -> Snapshot:
    first = page = await _page(client, wanted, None)
    incidents = list(first["incidents"])
    # Later pages are read later; what changed in between comes with the stream once more.
    while page["pageInfo"]["hasNextPage"] and len(incidents) < LIMIT:
        page = await _page(client, wanted, page["pageInfo"]["endCursor"])
        incidents += page["incidents"]
    return Snapshot(incidents, first["cursor"], page["pageInfo"]["hasNextPage"])


async def _page(client: Client, wanted: Wanted, after: str | None) -> Mapping[str, Any]:
    variables = {"filter": wanted.of_snapshot(), "after": after}
    failures = 0
    while True:
        try:
            data = await client.execute(_SNAPSHOT, variables)
        except OperationFailed as failed:
            if failed.code not in _PASSING:
                raise
        else:
            page: Mapping[str, Any] = data["incidents"]
            return page
        await trio.sleep(_BACKOFF.delay(failures, random.random()))  # noqa: S311 -- no secret  # nosec B311
        failures += 1
