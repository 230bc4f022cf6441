"""What the doors count has no label that a client may choose."""

from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.counters import Counters


def test_requests_are_counted_by_method_route_and_status() -> None:
    counters = Counters()
    counters.request("GET", "/health", 200, 0.001)
    counters.request("GET", "/health", 200, 0.002)
    counters.request("POST", "/v1/alerts", 202, 0.003)
    assert counters.requests == {("GET", "/health", 200): 2, ("POST", "/v1/alerts", 202): 1}
    assert counters.request_seconds.count == 3


@given(st.lists(st.text(max_size=8), max_size=30))
def test_unknown_methods_and_paths_are_one(methods: list[str]) -> None:
    counters = Counters()
    for method in methods:
        counters.request(f"X{method}", None, 404, 0.0)
    assert counters.requests == ({("other", "other", 404): len(methods)} if methods else {})


def test_errors_are_counted_by_code() -> None:
    counters = Counters()
    counters.erred([{"message": "x", "extensions": {"code": "NOT_FOUND"}}] * 2)
    counters.erred([])
    assert counters.query_errors == {"NOT_FOUND": 2}
