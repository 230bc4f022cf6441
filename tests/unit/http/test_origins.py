"""Who has made a browser send a request."""

import pytest
from werkzeug.datastructures import Headers

from incident_manager.http.origins import is_foreign, is_stranger


@pytest.mark.parametrize(
    ("headers", "foreign"),
    [
        ({}, False),
        ({"Host": "localhost:8080"}, False),
        ({"Sec-Fetch-Site": "same-origin", "Origin": "http://behind.a.proxy"}, False),
        ({"Sec-Fetch-Site": "none"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, True),
        ({"Sec-Fetch-Site": "same-site"}, True),
        ({"Origin": "http://localhost:8080", "Host": "LocalHost:8080"}, False),
        ({"Origin": "https://[::1]:8080", "Host": "[::1]:8080"}, False),
        ({"Origin": "http://evil.example", "Host": "localhost:8080"}, True),
        ({"Origin": "http://localhost:8081", "Host": "localhost:8080"}, True),
        ({"Origin": "null", "Host": "localhost:8080"}, True),
        ({"Origin": "http://localhost:8080"}, True),
    ],
)
def test_a_page_of_somebody_else(headers: dict[str, str], foreign: bool) -> None:
    assert is_foreign(Headers(headers)) is foreign


@pytest.mark.parametrize(
    ("origin", "allowed", "stranger"),
    [
        (None, (), False),
        ("http://localhost:8080", (), False),
        ("HTTP://LOCALHOST:8080", (), False),
        ("http://evil.example", (), True),
        ("null", (), True),
        ("http://localhost:8081", (), True),
        ("https://board.example", ("https://board.example/",), False),
        ("https://other.example", ("https://board.example",), True),
        ("https://other.example", ("*",), False),
    ],
)
def test_whose_page_may_connect(
    origin: str | None, allowed: tuple[str, ...], stranger: bool
) -> None:
    assert is_stranger(origin, "localhost:8080", allowed) is stranger
