import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.rest.preconditions import etag, expected_version
from incident_manager.http.rest.problems import InvalidFields


@given(st.integers(0, 10**18 - 1))
def test_a_tag_goes_there_and_back(version: int) -> None:
    assert expected_version(etag(version)) == version


@pytest.mark.parametrize("header", [None, "*", " * "])
def test_no_condition(header: str | None) -> None:
    assert expected_version(header) is None


@pytest.mark.parametrize(
    "header",
    ["", "3", '"x"', 'W/"3"', '"3", "4"', '"-1"', '"03"', '"3', '"٣"', '"1' + "0" * 18 + '"'],
)
def test_what_is_no_tag_of_ours_is_named(header: str) -> None:
    with pytest.raises(InvalidFields) as raised:
        expected_version(header)
    assert raised.value.errors[0].field == "If-Match"
