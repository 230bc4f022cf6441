"""Documents: limits, what is remembered, and how much of it."""

import gc
from sys import getsizeof
from types import FunctionType, ModuleType
from typing import Any

import pytest
from graphql import ASTValidationRule, FieldNode, GraphQLError, get_introspection_query

from incident_manager.actors.errors import ErrorCode
from incident_manager.schema.build import schema
from incident_manager.schema.documents import DocumentLimits, Documents, Statistics, operations
from incident_manager.schema.errors import OperationRefused


def refused(documents: Documents, text: str) -> OperationRefused:
    with pytest.raises(OperationRefused) as caught:
        documents.get(text)
    return caught.value


def test_a_document_is_read_once() -> None:
    documents = Documents(schema)
    first = documents.get("{ cursor }")
    assert documents.get("{ cursor }") is first
    statistics = documents.statistics()
    assert (statistics.documents, statistics.hits, statistics.misses) == (1, 1, 1)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{", ErrorCode.GRAPHQL_PARSE_FAILED),
        ("", ErrorCode.GRAPHQL_PARSE_FAILED),
        ("{ nothing }", ErrorCode.GRAPHQL_VALIDATION_FAILED),
        ("{ health }", ErrorCode.GRAPHQL_VALIDATION_FAILED),
        ('{ incident(id: "x") { id } }', ErrorCode.BAD_USER_INPUT),
        ("subscription { alerts { id } newIncidents { id } }", ErrorCode.GRAPHQL_VALIDATION_FAILED),
        ("subscription { alerts @skip(if: true) { id } }", ErrorCode.GRAPHQL_VALIDATION_FAILED),
        ("subscription { __typename }", ErrorCode.GRAPHQL_VALIDATION_FAILED),
        ("{ ...A } fragment A on Query { ...A }", ErrorCode.GRAPHQL_VALIDATION_FAILED),
        ("type A { a: Int }", ErrorCode.GRAPHQL_VALIDATION_FAILED),
    ],
)
def test_a_mistake_is_found_once(text: str, code: ErrorCode) -> None:
    documents = Documents(schema)
    first, second = refused(documents, text), refused(documents, text)
    assert first.code is second.code is code
    assert documents.statistics().hits == 1


SMALL = DocumentLimits(bytes=40, tokens=8, aliases=2, repeats=3)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("{ cursor" + " " * 31 + "}", True),
        ("{ cursor" + " " * 32 + "}", False),
        ("{ cursor #" + "ä" * 14 + "\n}", True),
        ("{ cursor #" + "ä" * 15 + "\n}", False),  # bytes of UTF-8 count
        ("{cursor ...{cursor}}", True),
        ("{cursor ...{...{cursor}}}", False),
        ("{cursor" + "#\n" * 8 + "}", True),
        ("{cursor" + "#\n" * 9 + "}", False),
        ("{a:cursor b:cursor}", True),
        ("{a:cursor ...{b:cursor}}", False),
        ("{cursor cursor cursor}", True),
        ("{cursor cursor cursor cursor}", False),
    ],
)
def test_limits(text: str, fits: bool) -> None:
    documents = Documents(schema, SMALL)
    if fits:
        documents.get(text)
    else:
        assert refused(documents, text).code is ErrorCode.COMPLEXITY_LIMITED


def test_aliases_are_counted_wherever_they_stand() -> None:
    documents = Documents(schema, DocumentLimits(aliases=2))
    text = "{ a: cursor ...F ... on Query { b: cursor } } fragment F on Query { c: cursor }"
    assert refused(documents, text).code is ErrorCode.COMPLEXITY_LIMITED


def test_repeats_are_of_the_name_in_the_answer() -> None:
    documents = Documents(schema, DocumentLimits(repeats=1))
    documents.get("{ a: cursor b: cursor }")
    assert "names a 2 times" in str(refused(documents, "{ a: cursor a: cursor }"))


DEEP = "incidents { incidents { resolution { notes } } }"
WIDE = "newIncidents { id title } "
COSTS = DocumentLimits(
    query_depth=4, query_complexity=5, subscription_depth=2, subscription_complexity=3
)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (f"{{ {DEEP} }}", None),
        (f"{{ {DEEP} cursor }}", None),
        (f"{{ {DEEP} cursor a: cursor }}", "has a query of more than 5 fields"),
        ("{ incidents { edges { node { resolution { notes } } } } }", "has a query of depth 5"),
        ("{ incidents { ...P } } fragment P on IncidentConnection"
         " { edges { node { resolution { notes } } } }", "has a query of depth 5"),
        (f"subscription {{ {WIDE} }}", None),
        ("subscription { newIncidents { id title state } }", "subscription of more than 3 fields"),
        ("subscription { newIncidents { resolution { notes } } }", "a subscription of depth 3"),
        ("query A { cursor } subscription B { newIncidents { resolution { notes } } }",
         "a subscription of depth 3"),
        ('mutation { a: closeIncident(id: "x") { id a: id b: id c: id d: id } }',
         "has a mutation of more than 5 fields"),
    ],
)  # fmt: skip
def test_depth_and_complexity(text: str, said: str | None) -> None:
    documents = Documents(schema, COSTS)
    if said is None:
        documents.get(text)
        return
    error = refused(documents, text)
    assert error.code is ErrorCode.COMPLEXITY_LIMITED
    assert said in str(error)


def test_zero_is_no_limit() -> None:
    none = DocumentLimits(
        query_depth=0, query_complexity=0, subscription_depth=0, subscription_complexity=0
    )
    wide = " ".join(["id title state"] * 50)
    links = "relatedIncidents { " * 20 + "id" + " }" * 20
    deep = f"{{ incidents {{ incidents {{ {links} }} }} }}"
    for text in (deep, f"subscription {{ newIncidents {{ {wide} }} }}"):
        assert refused(Documents(schema), text).code is ErrorCode.COMPLEXITY_LIMITED
        Documents(schema, none).get(text)


