"""GraphQL operations as every door runs them: prepared, executed, and counted."""

import time
from typing import Any

from incident_manager.http.auth import Principal
from incident_manager.http.gateway import Gateway, Session
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
    """The result of a query or a mutation."""
    began = time.perf_counter()
    try:
        result = await run(operation, session)
    finally:
        gateway.counters.query_seconds.observe(time.perf_counter() - began)
    gateway.counters.erred(result.get("errors", ()))
    return result
