"""What a sender means by an alert's type."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.classify import classify, source_key
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.vocabulary import AlertType, IncidentType

CASES = st.sampled_from([str.upper, str.lower, str.title])
TYPES = st.none() | st.sampled_from(IncidentType)


def test_the_defaults() -> None:
    assert classify(None) == (AlertType.EVENT, IncidentType.UNKNOWN)
    assert classify(None, IncidentType.COST) == (AlertType.EVENT, IncidentType.COST)


@given(st.sampled_from(AlertType), CASES, TYPES)
def test_an_alert_type_in_any_case(
    kind: AlertType, case: type, given_type: IncidentType | None
) -> None:
    expected = given_type or IncidentType.UNKNOWN
    assert classify(case(kind.value), given_type) == (kind, expected)


@given(st.sampled_from(IncidentType), CASES, TYPES)
def test_an_incident_type_in_any_case(
    kind: IncidentType, case: type, given_type: IncidentType | None
) -> None:
    assert classify(case(kind.value), given_type) == (AlertType.EVENT, given_type or kind)


@pytest.mark.parametrize("word", ["", "EVENTS", " EVENT", "P1", "x" * 10_000])
def test_another_word_is_refused(word: str) -> None:
    with pytest.raises(Refused, match="alertType is") as caught:
        classify(word)
    assert caught.value.code is ErrorCode.BAD_USER_INPUT
    assert caught.value.field == "alertType"
    assert len(caught.value.message) < 500


@given(st.text(), st.text(), st.text(), st.text())
def test_source_keys_are_of_their_source(a: str, one: str, b: str, two: str) -> None:
    assert source_key(a, None) is None
    assert (source_key(a, one) == source_key(b, two)) == ((a, one) == (b, two))


def test_two_sources_never_share_a_key() -> None:
    assert source_key("a", "b:c") != source_key("a:b", "c")
