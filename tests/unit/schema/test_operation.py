"""Operations: whatever is sent becomes one, or is refused with a reason."""

import math
from typing import Any

import pytest
from graphql import OperationType
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.access import Access, Scope
from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.roles import Role
from incident_manager.schema.errors import OperationRefused
from incident_manager.schema.operation import ACCESS, Operation, Preparer

PREPARER = Preparer()
ID = "0190a5b0-7c00-7000-8000-000000000001"
RESOLVE = (
    f'mutation {{ resolveIncident(id: "{ID}", input: {{method: MANUAL, notes: ""}}) {{ id }} }}'
)


def refused(*request: object, role: Role = Role.ADMIN) -> dict[str, Any]:
    with pytest.raises(OperationRefused) as caught:
        PREPARER.prepare(*request, role=role)  # type: ignore[arg-type]
    error: dict[str, Any] = caught.value.errors[0]
    return {"message": error["message"], **error["extensions"]}


def prepared(*request: object, role: Role = Role.ADMIN) -> Operation:
    return PREPARER.prepare(*request, role=role)  # type: ignore[arg-type]


def test_an_operation_says_what_it_is() -> None:
    operation = prepared("query Q { a: cursor ...F } fragment F on Query { health { status } }")
    assert (operation.kind, operation.name) == (OperationType.QUERY, "Q")
    assert operation.fields == ("cursor", "health")
    assert not operation.streams
    assert prepared("subscription { alerts { id } }").streams


def test_what_is_skipped_is_no_field() -> None:
    query = "query ($no: Boolean!) { cursor @include(if: $no) health @skip(if: $no) { status } }"
    assert prepared(query, None, {"no": False}).fields == ("health",)
    assert prepared(query, None, {"no": True}).fields == ("cursor",)


@pytest.mark.parametrize(
    ("query", "name", "chosen"),
    [
        ("{ cursor }", "Whatever", None),
        ("query A { cursor }", None, "A"),
        ("query A { cursor }", "", "A"),
        ("query A { cursor }", "A", "A"),
        ("query A { cursor } query B { cursor }", "B", "B"),
    ],
)
def test_the_operation_that_is_meant(query: str, name: str | None, chosen: str | None) -> None:
    assert prepared(query, name).name == chosen


@pytest.mark.parametrize(
    ("request_", "code", "field"),
    [
        ((None,), "BAD_USER_INPUT", "query"),
        ((1,), "BAD_USER_INPUT", "query"),
        (("{ cursor }", 1), "BAD_USER_INPUT", "operationName"),
        (("{ cursor }", None, []), "BAD_USER_INPUT", "variables"),
        (("query A { cursor }", "B"), "BAD_USER_INPUT", "operationName"),
        (("query A { cursor } query B { cursor }",), "BAD_USER_INPUT", "operationName"),
        (("query A { cursor } query B { cursor }", "C"), "BAD_USER_INPUT", "operationName"),
        (("fragment F on Query { cursor }",), "GRAPHQL_VALIDATION_FAILED", None),
        (("{",), "GRAPHQL_PARSE_FAILED", None),
        (("{ x }",), "GRAPHQL_VALIDATION_FAILED", None),
        (("{ cursor }" + " " * 65_536,), "COMPLEXITY_LIMITED", None),
        (("{" + " cursor" * 1_999 + "}",), "COMPLEXITY_LIMITED", None),
        (("{" + "".join(f" a{n}:cursor" for n in range(51)) + "}",), "COMPLEXITY_LIMITED", None),
    ],
)
def test_what_is_refused(request_: tuple[object, ...], code: str, field: str | None) -> None:
    error = refused(*request_)
    assert (error["code"], error.get("field")) == (code, field)


FIRST = "query ($n: Int) { incidents(pagination: {first: $n}) { cursor } }"
LIST = "query ($f: IncidentFilterInput) { incidents(filter: $f) { cursor } }"
ONE = "query ($id: UUID!) { incident(id: $id) { id } }"
SEND = "mutation ($input: SubmitAlertInput!) { submitAlert(input: $input) { status } }"
INPUT = {"source": "s", "title": "t", "description": "d", "severity": "P1"}


