"""From a request to an operation that can be executed: valid, allowed, its variables coerced."""

from collections import OrderedDict
from collections.abc import Collection, Hashable, Mapping
from typing import Any, Final, cast

import msgspec
from attrs import field, frozen
from graphql import (
    ASTValidationRule,
    DocumentNode,
    GraphQLError,
    GraphQLSchema,
    OperationDefinitionNode,
    OperationType,
)
from graphql import VariableDefinitionNode as _Variable
from graphql.execution.collect_fields import GroupedFieldSet, collect_fields

from incident_manager.actors.access import Access, Scope
from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.roles import Role
from incident_manager.schema.build import schema as the_schema
from incident_manager.schema.documents import DocumentLimits, Documents, Statistics, operations
from incident_manager.schema.errors import OperationRefused, format_error, refusal
from incident_manager.schema.plain import PlainExecutor

__all__ = ["ACCESS", "Operation", "Preparer", "access_to"]

ACCESS: Final[Mapping[str, Access]] = {
    "Query": Access(Role.VIEWER),
    "Query.health": Access(Role.VIEWER, Scope.SAME),
    "Query.me": Access(Role.VIEWER, Scope.SAME),
    "Mutation": Access(Role.RESPONDER),
    "Subscription": Access(Role.VIEWER),
}
"""``Type`` or ``Type.field`` of a root field -> who may have it.

The more exact entry counts. The root types are all there, so nothing is open by oversight.
"""


def access_to(kind: str, field: str) -> Access:
    """Who may have a root field of a root type."""
    return ACCESS.get(f"{kind}.{field}", ACCESS[kind])


_MOST_ITEMS: Final = 1_000
"""More items than this no list or object in a variable may have."""


_REMEMBERED: Final = 64 * 1024
"""So many characters of text and variables of prepared subscriptions are remembered: each of them
keeps a document alive, which may take some 200 bytes for a character.
"""
_MOST_ASKED: Final = 4_096
"""Longer ones are not."""

_Asked = tuple[str, str | None, bytes]


def _asked(query: str, name: str | None, variables: Mapping[str, object] | None) -> _Asked | None:
    """What a client asks for, to find it again; None where that is not worth it."""
    try:
        given = msgspec.json.encode(variables) if variables else b""
    except (TypeError, ValueError, OverflowError, RecursionError):  # the checks will say it
        return None
    asked = (query, name, given)
    return asked if _length(asked) <= _MOST_ASKED else None


def _length(asked: _Asked) -> int:
    query, name, given = asked
    return len(query) + len(name or "") + len(given)


@frozen(eq=False)
class Operation:
    """One operation, ready to be executed as often as wanted.

    ``fields`` are the names of its root fields; ``grouped`` the same as graphql-core has
    collected them, by response name; validation leaves a subscription exactly one.
    """

    kind: OperationType
    name: str | None
    fields: tuple[str, ...]
    grouped: GroupedFieldSet = field(repr=False)
    executor: PlainExecutor = field(repr=False)
    plans: dict[Hashable, Any] = field(factory=dict, init=False, repr=False)
    """What others have made of it, and remember. What is made for each caller is bounded there."""

    @property
    def streams(self) -> bool:
        """It is a subscription."""
        return self.kind is OperationType.SUBSCRIPTION


