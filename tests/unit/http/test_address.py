import errno
import socket

import pytest

from incident_manager.http.address import (
    binds,
    check_host,
    has_ipv6_loopback,
    is_loopback,
    probe,
    url,
    why,
)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("::", "::"),
        ("fe80::1%eth0", "fe80::1%eth0"),
        ("incidents.example.org", "incidents.example.org"),
    ],
)
def test_a_host_is_an_address_or_a_name(text: str, host: str) -> None:
    assert check_host(text) == host


@pytest.mark.parametrize("text", ["", "127.0.0.1:80", "a b", "http://x", "-x.org", "x..y", "::1::"])
def test_what_is_no_host_is_refused(text: str) -> None:
    with pytest.raises(ValueError):
        check_host(text)


@pytest.mark.parametrize("host", [None, "localhost", "LOCALHOST", "127.0.0.1", "127.1.2.3", "::1"])
def test_loopback(host: str | None) -> None:
    assert is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "localhost.example.org", "box"])
def test_not_loopback(host: str) -> None:
    assert not is_loopback(host)


@pytest.mark.parametrize(
    ("host", "port", "ipv6", "expected"),
    [
        (None, 8080, True, ("127.0.0.1:8080", "[::1]:8080")),
        (None, 8080, False, ("127.0.0.1:8080",)),
        ("localhost", 8080, True, ("127.0.0.1:8080", "[::1]:8080")),
        (None, 0, True, ("127.0.0.1:0",)),
        ("::", 1, True, ("[::]:1",)),
        ("0.0.0.0", 1, True, ("0.0.0.0:1",)),
    ],
)
def test_binds(host: str | None, port: int, ipv6: bool, expected: tuple[str, ...]) -> None:
    assert binds(host, port, ipv6=ipv6) == expected


def test_a_probe_of_port_0_finds_a_port_and_lets_go_of_it() -> None:
    port = probe("127.0.0.1", 0)
    assert port > 0
    assert probe("127.0.0.1", port) == port


def test_a_probe_of_a_port_in_use_raises() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(OSError) as caught:
        probe("127.0.0.1", server.getsockname()[1])
    assert caught.value.errno == errno.EADDRINUSE
    assert why(caught.value) == "it is in use by another program"


def test_has_ipv6_loopback_says_what_a_socket_says() -> None:
    try:
        with socket.socket(socket.AF_INET6) as sock:
            sock.bind(("::1", 0))
        expected = True
    except OSError:
        expected = False
    assert has_ipv6_loopback() is expected


def test_why_falls_back_to_the_systems_words() -> None:
    assert why(OSError(errno.ENOTDIR, "Not a directory")) == "Not a directory"
    assert why(OSError("odd")) == "odd"


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (None, "http://127.0.0.1:1"),
        ("localhost", "http://127.0.0.1:1"),
        ("0.0.0.0", "http://127.0.0.1:1"),
        ("::", "http://[::1]:1"),
        ("example.org", "http://example.org:1"),
    ],
)
def test_url(host: str | None, expected: str) -> None:
    assert url("http", host, 1) == expected
