import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.close_codes import FATAL_CODES, CloseCode, close_reason


def test_the_codes_are_those_of_the_contract() -> None:
    assert {int(code) for code in CloseCode} == {
        1000,
        1001,
        1009,
        1012,
        1013,
        4400,
        4401,
        4403,
        4408,
        4409,
        4429,
    }


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (4400, "Invalid message received"),
        (4401, "Unauthorized"),
        (4403, "Forbidden"),
        (4408, "Connection initialisation timeout"),
        (4429, "Too many initialisation requests"),
    ],
)
def test_reasons_are_those_of_graphql_ws(code: int, reason: str) -> None:
    assert CloseCode(code).reason == reason


def test_the_reason_of_4409_names_the_id() -> None:
    code = CloseCode.SUBSCRIBER_EXISTS
    assert code.reason.format(id="{a}") == "Subscriber for {a} already exists"


def test_every_code_has_a_reason_that_fits() -> None:
    for code in CloseCode:
        assert code.reason
        assert close_reason(code.reason) == code.reason


def test_what_should_be_retried_is_not_fatal_to_stock_clients() -> None:
    retried = {code for code in CloseCode if not code.is_fatal}
    assert retried == {
        CloseCode.NORMAL,
        CloseCode.GOING_AWAY,
        CloseCode.SERVICE_RESTART,
        CloseCode.TRY_AGAIN_LATER,
        CloseCode.FORBIDDEN,
        CloseCode.INIT_TIMEOUT,
    }
    assert {1002, 1008, 1011, 4400, 4401, 4406, 4409, 4429, 4500} <= FATAL_CODES


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("", ""),
        ("x" * 123, "x" * 123),
        ("x" * 124, "x" * 123),
        ("x" * 122 + "é", "x" * 122),
        ("x" * 121 + "é", "x" * 121 + "é"),
        ("x" * 120 + "😀", "x" * 120),
        ("a\ud800b", "a?b"),
    ],
)
def test_a_reason_is_cut_at_a_character(text: str, cut: str) -> None:
    assert close_reason(text) == cut


@given(st.text(st.characters(exclude_categories=()), max_size=300))
def test_any_text_becomes_a_reason_that_fits(text: str) -> None:
    reason = close_reason(text)
    assert len(reason.encode()) <= 123
    assert text.encode(errors="replace").decode().startswith(reason)
    assert close_reason(reason) == reason
