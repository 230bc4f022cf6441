"""Fuzz: operations made of the schema, with hostile variables. Nothing breaks, and every answer
is one that the schema allows. Many more of them: ``pytest --hypothesis-profile=fuzz``.
"""

import re
from collections.abc import AsyncGenerator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec
import pytest
import trio
from attrs import define, field, frozen
from graphql import (
    FieldNode,
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLObjectType,
    OperationDefinitionNode,
    SelectionSetNode,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
    parse,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from incident_manager.actors.commands import AddComment, CreateIncident, LinkIncidents, SubmitAlert
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.model import Ack, Incident
from incident_manager.actors.roles import Role
from incident_manager.actors.streams import StreamField, matches
from incident_manager.actors.vocabulary import IncidentType, Severity
from incident_manager.schema.build import schema
from incident_manager.schema.errors import OperationRefused
from incident_manager.schema.execute import execute
from incident_manager.schema.projector import GraphQLProjector
from incident_manager.schema.subscription import subscribed
from incident_manager.supervision import ChildSpec, open_supervisor
from unit.schema.desk import Desk, open_desk

# What is sent.

HOSTILE_TEXT = st.sampled_from(
    ["", " ", "\0", "\ud800", "a\udfff", "%", "'; DROP TABLE incidents; --", '"', "*", "NEAR(",
     "(" * 50, "\u202e", "é" * 300, "x" * 70_000, "null", "-1",
     "é e\u0301 \U0001f4a5", "word " * 40]
)  # fmt: skip
TEXTS = HOSTILE_TEXT | st.text(max_size=20)
NUMBERS = st.sampled_from([0, 1, -1, 20, 100, 101, 2**31 - 1, -(2**31), 2**31, 2**63, 10**400])
JUNK = st.recursive(
    st.none() | st.booleans() | NUMBERS | st.floats() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
KNOWN = "KNOWN"
"""Stands for the id of something that is there; a number behind it says which."""

PLAIN_TEXT = st.sampled_from(["disk full", "word", "rae", "s", "team"])
KNOWN_ID = st.integers(0, 9).map(lambda n: f"{KNOWN}{n}")

SCALARS: dict[str, st.SearchStrategy[Any]] = {
    "Int": st.one_of(st.integers(1, 5), st.integers(1, 100), NUMBERS),
    "String": st.one_of(PLAIN_TEXT, PLAIN_TEXT, PLAIN_TEXT, TEXTS),
    "Boolean": st.booleans(),
    "UUID": st.one_of(KNOWN_ID, KNOWN_ID, KNOWN_ID, st.uuids().map(str)),
    "DateTime": st.sampled_from(
        ["2023-11-14T22:13:20Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z",
         "0001-01-01T00:00:00+14:00", "2016-12-31T23:59:60Z", "2023-02-30T00:00:00Z", "now"]
    ),
    "Map": st.one_of(
        st.dictionaries(st.sampled_from(["team", "zone"]), st.sampled_from(["db", "a"])),
        st.dictionaries(PLAIN_TEXT, PLAIN_TEXT, max_size=3),
        st.dictionaries(PLAIN_TEXT, PLAIN_TEXT, max_size=3),
        st.dictionaries(TEXTS, TEXTS, max_size=3) | st.just({str(n): "x" for n in range(70)}),
    ),
    "Cursor": TEXTS,
    "JSON": JUNK,
}  # fmt: skip


def values(kind: Any) -> st.SearchStrategy[Any]:
    """Mostly what the type asks for, sometimes anything."""
    must = is_non_null_type(kind)
    good = fitting(kind.of_type) if must else st.none() | fitting(kind)
    return st.integers(0, 19).flatmap(lambda chance: good if chance else JUNK)


def fitting(kind: Any) -> st.SearchStrategy[Any]:
    if is_list_type(kind):
        return st.lists(values(kind.of_type), max_size=3)
    if isinstance(kind, GraphQLEnumType):
        return st.sampled_from([*kind.values])
    if isinstance(kind, GraphQLInputObjectType):
        required = {
            name: each for name, each in kind.fields.items() if is_required_input_field(each)
        }
        return st.deferred(
            lambda: st.fixed_dictionaries(
                {name: fitting(each.type.of_type) for name, each in required.items()},
                optional={name: values(each.type) for name, each in kind.fields.items()
                          if name not in required},
            )
        )  # fmt: skip
    return SCALARS[kind.name]


@define
class Writer:
    """Writes one operation; its arguments are all variables."""

    draw: st.DrawFn
    declared: list[str] = field(factory=list)
    variables: dict[str, Any] = field(factory=dict)

    def selection(self, kind: GraphQLObjectType, depth: int) -> str:
        names = [
            name
            for name, each in kind.fields.items()
            if depth or is_leaf_type(get_named_type(each.type))
        ]
        chosen = self.draw(
            st.lists(st.sampled_from(names or ["__typename"]), min_size=1, max_size=4)
        )
        return " ".join(self.field(f"f{n}", kind, name, depth) for n, name in enumerate(chosen))

    def field(self, alias: str, parent: GraphQLObjectType, name: str, depth: int) -> str:
        if name == "__typename":
            return name
        each = parent.fields[name]
        below = get_named_type(each.type)
        inside = ""
        if isinstance(below, GraphQLObjectType):
            inside = f" {{ __typename {self.selection(below, depth - 1)} }}"
        return f"{alias}: {name}{self.arguments(each)}{inside}"

    def arguments(self, each: GraphQLField) -> str:
        given_ = []
        for name, argument in each.args.items():
            if not is_required_argument(argument) and self.draw(st.booleans()):
                continue
            variable = f"v{len(self.declared)}"
            self.declared.append(f"${variable}: {argument.type}")
            self.variables[variable] = self.draw(values(argument.type))
            given_.append(f"{name}: ${variable}")
        return f"({', '.join(given_)})" if given_ else ""


@frozen
class Request:
    text: str
    variables: dict[str, Any]


@st.composite
def requests(draw: st.DrawFn) -> Request:
    kind, root = draw(
        st.sampled_from(
            [("query", schema.query_type), ("mutation", schema.mutation_type),
             ("subscription", schema.subscription_type)]
        )
    )  # fmt: skip
    assert root is not None
    writer = Writer(draw)
    if kind == "query":
        inside = writer.selection(root, 4)
    else:  # of a mutation one as well: all of several are null where one fails
        inside = writer.field("f", root, draw(st.sampled_from([*root.fields])), 3)
    declared = f"({', '.join(writer.declared)})" if writer.declared else ""
    return Request(f"{kind} {declared} {{ {inside} }}", writer.variables)


def filled_in(value: Any, known: list[str]) -> Any:
    """The value with ids of what is there."""
    if isinstance(value, str) and value.startswith(KNOWN):
        return known[int(value.removeprefix(KNOWN)) % len(known)]
    if isinstance(value, dict):
        return {key: filled_in(each, known) for key, each in value.items()}
    return [filled_in(each, known) for each in value] if isinstance(value, list) else value


# What must come back.

FORMS = {
    "UUID": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "DateTime": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
}


def check(kind: Any, value: Any, selections: SelectionSetNode | None) -> None:
    """The value is one that the schema allows for what is selected."""
    if is_non_null_type(kind):
        assert value is not None
        kind = kind.of_type
    if value is None:
        return
    if is_list_type(kind):
        assert isinstance(value, list)
        for each in value:
            check(kind.of_type, each, selections)
    elif isinstance(kind, GraphQLObjectType):
        assert selections is not None
        nodes = [node for node in selections.selections if isinstance(node, FieldNode)]
        assert value.keys() == {(node.alias or node.name).value for node in nodes}
        for node in nodes:
            name = node.name.value
            found = value[(node.alias or node.name).value]
            if name == "__typename":
                assert found == kind.name
            else:
                check(kind.fields[name].type, found, node.selection_set)
    else:
        check_leaf(kind, value)


def check_leaf(kind: Any, value: Any) -> None:
    if isinstance(kind, GraphQLEnumType):
        assert value in kind.values
    elif kind.name == "Int":
        assert type(value) is int
        assert -(2**31) <= value < 2**31
    elif kind.name == "Boolean":
        assert type(value) is bool
    elif kind.name == "Map":
        assert all(isinstance(each, str) for pair in value.items() for each in pair)
    else:
        assert isinstance(value, str)
        if kind.name == "Cursor":
            Cursor.parse(value)
        elif kind.name in FORMS:
            assert FORMS[kind.name].fullmatch(value)


HARMLESS = frozenset(ErrorCode) - {
    ErrorCode.INTERNAL_SERVER_ERROR,
    ErrorCode.SERVICE_UNAVAILABLE,
    ErrorCode.GRAPHQL_PARSE_FAILED,
    ErrorCode.GRAPHQL_VALIDATION_FAILED,
}


def check_answer(answer: dict[str, Any], text: str) -> None:
    """An answer, as it is on the wire."""
    assert answer.keys() <= {"data", "errors", "extensions"}
    for error in answer.get("errors", ()):
        assert isinstance(error["message"], str)
        assert error["extensions"]["code"] in HARMLESS, error
    [node] = parse(text).definitions
    assert isinstance(node, OperationDefinitionNode)
    if answer["data"] is None:
        assert answer["errors"]
    else:
        check(schema.get_root_type(node.operation), answer["data"], node.selection_set)


async def send(desk: Desk, request: Request, known: list[str]) -> None:
    """Do what a connection does with a request, and look at all that comes back."""
    try:
        operation = desk.preparer.prepare(
            request.text, None, filled_in(request.variables, known), role=Role.ADMIN
        )
        wanted = subscribed(operation, ()) if operation.streams else None
    except OperationRefused as refused:
        check_answer(wire({"data": None, "errors": refused.errors}), request.text)
        return
    if wanted is None:
        check_answer(wire(await execute(operation, desk)), request.text)
        return
    projector = GraphQLProjector(desk)
    for record in (await desk.journal.read_after(0, 100)).records:
        if matches(wanted.field, wanted.filter, record):
            payload = await projector.project_deep(wanted.shape, record, "e:1")
            check_answer(msgspec.json.decode(payload), request.text)
    if wanted.field is StreamField.INCIDENT_UPDATES:
        payload = projector.heartbeat(wanted.shape, desk.now(), "e:1")
        check_answer(msgspec.json.decode(payload), request.text)


def wire(answer: dict[str, Any]) -> dict[str, Any]:
    decoded: dict[str, Any] = msgspec.json.decode(msgspec.json.encode(answer))
    return decoded


async def fill(desk: Desk) -> list[str]:
    """Something to ask for; the ids of all of it."""
    labels = {"team": "db"}
    outcomes = await desk.ask(
        [
            SubmitAlert("s", "disk full", "", Severity.P1, labels=labels, external_id="1"),
            SubmitAlert("s", "disk full", "", Severity.P1, labels=labels, external_id="1"),
            CreateIncident("s", "word", "d", Severity.P3, IncidentType.COST, assignees=("rae",)),
        ]
    )
    first, _, second = outcomes
    assert isinstance(first, Ack)
    assert isinstance(second, Incident)
    one, two = str(first.incident_id), second.id
    await desk.ask([AddComment(one, "x"), AddComment(one, "y"), LinkIncidents(one, two)])
    return [one, two, first.alert_id]


@asynccontextmanager
async def open_file() -> AsyncGenerator[Desk, None]:
    with TemporaryDirectory() as folder:
        async with open_sqlite(Path(folder) / "journal.db") as journal:
            desk = Desk(journal)
            spec = ChildSpec("registry", desk.registry.run, shutdown=0)
            async with open_supervisor("root", [spec]):
                yield desk


async def converse(
    opener: Callable[[], AbstractAsyncContextManager[Desk]], asked: list[Request]
) -> None:
    async with opener() as desk:
        known = await fill(desk)
        for request in asked:
            await send(desk, request, known)


@pytest.mark.parametrize("opener", [open_desk, open_file], ids=["memory", "sqlite"])
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(asked=st.lists(requests(), min_size=1, max_size=4))
def test_nothing_breaks(
    opener: Callable[[], AbstractAsyncContextManager[Desk]], asked: list[Request]
) -> None:
    trio.run(converse, opener, asked)


@pytest.mark.parametrize(
    "data",
    [
        {"cursor": None},
        {"cursor": "x"},
        {},
        {"cursor": "e:1", "health": {}},
    ],
)
def test_a_wrong_answer_would_be_seen(data: dict[str, Any]) -> None:
    check_answer({"data": {"cursor": "e:1"}}, "{ cursor }")
    with pytest.raises((AssertionError, ValueError)):
        check_answer({"data": data}, "{ cursor }")


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("Int", 1, True),
        ("Boolean", True, 1),
        ("Map", {"a": "b"}, {"a": 1}),
        ("UUID", "00000000-0000-4000-8000-000000000001", "x"),
        ("DateTime", "2023-11-14T22:13:21.000000Z", "2023-11-14"),
        ("Severity", "P0", "P9"),
        ("String", "", 0),
    ],
)
def test_a_wrong_leaf_would_be_seen(name: str, right: object, wrong: object) -> None:
    check_leaf(schema.type_map[name], right)
    with pytest.raises(AssertionError):
        check_leaf(schema.type_map[name], wrong)


def test_a_fault_would_be_seen() -> None:
    fault = {"message": "", "extensions": {"code": "INTERNAL_SERVER_ERROR"}}
    with pytest.raises(AssertionError):
        check_answer({"data": None, "errors": [fault]}, "{ cursor }")