def test_introspection_costs_nothing_and_can_be_turned_off() -> None:
    text = get_introspection_query()
    Documents(schema, DocumentLimits(query_depth=1, query_complexity=1)).get(text)
    off = Documents(schema, DocumentLimits(introspection=False))
    for asked in (text, '{ __type(name: "Query") { name } }'):
        error = refused(off, asked)
        assert error.code is ErrorCode.GRAPHQL_VALIDATION_FAILED
        assert "introspection has been disabled" in str(error)
    off.get("{ __typename health { __typename } }")


def test_the_cost_is_looked_at_before_the_rules(monkeypatch: pytest.MonkeyPatch) -> None:
    """What it refuses need not be validated, which takes ten times as long."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("validated")

    monkeypatch.setattr("incident_manager.schema.documents.validate", fail)
    parts = " ".join(f"fragment F{n} on T {{ ...F{n + 1} ...F{n + 1} }}" for n in range(200))
    text = f"{{ ...F0 }} {parts} fragment F200 on T {{ a }}"
    assert refused(Documents(schema), text).code is ErrorCode.COMPLEXITY_LIMITED


def test_a_document_that_is_no_text() -> None:
    assert refused(Documents(schema), "{ \ud800 }").code is ErrorCode.GRAPHQL_PARSE_FAILED


@pytest.mark.parametrize("text", ["{health" * 990 + "}" * 10, "{a(b:" + "[" * 1_900, "{" * 1_999])
def test_a_deep_document_is_refused(text: str) -> None:
    codes = {ErrorCode.COMPLEXITY_LIMITED, ErrorCode.GRAPHQL_PARSE_FAILED}
    assert refused(Documents(schema), text).code in codes


def test_validation_that_is_given_up_is_too_complex() -> None:
    documents = Documents(schema, DocumentLimits(repeats=2_000))
    error = refused(documents, "{" + "health{status} " * 490 + "}")
    assert error.code is ErrorCode.COMPLEXITY_LIMITED


def test_a_refusal_names_at_most_twenty_mistakes() -> None:
    assert len(refused(Documents(schema), "{" + " x" * 150 + "}").errors) <= 21


def test_the_least_recently_used_is_forgotten() -> None:
    documents = Documents(schema, entries=2)
    first, _ = documents.get("{ a: cursor }"), documents.get("{ b: cursor }")
    assert documents.get("{ a: cursor }") is first
    documents.get("{ c: cursor }")
    assert documents.get("{ a: cursor }") is first
    assert documents.statistics().misses == 3
    documents.get("{ b: cursor }")
    assert documents.statistics().misses == 4
    assert documents.statistics().documents == 2


def test_what_is_held_is_bounded_by_size() -> None:
    documents = Documents(schema, bytes=20_000)
    for number in range(50):
        documents.get(f"{{ cursor }} #{number}")
        documents.get(f"{{ cursor {'#' * 40} {number}\n{'cursor ' * 10} }}")
        refused(documents, f"{{ nothing }} #{number}")
        assert documents.statistics().bytes <= 20_000
    assert documents.statistics().documents > 1
    refused(documents, "{ " + "y " * 199 + "}")
    documents.get("{ " + "cursor " * 199 + "}")  # larger than all that may be kept
    assert documents.statistics() == Statistics(0, 0, 0, 152)


KINDS = {
    "small": "{ cursor }",
    "usual": 'subscription { newIncidents(filter: {sources: ["a"]}) { id title severity } }',
    "wide": "{" + " ".join(f'a{n}: incident(id: "{n}") {{ id title }}' for n in range(50)) + "}",
    "commented": "{ cursor }" + "\n# so" * 500,
    "foreign": '{ incident(id: "' + "\N{FIRE}" * 4_000 + '") { id } }',
    "invalid": "{ nothing of that is there }",
    "broken": "{ cursor(" + "x" * 9_000,
}


def size_of(*values: object) -> int:
    """Bytes of values and all that they are made of; not of classes, which are there anyway."""
    seen: dict[int, object] = {}
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if id(value) not in seen and not isinstance(value, type | ModuleType | FunctionType):
            seen[id(value)] = value
            waiting += gc.get_referents(value)
    return sum(map(getsizeof, seen.values()))


@pytest.mark.parametrize("kind", KINDS)
def test_it_takes_no_more_memory_than_it_says(kind: str) -> None:
    documents, text = Documents(schema), KINDS[kind]
    try:
        kept: object = documents.get(text)
    except OperationRefused as error:
        kept = error.errors
    size = size_of(text, kept)
    assert size <= documents.statistics().bytes <= 2.5 * size


def test_a_rule_may_be_added_and_has_its_own_code() -> None:
    class NoCursor(ASTValidationRule):
        def enter_field(self, node: FieldNode, *_: Any) -> None:
            if node.name.value == "cursor":
                extensions = {"code": "COMPLEXITY_LIMITED"}
                self.report_error(GraphQLError("No.", node, extensions=extensions))

    documents = Documents(schema, rules=[NoCursor])
    assert refused(documents, "{ cursor }").code is ErrorCode.COMPLEXITY_LIMITED
    documents.get("{ health { status } }")


def test_operations_in_order() -> None:
    document = Documents(schema).get(
        "query A { cursor ...F } fragment F on Query { cursor } query B { cursor }"
    )
    assert [each.name.value for each in operations(document) if each.name] == ["A", "B"]
