import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.target import path_of, route_of


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/", "/"),
        ("/v1/alerts", "/v1/alerts"),
        ("//localhost/health", "//localhost/health"),
        ("/http://localhost/health", "/http://localhost/health"),
        ("http://localhost/health", "/health"),
        ("HTTPS://[::1]:8080/health", "/health"),
        ("http://localhost", "/"),
        ("http://localhost//health", "//health"),
        ("http://[::1", "/"),
        ("http://\u2100/health", "/health"),
        ("*", "/*"),
        ("localhost:80", "/localhost:80"),
        ("health", "/health"),
        ("", "/?"),
    ],
)
def test_what_stands_before_the_path_is_no_part_of_it(given: str, path: str) -> None:
    assert path_of(given) == path


@given(st.text())
def test_a_path_begins_with_a_slash(text: str) -> None:
    assert path_of(text).startswith("/")
    assert path_of(path_of(text)) == path_of(text)


@pytest.mark.parametrize(
    ("root", "path", "route"),
    [
        ("", "/graphql/ws", "/graphql/ws"),
        ("/x", "/x/graphql/ws", "/graphql/ws"),
        ("/x/", "/x/graphql/ws", "/graphql/ws"),
        ("/x", "http://localhost/x/graphql/ws", "/graphql/ws"),
        ("/x", "/x//graphql/ws", "/graphql/ws"),
        ("", "//graphql/ws", "/graphql/ws"),
        ("/x", "/x/x/graphql/ws", "/x/graphql/ws"),
        ("/x", "/x/", "/"),
        ("/x", "/x", "/?"),
        ("/x", "/xgraphql/ws", "/?"),
        ("/x", "/graphql/ws", "/?"),
        ("/x", "*", "/?"),
    ],
)
def test_a_route_is_below_the_root_path(root: str, path: str, route: str) -> None:
    assert route_of({"path": path, "root_path": root}) == route


def test_who_gives_no_root_path_has_none() -> None:
    assert route_of({"path": "/health"}) == "/health"
