"""What a subscription operation asks for: which stream, which events, in what shape."""

from collections.abc import Collection, Hashable, Mapping
from typing import Any, Final, TypeVar

from attrs import evolve, frozen
from graphql import GraphQLError, get_argument_values

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.selectors import Selectors
from incident_manager.actors.streams import StreamField, StreamFilter
from incident_manager.schema.errors import OperationRefused, format_error, refusal, refusal_of
from incident_manager.schema.operation import Operation
from incident_manager.schema.shape import GraphQLShape, shape_of

__all__ = ["Subscribed", "stream_filter", "subscribed"]

_LONGEST_HEARTBEAT: Final = 3600
_MOST_PLANS: Final = 64  # of one operation, for so many selectors


@frozen
class Subscribed:
    """A subscription, as the fan-out takes it. Without ``heartbeat_seconds`` there is none."""

    field: StreamField
    filter: StreamFilter
    shape: GraphQLShape
    heartbeat_seconds: int | None = None


def subscribed(operation: Operation, selectors: Selectors) -> Subscribed:
    """What a subscription asks for, of one who is confined by ``selectors``.

    Raises OperationRefused with BAD_USER_INPUT for a heartbeat beyond 1 to 3600 seconds, for
    null where it may not be, and for a relation that is asked for more than 100 objects;
    ValueError for a query or a mutation.
    """
    if not operation.streams:
        raise ValueError(f"{operation.kind.value} is no subscription")
    plan: Subscribed | None = operation.plans.get(selectors)
    if plan is None:
        plan = _planned(operation, selectors)
        if len(operation.plans) >= _MOST_PLANS:
            operation.plans.clear()
        operation.plans[selectors] = plan
    return plan


def _planned(operation: Operation, selectors: Selectors) -> Subscribed:
    executor = operation.executor
    [details] = operation.grouped.values()
    root = executor.schema.subscription_type
    assert root is not None  # noqa: S101 -- the schema has subscriptions
    definition = root.fields[details[0].node.name.value]
    try:
        arguments = get_argument_values(definition, details[0].node, executor.variable_values)
        shape = shape_of(operation, selectors)
    except GraphQLError as error:
        raise OperationRefused([format_error(error, ErrorCode.BAD_USER_INPUT)]) from None
    except Refused as refused:
        raise refusal_of(refused) from None
    wanted = evolve(stream_filter(arguments), selectors=selectors)
    return Subscribed(shape.field, wanted, shape, _heartbeat(arguments))


def _heartbeat(arguments: Mapping[str, Any]) -> int | None:
    seconds: int | None = arguments.get("heartbeat_seconds")
    if seconds is not None and not 1 <= seconds <= _LONGEST_HEARTBEAT:
        raise refusal(
            ErrorCode.BAD_USER_INPUT,
            f"heartbeatSeconds is {seconds}; it must be 1 to {_LONGEST_HEARTBEAT}.",
            "heartbeatSeconds",
        )
    return seconds


T = TypeVar("T", bound=Hashable)


def stream_filter(arguments: Mapping[str, Any]) -> StreamFilter:
    """The filter of a root field's arguments, in the schema's snake_case names.

    A named argument and its twin in ``filter`` must both hold; null and [] filter nothing.
    """
    given: Mapping[str, Any] = arguments.get("filter") or {}
    incident_id = arguments.get("incident_id")
    return StreamFilter(
        incident_ids=_both(
            arguments.get("incident_ids"),
            None if incident_id is None else [incident_id],
            given.get("incident_ids"),
        ),
        severities=_both(arguments.get("severities"), given.get("severities")),
        states=_both(given.get("states")),
        sources=_both(arguments.get("sources"), given.get("sources")),
        types=_both(given.get("types")),
        labels=given.get("labels") or {},
        assigned_to=given.get("assigned_to"),
        active_only=bool(arguments.get("active_only")),
    )


def _both(*conditions: Collection[T] | None) -> frozenset[T] | None:
    """What all conditions let through that are any; None if none is."""
    allowed: frozenset[T] | None = None
    for condition in conditions:
        if condition:
            allowed = frozenset(condition) if allowed is None else allowed & frozenset(condition)
    return allowed
