"""Requests of one meaning."""

import h11
import pytest

from incident_manager.http.hypercorn_h11 import is_ambiguous

HOST = ("Host", "localhost")


@pytest.mark.parametrize(
    ("headers", "ambiguous"),
    [
        ([HOST], False),
        ([HOST, ("Content-Length", "3")], False),
        ([HOST, ("Transfer-Encoding", "chunked")], False),
        ([HOST, ("content-length", "3"), ("TRANSFER-ENCODING", "chunked")], True),
    ],
)
def test_which_requests_have_two_lengths(headers: list[tuple[str, str]], ambiguous: bool) -> None:
    assert is_ambiguous(h11.Request(method="POST", target="/", headers=headers)) is ambiguous
