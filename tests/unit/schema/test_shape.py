"""Shapes: what is the same for every event is one shape, and nothing else is."""

import gc
from typing import Any

import pytest
from graphql import ExecutionResult, GraphQLError, build_schema, execute, parse
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.model import Resolution
from incident_manager.actors.streams import StreamField
from incident_manager.actors.vocabulary import IncidentState, Kind, ResolutionMethod
from incident_manager.schema import shape as module
from incident_manager.schema.build import schema
from incident_manager.schema.events import source_of
from incident_manager.schema.operation import Preparer
from incident_manager.schema.shape import GraphQLShape, shape_of
from unit.actors.builders import before_of, make_incident, make_record

PREPARER = Preparer()


def shape(query: str, **variables: object) -> GraphQLShape:
    return shape_of(PREPARER.prepare(query, None, variables))


PLAIN = shape("subscription { incidentUpdates { actor incident { id severity } } }")


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("subscription Named { incidentUpdates { actor incident { id severity } } }", {}),
        ("subscription{incidentUpdates(activeOnly:true){actor,incident{id,severity}}}", {}),
        ("subscription { incidentUpdates { actor incident { id } incident { severity } } }", {}),
        ("subscription { incidentUpdates { actor: actor incident { id severity id } } }", {}),
        (
            "subscription { incidentUpdates { ...U } }"
            " fragment U on IncidentUpdate { actor incident { ... { id } ...I } }"
            " fragment I on Incident { severity }",
            {},
        ),
        (
            "subscription ($s: [Severity!]) { incidentUpdates(severities: $s)"
            " { actor incident { id severity } } }",
            {"s": ["P0"]},
        ),
        (
            "subscription ($yes: Boolean!) { incidentUpdates"
            " { actor incident { id @include(if: $yes) severity title @skip(if: $yes) } } }",
            {"yes": True},
        ),
        (
            "subscription ($yes: Boolean = true) { ... on Subscription { incidentUpdates"
            " { actor ... on IncidentUpdate @include(if: $yes) { incident { id severity } } } } }",
            {},
        ),
    ],
)
def test_what_says_the_same_is_the_same_object(query: str, variables: dict[str, object]) -> None:
    assert shape(query, **variables) is PLAIN


@pytest.mark.parametrize(
    "query",
    [
        "subscription { newIncidents { id severity } }",
        "subscription { incidentUpdates { incident { id severity } actor } }",  # another order
        "subscription { incidentUpdates { actor incident { severity id } } }",
        "subscription { x: incidentUpdates { actor incident { id severity } } }",
        "subscription { incidentUpdates { x: actor incident { id severity } } }",
        "subscription { incidentUpdates { actor incident { x: id severity } } }",
        "subscription { incidentUpdates { actor incident { id severity __typename } } }",
    ],
)
def test_what_says_something_else_is_another(query: str) -> None:
    assert shape(query) != PLAIN


def test_variables_inside_make_another_shape() -> None:
    query = "subscription ($no: Boolean!) { alerts { id title @include(if: $no) } }"
    without, with_title = shape(query, no=False), shape(query, no=True)
    assert without is shape("subscription { alerts { id } }")
    assert with_title is shape("subscription { alerts { id title } }")


@pytest.mark.parametrize(
    ("query", "deep"),
    [
        ("subscription { alerts { id incidentId } }", False),
        ("subscription { alerts { id incident { id } } }", True),
        ("subscription { alerts { x: incident { id } } }", True),
        ("subscription { alerts { ...F } } fragment F on Alert { incident { id } }", True),
        ("subscription { alerts { id incident @skip(if: true) { id } } }", False),
        ("subscription { incidentUpdates { incident { id } } }", False),
        ("subscription { incidentStateChanges { incident { id } } }", False),
        ("subscription { newIncidents { incidentType } }", False),
    ],
)
def test_relations_make_it_deep(query: str, deep: bool) -> None:
    assert shape(query).deep is deep


@pytest.mark.parametrize("stream", StreamField)
def test_every_stream_has_shapes(stream: StreamField) -> None:
    found = shape(f"subscription {{ x: {stream.value} {{ __typename }} }}")
    assert found.field is stream
    assert found.document == f"subscription{{x:{stream.value}{{__typename}}}}"


def test_the_key_stands_for_all_that_makes_shapes_equal() -> None:
    text = "subscription{alerts{id}}"
    shapes = [
        GraphQLShape(document, StreamField.ALERTS, False, selectors)
        for document in (text, "subscription{alerts{id title}}")
        for selectors in ((), (("team", "db"),), (("team", "db'"),), (("team", "\ud800"),))
    ]
    assert len({each.key for each in shapes}) == len(shapes)
    assert {len(each.key) for each in shapes} == {32}
    assert GraphQLShape(text, StreamField.ALERTS, False).key == shapes[0].key


def test_shapes_nobody_holds_are_forgotten() -> None:
    shape("subscription { alerts { fingerprint } }")
    gc.collect()
    assert ("subscription{alerts{fingerprint}}", ()) not in module._SHAPES
    assert (PLAIN.document, ()) in module._SHAPES


OTHER = build_schema(
    """
    scalar Any
    type Query { a: Int }
    type Item { part(first: Int = 3, by: [By!], any: Any): Item  id: Int }
    input By { field: String  text: String }
    type Subscription { alerts(first: Int): Item }
    """
)