@pytest.mark.parametrize(
    ("query", "variables", "field", "said"),
    [
        (FIRST, {"n": math.nan}, "n", "Int"),
        (FIRST, {"n": math.inf}, "n", "Int"),
        (FIRST, {"n": 2**31}, "n", "Int"),
        (FIRST, {"n": "1"}, "n", "Int"),
        (FIRST, {"n": 10**5_000}, "variables", "variables"),
        (ONE, {}, "id", "$id"),
        (ONE, {"id": None}, "id", "$id"),
        (ONE, {"id": "00000000-0000-1000-8000-000000000000"}, "id", "version 4 or 7"),
        (ONE, {"id": [[[ID]]]}, "id", "UUID"),
        (LIST, {"f": {"severities": ["P9"] * 60}}, "f", "Severity"),
        (SEND, {"input": {**INPUT, "severity": "P9"}}, "input", "input.severity"),
        (SEND, {"input": {**INPUT, "labels": {"a": 1}}}, "input", "input.labels"),
        (SEND, {"input": {**INPUT, "timestamp": "now"}}, "input", "input.timestamp"),
        (SEND, {"input": {**INPUT, "nonsense": 1}}, "input", "nonsense"),
        (SEND, {"input": {k: v for k, v in INPUT.items() if k != "title"}}, "input", "title"),
    ],
)
def test_wrong_variables_are_named(
    query: str, variables: dict[str, object], field: str, said: str
) -> None:
    error = refused(query, None, variables)
    assert (error["code"], error["field"]) == ("BAD_USER_INPUT", field)
    assert said.replace("input.", "") in error["message"]


def test_no_more_than_fifty_wrong_values_are_named() -> None:
    with pytest.raises(OperationRefused) as caught:
        PREPARER.prepare(LIST, None, {"f": {"severities": ["P9"] * 1_000}})
    assert len(caught.value.errors) == 51
    assert caught.value.errors[-1]["extensions"]["field"] == "variables"


@pytest.mark.parametrize(
    ("query", "variables", "said"),
    [
        (LIST, {"f": {"sources": ["a"] * 1_001}}, "f.sources has 1001 items"),
        (LIST, {"f": {"labels": {str(n): "" for n in range(1_001)}}}, "f.labels has 1001 items"),
        (LIST, {"f": {str(n): "" for n in range(1_001)}}, "f has 1001 items"),
        (LIST, {"f": {"sources": [[["a"] * 1_001]]}}, "f.sources has 1001 items"),
        (LIST, {"f": ({"sources": ("a",) * 1_001},)}, "f.sources has 1001 items"),
        (ONE, {"id": [ID] * 1_001}, "id has 1001 items"),
    ],
)
def test_long_lists_are_refused_before_they_are_read(
    query: str, variables: dict[str, object], said: str
) -> None:
    error = refused(query, None, variables)
    assert (error["code"], error["field"]) == ("BAD_USER_INPUT", next(iter(variables)))
    assert said in error["message"]
    assert "at most 1000 are taken" in error["message"]


def test_lists_of_a_thousand_are_taken() -> None:
    prepared(LIST, None, {"f": {"sources": ["a"] * 1_000, "labels": {}}, "other": [0] * 2_000})


def test_a_deep_variable_is_refused() -> None:
    deep: object = "x"
    for _ in range(100_000):
        deep = {"labels": deep}
    error = refused(LIST, None, {"f": deep})
    assert (error["code"], error["field"]) == ("BAD_USER_INPUT", "f")


def test_an_empty_selection_asks_for_nothing() -> None:
    assert prepared("{ }").fields == ()


@pytest.mark.parametrize(
    "query",
    [
        "subscription { }",
        "subscription { ... { } }",
        "subscription { __typename }",
        "subscription { alerts { id } newIncidents { id } }",
        "subscription { alerts { id } x: alerts { id } }",
        "subscription { ...F } fragment F on Subscription { alerts { id } newIncidents { id } }",
        "subscription ($v: Boolean!) { alerts @skip(if: $v) { id } }",
        "subscription ($v: Boolean!) { ... @include(if: $v) { alerts { id } } }",
        "subscription { ...F @skip(if: true) } fragment F on Subscription { alerts { id } }",
        "subscription { ...F } fragment F on Subscription { alerts @include(if: false) { id } }",
    ],
)
def test_a_subscription_has_exactly_one_root_field(query: str) -> None:
    assert refused(query, None, {"v": True})["code"] == "GRAPHQL_VALIDATION_FAILED"
    assert refused(query, None, {"v": False})["code"] == "GRAPHQL_VALIDATION_FAILED"


