"""GraphQL operations as every door runs them: prepared, executed in time, and counted."""

import time
from typing import Any

from graphql import OperationType

from incident_manager.http.auth import Principal
from incident_manager.http.gateway import Gateway, Session
from incident_manager.http.serving import in_time
from incident_manager.schema.execute import execute as run
from incident_manager.schema.operation import Operation

__all__ = ["execute", "prepare"]


def prepare(
    gateway: Gateway, query: object, operation_name: object, variables: object, who: Principal
) -> Operation:
    """The operation that a client asks for; raises OperationRefused as the preparer does."""
    operation = gateway.preparer.prepare(
        query, operation_name, variables, role=who.role, confined=bool(who.selectors)
    )
    gateway.counters.queries.update(operation.fields)
    return operation


async def execute(gateway: Gateway, operation: Operation, session: Session) -> dict[str, Any]:
    """The result of a query or a mutation.

    Raises TooSlowError for a query that takes longer than ``limits.query_timeout``, and
    Unavailable for a mutation without an answer within ``PATIENCE``.
    """
    began = time.perf_counter()
    try:
        with in_time(gateway, changes=operation.kind is OperationType.MUTATION):
            result = await run(operation, session)
    finally:
        gateway.counters.query_seconds.observe(time.perf_counter() - began)
    gateway.counters.erred(result.get("errors", ()))
    return result
