"""The fields of Query."""

from collections.abc import Mapping
from typing import Any, Final

from ariadne import QueryType
from graphql import GraphQLResolveInfo

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.reads import IncidentQuery, SearchQuery
from incident_manager.actors.model import Alert, Incident
from incident_manager.actors.vocabulary import CRITICAL
from incident_manager.schema.context import Context
from incident_manager.schema.pages import (
    AlertConnection,
    Connection,
    Paging,
    alert_connection,
    alert_query,
    connection,
    incident_query,
    refused,
)
from incident_manager.schema.services import Health, Me, Services
from incident_manager.schema.stats import IncidentStats, incident_stats

__all__ = ["query"]

_Info = GraphQLResolveInfo[Context[Services]]

query: Final = QueryType()


@query.field("health")
def health(_source: object, info: _Info) -> Health:
    """How the system does."""
    return info.context.services.health()


@query.field("me")
def me(_source: object, info: _Info) -> Me:
    """Who is asking."""
    return info.context.services.me()


@query.field("cursor")
async def cursor(_source: object, info: _Info) -> Cursor:
    """The journal's position now."""
    return (await info.context.services.journal.bounds()).cursor


@query.field("incident")
async def incident(
    _source: object,
    info: _Info,
    *,
    id: str,  # noqa: A002
) -> Incident | None:
    """One incident as it is now."""
    return await info.context.loaders.incident(id)


@query.field("incidents")
async def incidents(
    _source: object,
    info: _Info,
    *,
    filter: Mapping[str, Any] | None = None,  # noqa: A002
    pagination: Mapping[str, Any] | None = None,
    sort: Mapping[str, Any] | None = None,
) -> Connection:
    """A page of incidents, and the cursor of the same read."""
    paging = Paging.read(pagination)
    return await _page(info, incident_query(filter, paging, sort), paging)


@query.field("activeIncidents")
async def active_incidents(
    _source: object, info: _Info, *, pagination: Mapping[str, Any] | None = None
) -> Connection:
    """A page of active incidents."""
    paging = Paging.read(pagination)
    return await _page(info, incident_query({"active_only": True}, paging, None), paging)


@query.field("criticalIncidents")
async def critical_incidents(
    _source: object, info: _Info, *, pagination: Mapping[str, Any] | None = None
) -> Connection:
    """A page of active incidents of P0 and P1."""
    paging = Paging.read(pagination)
    wanted = {"active_only": True, "severities": CRITICAL}
    return await _page(info, incident_query(wanted, paging, None), paging)


async def _page(info: _Info, wanted: IncidentQuery, paging: Paging) -> Connection:
    with refused():
        page = await info.context.services.journal.incidents(wanted)
    return connection(page, paging)


@query.field("searchIncidents")
async def search_incidents(
    _source: object,
    info: _Info,
    *,
    query: str,
    pagination: Mapping[str, Any] | None = None,
) -> Connection:
    """A page of incidents by words."""
    paging = Paging.read(pagination)
    wanted = SearchQuery(query, page=paging.number or 0, size=paging.size, after=paging.after)
    with refused():
        page = await info.context.services.journal.search(wanted)
    return connection(page, paging)


@query.field("incidentStats")
async def stats(
    _source: object,
    info: _Info,
    *,
    filter: Mapping[str, Any] | None = None,  # noqa: A002
) -> IncidentStats:
    """How many incidents match."""
    wanted = incident_query(filter, Paging(), None)
    with refused():
        return incident_stats(await info.context.services.journal.stats(wanted))


@query.field("alert")
async def alert(
    _source: object,
    info: _Info,
    *,
    id: str,  # noqa: A002
) -> Alert | None:
    """One alert, and what became of it."""
    return await info.context.services.journal.alert(id)


@query.field("alerts")
async def alerts(
    _source: object,
    info: _Info,
    *,
    filter: Mapping[str, Any] | None = None,  # noqa: A002
    pagination: Mapping[str, Any] | None = None,
) -> AlertConnection:
    """A page of alerts, and the cursor of the same read."""
    paging = Paging.read(pagination)
    with refused():
        page = await info.context.services.journal.alerts(alert_query(filter, paging))
    return alert_connection(page, paging)