def test_null_for_a_variable_with_a_default_is_refused() -> None:
    query = "query ($no: Boolean = true) { cursor @skip(if: $no) }"
    assert refused(query, None, {"no": None})["code"] == "BAD_USER_INPUT"


def test_variables_that_nobody_asked_for_are_ignored() -> None:
    assert prepared("{ cursor }", None, {"x": object()}).fields == ("cursor",)


@pytest.mark.parametrize(
    ("query", "least"),
    [
        ("{ cursor }", Role.VIEWER),
        ("{ __typename }", Role.VIEWER),
        ("subscription { alerts { id } }", Role.VIEWER),
        (RESOLVE, Role.RESPONDER),
    ],
)
def test_roles(query: str, least: Role) -> None:
    for role in Role:
        if role >= least:
            prepared(query, role=role)
        else:
            error = refused(query, role=role)
            assert error["code"] == "FORBIDDEN"
            assert least.name in error["message"]


def test_one_field_may_need_more_than_its_type(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**ACCESS, "Query.health": Access(Role.ADMIN)}
    monkeypatch.setattr("incident_manager.schema.operation.ACCESS", table)
    assert prepared("{ cursor }", role=Role.VIEWER)
    assert refused("{ cursor health { status } }", role=Role.RESPONDER)["code"] == "FORBIDDEN"


def test_a_field_may_be_kept_from_those_who_are_confined(monkeypatch: pytest.MonkeyPatch) -> None:
    table = {**ACCESS, "Query.health": Access(Role.VIEWER, Scope.NONE)}
    monkeypatch.setattr("incident_manager.schema.operation.ACCESS", table)
    assert PREPARER.prepare("{ cursor }", confined=True)
    assert PREPARER.prepare("{ health { status } }")
    with pytest.raises(OperationRefused) as caught:
        PREPARER.prepare("{ cursor health { status } }", confined=True)
    assert caught.value.code is ErrorCode.FORBIDDEN


def test_a_document_is_read_once_whatever_its_variables() -> None:
    preparer = Preparer()
    for number in range(5):
        preparer.prepare(FIRST, None, {"n": number})
    assert preparer.statistics().misses == 1
    assert preparer.statistics().hits == 4


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=10,
)
WORDS = st.sampled_from(
    [
        *"{}()[]:!$@&|=",
        "...",
        '"x"',
        '"""x"""',
        "1",
        "1e999",
        "null",
        "query",
        "mutation",
        "subscription",
        "fragment",
        "on",
        "F",
        "Query",
        "$v",
        "cursor",
        "health",
        "status",
        "incidents",
        "incident",
        "filter",
        "labels",
        "alerts",
        "id",
        "__schema",
        "__type",
        "types",
        "name",
        "@skip",
        "if",
        "true",
        "#",
        "\ud800",
        "\0",
        "Int",
        "type",
    ]
)
DOCUMENTS = st.lists(WORDS, max_size=30).map(" ".join) | st.text(max_size=60)


@settings(max_examples=200, deadline=None)
@given(DOCUMENTS, st.none() | st.sampled_from(["", "F"]), JSON)
def test_nothing_but_a_refusal_is_raised(query: str, name: str | None, variables: object) -> None:
    outcome: Operation | OperationRefused
    try:
        outcome = PREPARER.prepare(query, name, variables)
    except OperationRefused as refusal:
        outcome = refusal
    assert isinstance(outcome, Operation) or outcome.errors


