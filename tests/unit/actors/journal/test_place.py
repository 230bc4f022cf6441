import base64

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.journal.place import (
    INT64,
    check_first,
    check_place,
    decode_place,
    encode_place,
    int64,
)

NAME = ("LIST", True)


@given(st.integers(-INT64, INT64), st.text(st.characters(exclude_categories=["Cs"])))
def test_a_place_comes_back(number: int, identity: str) -> None:
    text = encode_place(NAME, (number, identity))
    assert text.isascii()
    assert "=" not in text
    assert decode_place(text, NAME, [int, str]) == (number, identity)


@given(st.text() | st.binary().map(lambda each: base64.urlsafe_b64encode(each).decode()))
def test_anything_else_is_none(text: str) -> None:
    with pytest.raises(ValueError, match="after is not a cursor of this list"):
        decode_place(text, NAME, [int, str])


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        ["LIST", True],
        ["LIST", True, 1],
        ["LIST", True, 1, "id", 2],
        ["LIST", True, True, "id"],
        ["LIST", True, 1.0, "id"],
        ["LIST", True, 2**63, "id"],
        ["LIST", 1, 1, "id"],
        ["LIST", False, 1, "id"],
        ["OTHER", True, 1, "id"],
    ],
)
def test_so_is_what_only_looks_like_one(body: object) -> None:
    text = base64.urlsafe_b64encode(msgspec.json.encode(body)).decode()
    with pytest.raises(ValueError, match="after is not a cursor of this list"):
        decode_place(text, NAME, [int, str])


@pytest.mark.parametrize(
    ("page", "size", "after"),
    [
        (0, 0, None),
        (0, 101, None),
        (-1, 1, None),
        (1, 1, "x"),
        (INT64, 1, None),
        (2**60, 100, None),
    ],
)
def test_where_a_page_cannot_be(page: int, size: int, after: str | None) -> None:
    with pytest.raises(ValueError, match=r"size|page|after"):
        check_place(page, size, after)


def test_where_it_can() -> None:
    check_place(0, 1, "x")
    check_place(2**50, 100, None)


def test_how_many() -> None:
    check_first(1)
    check_first(100)
    for first in (0, 101):
        with pytest.raises(ValueError, match="first"):
            check_first(first)


@pytest.mark.parametrize(
    ("number", "expected"), [(7, 7), (INT64 + 1, INT64), (-(10**30), -INT64), (-INT64, -INT64)]
)
def test_a_number_in_a_column(number: int, expected: int) -> None:
    assert int64(number) == expected
