"""Ariadne's own ASGI WebSocket on uvicorn, as its documentation has it: a source of a field."""

import sys
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from ariadne import SubscriptionType, make_executable_schema
from ariadne.asgi import GraphQL
from ariadne.asgi.handlers import GraphQLTransportWSHandler
from asgi import Topics, serve

SCHEMA = """
  type Query { ok: Boolean! }
  type Subscription { newIncidents(filter: StreamFilterInput!): Incident! }
  input StreamFilterInput { sources: [String!]! }
  enum Severity { P0 P1 P2 P3 P4 }
  enum IncidentState { NEW RESOLVED }
  type Incident {
    id: ID!
    title: String!
    description: String!
    severity: Severity!
    state: IncidentState!
    source: String!
    createdAt: String!
    cursor: String!
  }
"""
TOPICS: Topics[dict[str, Any]] = Topics()

subscription = SubscriptionType()


@subscription.source("newIncidents")
async def source(
    *_: Any,
    filter: dict[str, Any],  # noqa: A002 - the name in the schema
) -> AsyncGenerator[dict[str, Any], None]:
    async for incident in TOPICS.listen(filter["sources"]):
        yield incident


@subscription.field("newIncidents")
def new_incidents(
    incident: dict[str, Any],
    *_: Any,
    filter: dict[str, Any],  # noqa: A002 - the name in the schema
) -> dict[str, Any]:
    return incident


def publish(fields: dict[str, Any]) -> None:
    TOPICS.publish(fields["source"], {**fields, "createdAt": fields["created_at"]})


if __name__ == "__main__":
    schema = make_executable_schema(SCHEMA, subscription)
    serve(GraphQL(schema, websocket_handler=GraphQLTransportWSHandler()), publish)
