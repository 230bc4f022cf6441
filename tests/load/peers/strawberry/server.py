"""Strawberry on uvicorn, as its documentation has it: an async generator for a subscription."""

import sys
from collections.abc import AsyncGenerator
from enum import Enum
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import strawberry
from asgi import Topics, serve
from strawberry.asgi import GraphQL
from strawberry.extensions import ParserCache, ValidationCache
from strawberry.subscriptions import GRAPHQL_TRANSPORT_WS_PROTOCOL


@strawberry.enum
class Severity(Enum):
    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"


@strawberry.enum
class IncidentState(Enum):
    NEW = "NEW"
    RESOLVED = "RESOLVED"


@strawberry.type
class Incident:
    id: strawberry.ID
    title: str
    description: str
    severity: Severity
    state: IncidentState
    source: str
    created_at: str
    cursor: str


@strawberry.input
class StreamFilterInput:
    sources: list[str]


TOPICS: Topics[Incident] = Topics()


@strawberry.type
class Query:
    ok: bool = True


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def new_incidents(
        self,
        filter: StreamFilterInput,  # noqa: A002 - the name in the schema
    ) -> AsyncGenerator[Incident, None]:
        async for incident in TOPICS.listen(filter.sources):
            yield incident


def publish(fields: dict[str, Any]) -> None:
    severity, state = Severity(fields.pop("severity")), IncidentState(fields.pop("state"))
    incident = Incident(**fields, severity=severity, state=state)
    TOPICS.publish(incident.source, incident)


if __name__ == "__main__":
    schema = strawberry.Schema(
        query=Query, subscription=Subscription, extensions=[ParserCache(), ValidationCache()]
    )
    serve(GraphQL(schema, subscription_protocols=[GRAPHQL_TRANSPORT_WS_PROTOCOL]), publish)
