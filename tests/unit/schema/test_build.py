"""The schema keeps the contract: names, nullability and arguments."""

import dataclasses
from pathlib import Path

import pytest
from graphql import (
    FieldDefinitionNode,
    GraphQLEnumType,
    GraphQLInputObjectType,
    GraphQLObjectType,
    GraphQLScalarType,
    Node,
    TypeDefinitionNode,
    build_schema,
    is_introspection_type,
    is_specified_scalar_type,
    parse,
    print_ast,
    print_schema,
)

from incident_manager.actors.roles import Role
from incident_manager.actors.streams import StreamField
from incident_manager.schema.build import schema, sdl
from incident_manager.schema.operation import ACCESS
from incident_manager.schema.resolvers.types import RELATIONS

CONTRACT = Path(__file__).with_name("contract.graphql").read_text()

OWN = {
    name: kind
    for name, kind in schema.type_map.items()
    if not is_introspection_type(kind) and not is_specified_scalar_type(kind)
}
ENUMS = sorted(name for name, kind in OWN.items() if isinstance(kind, GraphQLEnumType))


def members(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Type -> its kind, and its members as they are written down without descriptions:
    fields with arguments, types and defaults, and values of enums.
    """
    return {
        node.name.value: (
            node.kind,
            {
                each.name.value: plain(each)
                for each in (*getattr(node, "fields", ()), *getattr(node, "values", ()))
            },
        )
        for node in parse(text).definitions
        if isinstance(node, TypeDefinitionNode)
    }


def plain(node: Node) -> str:
    bare = dataclasses.replace(node, description=None)
    if isinstance(bare, FieldDefinitionNode):
        arguments = [dataclasses.replace(each, description=None) for each in bare.arguments or ()]
        bare = dataclasses.replace(bare, arguments=tuple(arguments))
    return " ".join(print_ast(bare).split())


@pytest.mark.parametrize("name", members(CONTRACT))
def test_the_schema_keeps_the_contract(name: str) -> None:
    kind, wanted = members(CONTRACT)[name]
    our_kind, ours = members(sdl())[name]
    assert our_kind == kind
    assert wanted.items() <= ours.items()
    if kind in ("enum_type_definition", "input_object_type_definition"):
        assert ours == wanted, "more of these would surprise a client"


def test_the_contract_is_compared_to_the_letter() -> None:
    kind, fields = members('"a" type T { "b" f("c" x: [Int!]! = [1], y: I): R! }')["T"]
    assert (kind, fields) == ("object_type_definition", {"f": "f(x: [Int!]! = [1], y: I): R!"})


@pytest.mark.parametrize("name", sorted(OWN))
def test_everything_is_described_or_speaks_for_itself(name: str) -> None:
    obvious = {"SortOrder", "Query", "SubmitAlertInput", "ResolveIncidentInput"}
    obvious |= {"IncidentEdge", "PageInfo", "ComponentHealth", "IncidentSortInput"}
    obvious |= {"CreateIncidentInput"}
    assert OWN[name].description or name in obvious


@pytest.mark.parametrize("name", ENUMS)
def test_every_value_of_an_enum_is_its_own_text(name: str) -> None:
    kind = OWN[name]
    assert isinstance(kind, GraphQLEnumType)
    for text, value in kind.values.items():
        assert kind.serialize(value.value) == text
        assert text == getattr(value.value, "name", value.value)


def test_names_are_snake_case_inside() -> None:
    field = OWN["Subscription"].fields["incidentUpdates"]  # type: ignore[union-attr]
    assert field.args["heartbeatSeconds"].out_name == "heartbeat_seconds"
    inputs = OWN["SubmitAlertInput"]
    assert isinstance(inputs, GraphQLInputObjectType)
    assert inputs.fields["affectedServices"].out_name == "affected_services"


def test_the_streams_are_the_fields_of_subscription() -> None:
    assert schema.subscription_type is not None
    assert set(schema.subscription_type.fields) == {stream.value for stream in StreamField}


def test_every_root_type_needs_a_role() -> None:
    roots = {"Query": Role.VIEWER, "Mutation": Role.RESPONDER, "Subscription": Role.VIEWER}
    assert {name: ACCESS[name].least for name in roots} == roots
    for entry in ACCESS.keys() - roots.keys():
        name, _, field = entry.partition(".")
        assert field in OWN[name].fields  # type: ignore[union-attr]


def test_relations_are_fields() -> None:
    for name, field in RELATIONS:
        kind = OWN[name]
        assert isinstance(kind, GraphQLObjectType)
        assert kind.fields[field].resolve is not None


def test_a_selection_decides_alone_what_is_collected() -> None:
    """Shapes rely on it: no type of the schema is abstract."""
    concrete = GraphQLObjectType | GraphQLInputObjectType | GraphQLEnumType | GraphQLScalarType
    assert all(isinstance(kind, concrete) for kind in OWN.values())


def test_the_sdl_builds_the_same_schema() -> None:
    assert print_schema(build_schema(sdl())) == sdl()