@pytest.mark.parametrize(
    ("query", "variables", "document"),
    [
        ("{ alerts(first: 1) { part { id } } }", {}, "{alerts{part{id}}}"),
        (
            "($n: Int, $f: String)"
            " { alerts { part(first: $n, by: {field: $f, text: $f}) { id } } }",
            {"n": 5, "f": "x"},
            '{alerts{part(by:{ field: "x", text: "x" },first:5){id}}}',
        ),
        ("($n: Int) { alerts { part(first: $n) { id } } }", {}, "{alerts{part{id}}}"),
        (
            "($n: Int) { alerts { part(first: $n) { id } } }",
            {"n": None},
            "{alerts{part(first:null){id}}}",
        ),
        ("($n: Int = 7) { alerts { part(first: $n) { id } } }", {}, "{alerts{part(first:7){id}}}"),
        ("{ alerts { part(any: 1, first: 2) { id } } }", {}, "{alerts{part(any:1,first:2){id}}}"),
    ],
)
def test_arguments_inside_are_in_the_shape(
    query: str, variables: dict[str, Any], document: str
) -> None:
    preparer = Preparer(OTHER)
    operation = preparer.prepare(f"subscription {query}", None, variables)
    assert shape_of(operation).document == f"subscription{document}"


def test_null_where_it_may_not_be_is_refused() -> None:
    query = "subscription ($no: Boolean = true) { alerts { id @skip(if: $no) } }"
    with pytest.raises(GraphQLError):
        shape(query, no=None)


FIELDS = {
    "IncidentUpdate": ["updateType", "timestamp", "changedFields", "actor", "__typename"],
    "Incident": ["id", "state", "isActive", "labels", "assignedTo", "createdAt", "assignees"],
    "Resolution": ["notes", "resolutionMethod", "rootCause", "resolvedAt"],
}
BELOW = {"IncidentUpdate": ("incident", "Incident"), "Incident": ("resolution", "Resolution")}


@st.composite
def selections(draw: st.DrawFn, kind: str, fragments: dict[str, str], depth: int = 0) -> str:
    """The inside of a selection set of that type; named fragments go into ``fragments``."""
    parts: list[str] = []
    for _ in range(draw(st.integers(1, 4))):
        choice = draw(st.integers(0, 5 if depth < 3 else 1))
        if choice <= 1:
            name = draw(st.sampled_from(FIELDS[kind]))
            alias = draw(st.sampled_from(["", f"x_{name}:"]))
            parts.append(alias + name + draw(DIRECTIVES))
        elif choice == 2 and kind in BELOW:
            field, below = BELOW[kind]
            inside = draw(selections(below, fragments, depth + 1))
            parts.append(f"{field}{draw(DIRECTIVES)} {{ {inside} }}")
        elif choice <= 4:
            condition = draw(st.sampled_from(["", f" on {kind}"]))
            inside = draw(selections(kind, fragments, depth + 1))
            parts.append(f"...{condition}{draw(DIRECTIVES)} {{ {inside} }}")
        else:
            inside = draw(selections(kind, fragments, depth + 1))
            name = f"F{len(fragments)}"
            fragments[name] = f"fragment {name} on {kind} {{ {inside} }}"
            parts.append(f"...{name}{draw(DIRECTIVES)}")
    return " ".join(parts)


DIRECTIVES = st.sampled_from(
    ["", "", "", " @skip(if: $v)", " @include(if: $v)", " @skip(if: false) @include(if: $v)"]
)


@st.composite
def documents(draw: st.DrawFn) -> str:
    fragments: dict[str, str] = {}
    inside = draw(selections("IncidentUpdate", fragments))
    head = "subscription ($v: Boolean!, $s: [Severity!])"
    root = draw(st.sampled_from(["", "x: "])) + "incidentUpdates(severities: $s)"
    defined = " ".join(fragments.values())
    return f"{head} {{ {root} {{ __typename @skip(if: $v) {inside} }} }} {defined}"


BEFORE = make_incident(labels={"a": "b"}, assignees=("rae", "kim"))
RESOLUTION = Resolution(5, "rae", ResolutionMethod.MANUAL, "restarted", None)
AFTER = make_incident(state=IncidentState.RESOLVED, resolution=RESOLUTION)
RECORDS = [
    make_record(1, BEFORE),
    make_record(2, AFTER, kind=Kind.RESOLVE, before=before_of(BEFORE), changed=("state",)),
]


def executed(document: str, variables: dict[str, Any], number: int) -> ExecutionResult:
    source = source_of(StreamField.INCIDENT_UPDATES, RECORDS[number])
    result = execute(schema, parse(document), source, variable_values=variables)
    assert isinstance(result, ExecutionResult)
    return result


@settings(max_examples=100, deadline=None)
@given(documents(), st.booleans(), st.integers(0, 1))
def test_a_shape_gives_what_the_subscription_asked_for(
    document: str, value: bool, number: int
) -> None:
    """So equal shapes have equal payloads: the shape's own document is all that is executed."""
    variables = {"v": value, "s": ["P0"]}
    asked = executed(document, variables, number)
    given_ = executed(shape(document, **variables).document, {}, number)
    assert asked.errors is None
    assert given_ == asked
    assert str(given_.data) == str(asked.data), "in the same order, too"


@settings(max_examples=50, deadline=None)
@given(documents(), st.booleans())
def test_a_shape_is_its_own_shape(document: str, value: bool) -> None:
    found = shape(document, v=value, s=None)
    assert shape(found.document) is found
