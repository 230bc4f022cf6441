"""The fields of Query."""

from collections.abc import Mapping
from typing import Any, Final

from ariadne import QueryType
from graphql import GraphQLResolveInfo

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.model import Incident
from incident_manager.schema.pages import Connection, Paging, connection, incident_query
from incident_manager.schema.services import Health, Services

__all__ = ["query"]

query: Final = QueryType()


@query.field("health")
def health(_source: object, info: GraphQLResolveInfo[Services]) -> Health:
    """How the system does."""
    return info.context.health()


@query.field("cursor")
async def cursor(_source: object, info: GraphQLResolveInfo[Services]) -> Cursor:
    """The journal's position now."""
    return (await info.context.journal.bounds()).cursor


@query.field("incident")
async def incident(
    _source: object,
    info: GraphQLResolveInfo[Services],
    *,
    id: str,  # noqa: A002
) -> Incident | None:
    """One incident as it is now."""
    return await info.context.journal.incident(id)


@query.field("incidents")
async def incidents(
    _source: object,
    info: GraphQLResolveInfo[Services],
    *,
    filter: Mapping[str, Any] | None = None,  # noqa: A002
    pagination: Mapping[str, Any] | None = None,
    sort: Mapping[str, Any] | None = None,
) -> Connection:
    """A page of incidents, and the cursor of the same read."""
    paging = Paging.read(pagination)
    wanted = incident_query(filter, paging, sort)
    try:
        page = await info.context.journal.incidents(wanted)
    except ValueError as error:  # the one thing that the journal alone can judge
        raise Refused(ErrorCode.BAD_USER_INPUT, f"{error}.", "after") from error
    return connection(page, paging)
