"""Documents: limits, what is remembered, and how much of it."""

from typing import Any

import pytest
from graphql import ASTValidationRule, FieldNode, GraphQLError

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
