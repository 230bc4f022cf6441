"""An executor with a short way for plain fields, for what is executed once per event and shape.

Most fields of a payload are an attribute of the model, written by their scalar. graphql-core
makes a resolve info, arguments and a path for each; here such a field is read and written, and
anything unusual (no value where one must be, a value that cannot be written) goes the long way,
which knows the right error. It takes about half the time.
"""

from collections.abc import Callable, Iterator
from operator import attrgetter
from typing import Any, Final

from ariadne import convert_camel_case_to_snake, is_default_resolver
from attrs import frozen
from graphql import (
    GraphQLObjectType,
    GraphQLSchema,
    is_introspection_type,
    is_leaf_type,
    is_non_null_type,
)
from graphql.execution.collect_fields import FieldDetailsList
from graphql.pyutils import Path

from incident_manager.schema.build import schema
from incident_manager.schema.executor import TrioExecutor

__all__ = ["PlainExecutor", "plain_fields"]


@frozen
class _Plain:
    """How a plain field is read and written, and whether null is a value of it."""

    read: Callable[[Any], Any]
    write: Callable[[Any], Any]
    nullable: bool


def plain_fields(schema: GraphQLSchema) -> Iterator[tuple[tuple[str, str], _Plain]]:
    """The fields, by (type, field), that are an attribute and no list, object or relation."""
    for kind in schema.type_map.values():
        if not isinstance(kind, GraphQLObjectType) or is_introspection_type(kind):
            continue
        for name, field in kind.fields.items():
            nullable = not is_non_null_type(field.type)
            leaf = field.type if nullable else field.type.of_type
            if is_leaf_type(leaf) and is_default_resolver(field.resolve):
                read = attrgetter(convert_camel_case_to_snake(name))
                yield (kind.name, name), _Plain(read, leaf.coerce_output_value, nullable)


_PLAIN: Final = dict(plain_fields(schema))


class PlainExecutor(TrioExecutor):
    """Gives what graphql-core gives, from models (not from mappings)."""

    def execute_field(
        self,
        parent_type: GraphQLObjectType,
        source: Any,
        field_details_list: FieldDetailsList,
        path: Path,
        position_context: Any,
    ) -> Any:
        """Execute one field: its value, null, or an awaitable."""
        plain = _PLAIN.get((parent_type.name, field_details_list[0].node.name.value))
        if plain is not None:
            try:
                value = plain.read(source)
                if value is not None:
                    return plain.write(value)
            except Exception:  # noqa: BLE001, S110 -- raised again, and placed, on the long way  # nosec B110
                pass
            else:
                if plain.nullable:
                    return None
        return super().execute_field(
            parent_type, source, field_details_list, path, position_context
        )
