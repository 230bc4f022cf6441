"""Execute queries and mutations, for HTTP and WebSocket alike."""

from typing import Any, cast

from graphql import ExecutionResult

from incident_manager.schema.context import new_context
from incident_manager.schema.errors import format_error, refusal_of
from incident_manager.schema.operation import Operation
from incident_manager.schema.services import Services

__all__ = ["execute"]


async def execute(operation: Operation, services: Services) -> dict[str, Any]:
    """The result: ``data``, and ``errors`` where there are any (GraphQL spec, section 7).

    Fields of a query are resolved at the same time, those of a mutation one after the other.
    What a resolver raises becomes an error at its path; only cancellation leaves this function.
    Where relations grow beyond all bounds, there is no data and one error, COMPLEXITY_LIMITED.
    Raises ValueError for a subscription.
    """
    if operation.streams:
        raise ValueError("a subscription is not executed but projected, event by event")
    executor = operation.executor.build_per_event_executor(None)
    context = executor.context_value = new_context(services)
    result = executor.execute_operation()
    if executor.is_awaitable(result):
        tally = context.loaders.tally
        with tally.bounded():
            result = await result
        if tally.exceeded is not None:
            return {"data": None, "errors": refusal_of(tally.exceeded).errors}
    finished = cast(ExecutionResult, result)
    answer: dict[str, Any] = {"data": finished.data}
    if finished.errors:
        answer["errors"] = [format_error(error) for error in finished.errors]
    return answer