class Preparer:
    """Prepares operations, and remembers documents. One serves the whole process."""

    def __init__(
        self,
        schema: GraphQLSchema = the_schema,
        limits: DocumentLimits | None = None,
        *,
        rules: Collection[type[ASTValidationRule]] = (),
    ) -> None:
        self._schema = schema
        self._documents = Documents(schema, limits, rules=rules)
        self._subscriptions: OrderedDict[_Asked, Operation] = OrderedDict()
        self._remembered = 0

    def statistics(self) -> Statistics:
        """What its cache of documents holds."""
        return self._documents.statistics()

    def prepare(
        self,
        query: object,
        operation_name: object = None,
        variables: object = None,
        *,
        role: Role = Role.VIEWER,
        confined: bool = False,
    ) -> Operation:
        """Make an operation of what a client sent (``query``, ``operationName``, ``variables``).

        Raises OperationRefused, and nothing else, whatever was sent: GRAPHQL_PARSE_FAILED,
        GRAPHQL_VALIDATION_FAILED, COMPLEXITY_LIMITED, BAD_USER_INPUT for what is of a wrong
        type and for variables, FORBIDDEN where ``role`` does not suffice.
        """
        if not isinstance(query, str):
            raise _bad("query must be a string", "query")
        if operation_name is not None and not isinstance(operation_name, str):
            raise _bad("operationName must be a string", "operationName")
        if variables is not None and not isinstance(variables, Mapping):
            raise _bad("variables must be an object", "variables")
        asked = _asked(query, operation_name, variables)
        known = None if asked is None else self._subscriptions.get(asked)
        if asked is not None and known is not None:
            self._subscriptions.move_to_end(asked)
            self._permit(known.kind, known.fields, role, confined=confined)
            return known
        document = self._documents.get(query)
        node = _chosen(document, operation_name)
        _check_variables(node, variables or {})
        executor = self._executor(document, node, dict(variables or {}))
        grouped = self._collected(executor, node)
        fields = tuple(details[0].node.name.value for details in grouped.values())
        self._permit(node.operation, fields, role, confined=confined)
        name = None if node.name is None else node.name.value
        operation = Operation(node.operation, name, fields, grouped, executor)
        # What is streamed is the same for all who ask for the same; a result is not.
        if operation.streams and asked is not None:
            self._remember(asked, operation)
        return operation

    def _remember(self, asked: _Asked, operation: Operation) -> None:
        self._subscriptions[asked] = operation
        self._remembered += _length(asked)
        while self._remembered > _REMEMBERED:
            oldest, _ = self._subscriptions.popitem(last=False)
            self._remembered -= _length(oldest)

    def _executor(
        self, document: DocumentNode, node: OperationDefinitionNode, variables: dict[str, object]
    ) -> PlainExecutor:
        try:
            built = PlainExecutor.build(
                self._schema,
                document,
                raw_variable_values=variables,
                operation_name=None if node.name is None else node.name.value,
            )
        except (RecursionError, ValueError, OverflowError) as error:
            # Ints beyond Python's own limit on digits, and the like.
            raise _bad(f"variables cannot be read ({type(error).__name__})", "variables") from None
        if isinstance(built, list):
            raise OperationRefused([_variable_error(error) for error in built])
        return cast(PlainExecutor, built)

    def _collected(self, executor: PlainExecutor, node: OperationDefinitionNode) -> GroupedFieldSet:
        root = self._schema.get_root_type(node.operation)
        assert root is not None  # noqa: S101 -- the document is valid
        try:
            return collect_fields(
                self._schema, executor.fragments, executor.variable_values, root, node
            ).grouped_field_set
        except GraphQLError as error:  # @skip(if: $v), with null for a variable that has a default
            raise OperationRefused([format_error(error, ErrorCode.BAD_USER_INPUT)]) from None

    def _permit(
        self, kind: OperationType, fields: tuple[str, ...], role: Role, *, confined: bool
    ) -> None:
        root = self._schema.get_root_type(kind)
        assert root is not None  # noqa: S101 -- the document is valid
        for name in fields:
            access = access_to(root.name, name)
            if access.least is not None and role < access.least:
                raise refusal(ErrorCode.FORBIDDEN, f"{name} needs the role {access.least.name}.")
            if confined and access.scope is Scope.NONE:
                raise refusal(ErrorCode.FORBIDDEN, f"{name} is not for who is confined.")


def _bad(message: str, name: str) -> OperationRefused:
    return refusal(ErrorCode.BAD_USER_INPUT, f"{message}.", name)


def _chosen(document: DocumentNode, name: str | None) -> OperationDefinitionNode:
    """The operation that is meant; a valid document has one.

    The name does not count where there is a single one without a name.
    """
    found = operations(document)
    if len(found) == 1 and (not name or found[0].name is None):
        return found[0]
    if not name:
        raise _bad("operationName must say which of several operations is meant", "operationName")
    for each in found:
        if each.name is not None and each.name.value == name:
            return each
    raise _bad(f"operationName names no operation of the document: {name[:80]}", "operationName")


def _check_variables(node: OperationDefinitionNode, variables: Mapping[str, object]) -> None:
    """Refuse lists and objects that nobody needs, before all their items are read."""
    for each in node.variable_definitions or ():
        name = each.variable.name.value
        waiting = [(name, variables.get(name))]
        while waiting:  # without recursion: a value may be deep
            place, value = waiting.pop()
            if not isinstance(value, Mapping | list | tuple):
                continue
            if len(value) > _MOST_ITEMS:
                what = f"{place[:80]} has {len(value)} items; at most {_MOST_ITEMS} are taken"
                raise _bad(what, name)
            if isinstance(value, Mapping):
                waiting += [(f"{place}.{key}", inner) for key, inner in value.items()]
            else:
                waiting += [(place, inner) for inner in value]


def _variable_error(error: GraphQLError) -> dict[str, object]:
    formatted = format_error(error, ErrorCode.BAD_USER_INPUT)
    names = [n.variable.name.value for n in error.nodes or () if isinstance(n, _Variable)]
    formatted["extensions"]["field"] = names[0] if names else "variables"
    return formatted
