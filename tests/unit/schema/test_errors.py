"""Errors: the code says whose fault it is, and nothing inner is shown."""

import logging

import msgspec
import pytest
from graphql import GraphQLError, Source, parse

from incident_manager.actors.errors import ErrorCode, Refused, Unavailable
from incident_manager.actors.journal.base import JournalUnavailable
from incident_manager.schema.errors import OperationRefused, format_error, refusal, root_cause


def wrapped(cause: Exception) -> GraphQLError:
    """As graphql-core wraps what a resolver raises, twice for good measure."""
    inner = GraphQLError(str(cause), path=["a", 1], original_error=cause)
    return GraphQLError(str(inner), path=["a", 1], original_error=inner)


def test_what_is_refused_keeps_its_code_and_field() -> None:
    error = wrapped(Refused(ErrorCode.CONFLICT, "It moved on.", "expectedVersion"))
    assert format_error(error) == {
        "message": "It moved on.",
        "extensions": {"code": "CONFLICT", "field": "expectedVersion"},
        "path": ["a", 1],
    }


@pytest.mark.parametrize("cause", [Unavailable("Restarting."), JournalUnavailable("disk full")])
def test_what_is_unavailable(cause: Exception) -> None:
    formatted = format_error(wrapped(cause))
    assert formatted["extensions"] == {"code": "SERVICE_UNAVAILABLE"}
    assert "disk" not in formatted["message"]


def test_the_rest_is_logged_and_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise RuntimeError("a secret")
    except RuntimeError as cause:
        formatted = format_error(wrapped(cause))
    assert formatted["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert "secret" not in str(formatted)
    [record] = caplog.records
    assert record.levelno == logging.ERROR
    assert record.exc_info is not None
    assert str(record.exc_info[1]) == "a secret"


def test_a_value_of_ours_that_graphql_refuses_is_our_fault(
    caplog: pytest.LogCaptureFixture,
) -> None:
    formatted = format_error(wrapped(GraphQLError("Enum cannot represent value: 'secret'")))
    assert formatted["extensions"] == {"code": "INTERNAL_SERVER_ERROR"}
    assert len(caplog.records) == 1


def test_arguments_that_graphql_refuses_are_the_clients_fault() -> None:
    node = parse("{ a }").definitions[0]
    formatted = format_error(wrapped(GraphQLError("Argument 'id' is missing", node)))
    assert formatted["message"] == "Argument 'id' is missing"
    assert formatted["extensions"] == {"code": "BAD_USER_INPUT"}


def test_a_known_code_and_its_place() -> None:
    error = GraphQLError("Oh.", source=Source("{ a }"), positions=[2])
    assert format_error(error, ErrorCode.GRAPHQL_VALIDATION_FAILED) == {
        "message": "Oh.",
        "extensions": {"code": "GRAPHQL_VALIDATION_FAILED"},
        "locations": [{"line": 1, "column": 3}],
    }


def test_whatever_a_client_sent_can_be_encoded_and_is_cut() -> None:
    refused = refusal(ErrorCode.BAD_USER_INPUT, "\ud800" * 5_000)
    assert len(msgspec.json.encode(refused.errors)) < 2_000


def test_a_refusal_says_all_its_errors() -> None:
    refused = OperationRefused(
        [*refusal(ErrorCode.FORBIDDEN, "one").errors, *refusal(ErrorCode.TIMEOUT, "two").errors]
    )
    assert str(refused) == "one; two"
    assert refused.code is ErrorCode.FORBIDDEN


def test_the_root_cause_is_below_all_wrapping() -> None:
    cause = ValueError("x")
    assert root_cause(wrapped(cause)) is cause
    alone = GraphQLError("x")
    assert root_cause(alone) is alone
