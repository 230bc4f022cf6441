import math

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.client.token import (
    authorization,
    expiry_of,
    fetch,
    read_moment,
    renew_in,
)

KEY = "0123456789abcdef0123456789abcdef"


async def later() -> str:
    return "abc"


async def test_where_a_token_comes_from() -> None:
    assert await fetch(None) is None
    assert await fetch("abc") == "abc"
    assert await fetch(lambda: "abc") == "abc"
    assert await fetch(later) == "abc"


@pytest.mark.parametrize("text", ["abc", " abc\n", "Bearer abc", "bearer  abc "])
async def test_a_bearer_is_not_said_twice(text: str) -> None:
    assert authorization(await fetch(text)) == "Bearer abc"
    assert authorization(None) is None


async def test_a_source_that_gives_no_text_is_a_mistake() -> None:
    with pytest.raises(TypeError, match="NoneType"):
        await fetch(lambda: None)  # type: ignore[arg-type]


async def test_what_a_source_raises_comes_out() -> None:
    def fails() -> str:
        raise LookupError("gone")

    with pytest.raises(LookupError):
        await fetch(fails)


@given(st.integers(0, 2**40))
def test_the_end_of_a_jwt(exp: int) -> None:
    assert expiry_of(jwt.encode({"sub": "é", "exp": exp}, KEY)) == exp


@pytest.mark.parametrize(
    "token",
    [
        "",
        "key-of-an-api",
        "a.b.c",
        "a.!!.c",
        "..",
        jwt.encode({"sub": "x"}, KEY),
        "x.W10.x",
        "x.eyJleHAiOnRydWV9.x",
        "x.eyJleHAiOiIxIn0.x",
    ],
)
def test_what_has_no_end_that_can_be_read(token: str) -> None:
    assert expiry_of(token) is None


@given(st.text())
def test_reading_an_end_never_fails(token: str) -> None:
    expiry_of(token)
    expiry_of(f"a.{token}.c")
    read_moment(token)


def test_a_moment_of_the_server() -> None:
    assert read_moment("2026-01-31T12:00:09.500000Z") == 1769860809.5
    assert read_moment("soon") is None
    assert read_moment(None) is None


@given(st.floats(0.05, 10_000_000))
def test_a_renewal_is_before_the_end_and_not_long_before(remaining: float) -> None:
    wait = renew_in(remaining)
    assert 0 < wait < remaining
    assert remaining - wait <= 60 + 1e-6


@given(st.floats(1, 10_000_000))
def test_renewals_that_fail_are_tried_again_and_end(remaining: float) -> None:
    tries = 0
    while (wait := renew_in(remaining)) != math.inf:
        remaining -= wait
        tries += 1
    assert 1 <= tries <= 10