QUERIES = st.sampled_from(
    [
        FIRST.replace("$n: Int", "$v: Int").replace("$n", "$v"),
        "query ($v: UUID!) { incident(id: $v) { id } }",
        "query ($v: IncidentFilterInput) { incidents(filter: $v) { cursor } }",
        "query ($v: Boolean = true) { cursor @skip(if: $v) }",
        "query ($v: Map) { incidents(filter: {labels: $v}) { cursor } }",
        "query ($v: String) { incidents(filter: {labels: {a: $v}}) { cursor } }",
        "subscription ($v: StreamFilterInput) { alerts(filter: $v) { id } }",
        "subscription ($v: [UUID!]) { incidentUpdates(incidentIds: $v) { actor } }",
        "mutation ($v: SubmitAlertInput!) { submitAlert(input: $v) { status } }",
    ]
)
FIELDS = st.sampled_from(["source", "labels", "incidentIds", "severities", "createdAfter", "title"])


@settings(max_examples=150, deadline=None)
@given(QUERIES, JSON | st.dictionaries(FIELDS, JSON, max_size=4))
def test_no_variable_raises_anything_but_a_refusal(query: str, value: object) -> None:
    code = None
    try:
        PREPARER.prepare(query, None, {"v": value}, role=Role.ADMIN)
    except OperationRefused as refusal:
        code = refusal.code
    assert code in {None, ErrorCode.BAD_USER_INPUT}


@pytest.mark.parametrize("depth", [100, 10_000])
def test_deeply_nested_variables_are_refused(depth: int) -> None:
    value: object = ID
    for _ in range(depth):
        value = [value]
    query = "subscription ($v: [UUID!]) { incidentUpdates(incidentIds: $v) { actor } }"
    assert refused(query, None, {"v": value})["code"] == "BAD_USER_INPUT"
    nested: object = "x"
    for _ in range(depth):
        nested = {"a": nested}
    query = "query ($v: Map) { incidents(filter: {labels: $v}) { cursor } }"
    assert refused(query, None, {"v": nested})["code"] == "BAD_USER_INPUT"


STREAM = "subscription S($s: [Severity!]) { incidentUpdates(severities: $s) { actor } }"


def test_a_subscription_is_prepared_once_for_all_who_ask_for_the_same() -> None:
    preparer = Preparer()
    first = preparer.prepare(STREAM, "S", {"s": ["P1"]})
    assert preparer.prepare(STREAM, "S", {"s": ["P1"]}) is first
    for other in ((STREAM, None, {"s": ["P1"]}), (STREAM, "S", {"s": ["P2"]}), (STREAM, "S", None)):
        assert preparer.prepare(*other) is not first


def test_a_result_is_prepared_for_everyone_anew_and_so_is_what_is_long() -> None:
    preparer = Preparer()
    assert preparer.prepare("{ cursor }") is not preparer.prepare("{ cursor }")
    long = STREAM + " " * 4_096
    assert preparer.prepare(long) is not preparer.prepare(long)


def test_what_is_prepared_already_is_not_for_everyone(monkeypatch: pytest.MonkeyPatch) -> None:
    preparer = Preparer()
    preparer.prepare(STREAM, role=Role.ADMIN)
    monkeypatch.setattr(
        "incident_manager.schema.operation.ACCESS", {**ACCESS, "Subscription": Access(Role.ADMIN)}
    )
    with pytest.raises(OperationRefused) as caught:
        preparer.prepare(STREAM, role=Role.VIEWER)
    assert caught.value.errors[0]["extensions"]["code"] == ErrorCode.FORBIDDEN.value


def test_of_prepared_subscriptions_the_least_used_are_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    length = len(STREAM) + len('{"s":["P0"]}')
    monkeypatch.setattr("incident_manager.schema.operation._REMEMBERED", 2 * length)
    preparer = Preparer()
    one, two, three = ({"s": [severity]} for severity in ("P0", "P1", "P2"))
    first, second = preparer.prepare(STREAM, None, one), preparer.prepare(STREAM, None, two)
    assert preparer.prepare(STREAM, None, one) is first
    preparer.prepare(STREAM, None, three)
    assert preparer.prepare(STREAM, None, one) is first
    assert preparer.prepare(STREAM, None, two) is not second


def test_variables_that_are_no_json_are_refused_as_ever() -> None:
    bad = refused(STREAM, None, {"s": object()})
    assert bad["code"] == ErrorCode.BAD_USER_INPUT.value
