import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.exceptions import (
    BadGateway,
    Forbidden,
    HTTPException,
    MethodNotAllowed,
    NotFound,
    RequestEntityTooLarge,
    RequestTimeout,
)

from incident_manager.actors.errors import ErrorCode, IdempotencyMismatch, Refused, Unavailable
from incident_manager.actors.journal.base import JournalUnavailable
from incident_manager.http.rest.problems import (
    STATUS,
    FieldError,
    InvalidFields,
    Problem,
    problem_of,
    snake,
)


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("UNAUTHENTICATED", 401),
        ("UNAUTHORIZED", 403),
        ("FORBIDDEN", 403),
        ("BAD_USER_INPUT", 400),
        ("NOT_FOUND", 404),
        ("INVALID_STATE_TRANSITION", 409),
        ("CONFLICT", 409),
        ("RATE_LIMIT_EXCEEDED", 429),
        ("SERVICE_UNAVAILABLE", 503),
        ("TIMEOUT", 504),
        ("INTERNAL_SERVER_ERROR", 500),
    ],
)
def test_the_status_of_a_code_is_the_contracts(code: str, status: int) -> None:
    problem = problem_of(Refused(ErrorCode(code), "No."))
    assert (problem.status, problem.code) == (status, code)


def test_every_code_has_a_status() -> None:
    assert set(STATUS) == set(ErrorCode)


def test_without_credentials_the_client_is_told_which_ones() -> None:
    problem = problem_of(Refused(ErrorCode.UNAUTHENTICATED, "Who?"))
    assert problem.headers == {"WWW-Authenticate": "Bearer"}


def test_a_version_that_is_not_the_expected_one_is_412() -> None:
    problem = problem_of(Refused(ErrorCode.CONFLICT, "It is at 2.", "expectedVersion"))
    assert (problem.status, problem.code) == (412, "CONFLICT")
    assert problem.errors == (FieldError("If-Match", "It is at 2"),)


def test_a_key_with_another_body_is_422() -> None:
    problem = problem_of(IdempotencyMismatch())
    assert (problem.status, problem.errors[0].field) == (422, "Idempotency-Key")


def test_an_unknown_outcome_is_said() -> None:
    known = problem_of(Unavailable("The disk is full.", known=True))
    unknown = problem_of(Unavailable("The registry has crashed."))
    assert known.status == unknown.status == 503
    assert known.detail == "The disk is full."
    assert unknown.detail.startswith("The registry has crashed. Whether the change was made is")
    assert known.headers == unknown.headers == {"Retry-After": "1"}


def test_the_journals_own_words_are_not_for_a_reader() -> None:
    problem = problem_of(JournalUnavailable("/var/lib/x.db: disk full"))
    assert (problem.status, problem.code) == (503, "SERVICE_UNAVAILABLE")
    assert "/var/lib" not in problem.detail


def test_what_takes_too_long_is_504() -> None:
    problem = problem_of(trio.TooSlowError())
    assert (problem.status, problem.code) == (504, "TIMEOUT")


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (NotFound(), 404, "NOT_FOUND"),
        (Forbidden(), 403, "BAD_USER_INPUT"),
        (RequestTimeout(), 408, "TIMEOUT"),
        (RequestEntityTooLarge(), 413, "BAD_USER_INPUT"),
        (BadGateway(), 500, "INTERNAL_SERVER_ERROR"),
        (HTTPException(), 500, "INTERNAL_SERVER_ERROR"),
        (ValueError("inner"), 500, "INTERNAL_SERVER_ERROR"),
    ],
)
def test_what_others_raise(error: Exception, status: int, code: str) -> None:
    problem = problem_of(error)
    assert (problem.status, problem.code) == (status, code)
    assert "inner" not in problem.detail


def test_a_wrong_method() -> None:
    plain = problem_of(MethodNotAllowed(["POST", "GET"]))
    assert (plain.detail, plain.headers) == (
        "GET, POST can be sent here, nothing else.",
        {"Allow": "GET, POST"},
    )
    assert problem_of(MethodNotAllowed(["POST"], "Because.")).detail == "Because."
    assert problem_of(MethodNotAllowed()).headers == {"Allow": ""}


def test_every_bad_field_is_in_the_body() -> None:
    error = InvalidFields([FieldError("a", "a is required"), FieldError("b", "b is bad")])
    assert problem_of(error).body("/v1/x") == {
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": "a is required; b is bad.",
        "code": "BAD_USER_INPUT",
        "instance": "/v1/x",
        "errors": [
            {"field": "a", "message": "a is required"},
            {"field": "b", "message": "b is bad"},
        ],
    }


def test_no_field_no_errors() -> None:
    body = Problem(599, ErrorCode.TIMEOUT, "So.").body("/")
    assert "errors" not in body
    assert body["title"] == "Error"


@pytest.mark.parametrize(
    ("name", "spelled"),
    [
        ("title", "title"),
        ("rootCause", "root_cause"),
        ("affectedServices[3]", "affected_services[3]"),
        ("labels.someTeam", "labels.someTeam"),
        ("addLabels key", "add_labels key"),
        ("expectedVersion", "If-Match"),
        ("Idempotency-Key", "Idempotency-Key"),
    ],
)
def test_fields_are_spelled_as_in_rest(name: str, spelled: str) -> None:
    assert snake(name) == spelled


def test_a_refusal_names_its_field_in_rests_spelling() -> None:
    refused = Refused(ErrorCode.BAD_USER_INPUT, "runbookUrl must not be empty.", "runbookUrl")
    assert FieldError.of(refused) == FieldError("runbook_url", "runbook_url must not be empty")
    assert problem_of(refused).detail == "runbook_url must not be empty."
    assert FieldError.of(Refused(ErrorCode.CONFLICT, "No.")) is None


@given(st.from_regex(r"[a-z][a-z0-9_]*", fullmatch=True))
def test_what_is_snake_case_stays(name: str) -> None:
    assert snake(name) == name
