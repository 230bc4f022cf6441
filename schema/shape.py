"""Shapes: what subscriptions share whose payloads are equal.

A shape is written down as a document of its own: the root field with its alias but without its
arguments, fragments expanded, fields merged, ``@skip`` and ``@include`` decided, and variables
replaced by their values. Two subscriptions whose documents come out equal are one shape.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Final
from weakref import WeakValueDictionary

import attrs
from graphql import (
    FieldNode,
    GraphQLError,
    GraphQLObjectType,
    Undefined,
    VariableNode,
    get_argument_values,
    get_named_type,
    is_object_type,
    print_ast,
)
from graphql.execution.collect_fields import FieldDetailsList, GroupedFieldSet, collect_subfields
from graphql.utilities import replace_variables

from incident_manager.actors.selectors import Selectors
from incident_manager.actors.streams import StreamField
from incident_manager.schema.executor import TrioExecutor
from incident_manager.schema.operation import Operation
from incident_manager.schema.relations import Part
from incident_manager.schema.resolvers.types import RELATIONS

__all__ = ["GraphQLShape", "canonical", "shape_of"]


@attrs.frozen(cache_hash=True)
class GraphQLShape:
    """What one selection makes of the events of one stream, for those of some selectors.

    ``document`` says it all; it has one anonymous subscription without variables. ``deep`` says
    that relations are in it, which must be read at delivery. ``key`` stands for the two that make
    shapes equal (SHA-256 of them): what a shape is executed by is large, and goes with the last
    who has the shape itself.
    """

    document: str
    field: StreamField = attrs.field(eq=False)
    deep: bool = attrs.field(eq=False)
    selectors: Selectors = ()
    key: bytes = attrs.field(
        init=False,
        eq=False,
        repr=False,
        default=attrs.Factory(lambda it: _digest(it.document, it.selectors), takes_self=True),
    )


def _digest(document: str, selectors: Selectors) -> bytes:
    return sha256(repr((document, selectors)).encode()).digest()


_Name = tuple[str, Selectors]
_SHAPES: Final[WeakValueDictionary[_Name, GraphQLShape]] = WeakValueDictionary()


def shape_of(operation: Operation, selectors: Selectors = ()) -> GraphQLShape:
    """The shape of a subscription; equal ones are one object while anybody holds it.

    Raises GraphQLError where a directive or an argument inside is given null for a variable
    that must not be, or text that no document can hold, and Refused where a relation is asked
    for more than it may give.
    """
    executor = operation.executor
    [(alias, details)] = operation.grouped.items()
    stream = StreamField(details[0].node.name.value)
    root = executor.schema.subscription_type
    assert root is not None  # noqa: S101 -- the schema has subscriptions
    subfields, relations = _below(executor, root, details)
    document = f"subscription{{{_named(alias, details[0].node)}{subfields}}}"
    found = _SHAPES.get((document, selectors))
    if found is None:
        found = GraphQLShape(document, stream, bool(relations & RELATIONS), selectors)
        _SHAPES[document, selectors] = found
    return found


_Seen = frozenset[tuple[str, str]]
_NONE: _Seen = frozenset()


def canonical(
    executor: TrioExecutor, parent: GraphQLObjectType, grouped: GroupedFieldSet
) -> tuple[str, _Seen]:
    """The text of a selection set, and the (type, field) pairs in it."""
    parts: list[str] = []
    seen: set[tuple[str, str]] = set()
    for alias, details in grouped.items():
        node = details[0].node
        if (parent.name, node.name.value) in RELATIONS:
            values = executor.variable_values
            given = get_argument_values(parent.fields[node.name.value], node, values)
            Part.read(given.get("first"))  # now, and not with every event
        arguments = ",".join(sorted(_arguments(executor, node)))
        below, found = _below(executor, parent, details)
        parts.append(f"{_named(alias, node)}{f'({arguments})' if arguments else ''}{below}")
        seen |= {(parent.name, node.name.value), *found}
    return f"{{{' '.join(parts)}}}", frozenset(seen)


def _below(
    executor: TrioExecutor, parent: GraphQLObjectType, details: FieldDetailsList
) -> tuple[str, _Seen]:
    definition = executor.schema.get_field(parent, details[0].node.name.value)
    assert definition is not None  # noqa: S101 -- the document is valid
    kind = get_named_type(definition.type)
    if not is_object_type(kind):
        return "", _NONE
    collected = collect_subfields(
        executor.schema,
        executor.fragments,
        executor.variable_values,
        executor.operation,
        kind,
        details,
    )
    return canonical(executor, kind, collected.grouped_field_set)


def _named(alias: str, node: FieldNode) -> str:
    return alias if alias == node.name.value else f"{alias}:{node.name.value}"


def _arguments(executor: TrioExecutor, node: FieldNode) -> Iterator[str]:
    values = executor.variable_values
    for argument in node.arguments or ():
        if isinstance(argument.value, VariableNode):
            source = values.sources[argument.value.name.value]
            if source.value is Undefined and source.signature.default is None:
                continue  # as if it were not written: the argument's own default holds
        literal = print_ast(replace_variables(argument.value, values))
        if not literal.isascii() and any("\ud800" <= each <= "\udfff" for each in literal):
            what = "is not valid Unicode text (it has half of a surrogate pair)"
            raise GraphQLError(f"Argument '{argument.name.value}' {what}.")
        yield f"{argument.name.value}:{literal}"
