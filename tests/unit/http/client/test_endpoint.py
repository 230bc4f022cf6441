import pytest

from incident_manager.http.client.endpoint import Endpoint


@pytest.mark.parametrize(
    ("url", "endpoint", "authority"),
    [
        ("ws://h/graphql/ws", Endpoint("h", 80, "/graphql/ws", tls=False), "h"),
        ("wss://h", Endpoint("h", 443, "/", tls=True), "h"),
        ("ws://h:443/x?y=1", Endpoint("h", 443, "/x?y=1", tls=False), "h:443"),
        ("WSS://H.example:8443/", Endpoint("h.example", 8443, "/", tls=True), "h.example:8443"),
        ("ws://[::1]:8080/g", Endpoint("::1", 8080, "/g", tls=False), "[::1]:8080"),
    ],
)
def test_the_parts_of_a_url(url: str, endpoint: Endpoint, authority: str) -> None:
    assert Endpoint.parse(url) == endpoint
    assert endpoint.authority == authority


@pytest.mark.parametrize("url", ["", "h:80", "http://h/", "ws:///x", "ws://h:port/", "/graphql"])
def test_what_is_no_websocket_url(url: str) -> None:
    with pytest.raises(ValueError):
        Endpoint.parse(url)


def test_credentials_in_a_url_are_refused_and_not_repeated() -> None:
    with pytest.raises(ValueError, match="give a token") as caught:
        Endpoint.parse("ws://ann:secret@h/")
    assert "secret" not in str(caught.value)
