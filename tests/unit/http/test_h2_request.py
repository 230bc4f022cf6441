"""What is asked for, and what cannot be."""

import pytest

from incident_manager.http.h2_request import Asked, asked

TOP = ((b":scheme", b"http"), (b":authority", b"localhost"))


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ([(b":method", b"GET"), (b":path", b"/a?b=%20")], Asked("GET", b"/a?b=%20", False)),
        ([(b":method", b"get"), (b":path", b"/")], Asked("GET", b"/", False)),
        (
            [(b":method", b"CONNECT"), (b":protocol", b"websocket"), (b":path", b"/graphql")],
            Asked("CONNECT", b"/graphql", True),
        ),
        ([(b":method", b"CONNECT")], 501),
        ([(b":method", b"CONNECT"), (b":protocol", b"connect-udp"), (b":path", b"/")], 501),
        ([(b":method", b"CONNECT"), (b":protocol", b"websocket")], 400),
        ([(b":method", b"GET")], 400),
        ([(b":path", b"/")], 400),
        ([(b":method", b"GET"), (b":path", "/ä".encode())], 400),
        ([(b":method", b"G\xffT"), (b":path", b"/")], 400),
        (
            [
                (b":method", b"CONNECT"),
                (b":protocol", b"websocket"),
                (b":path", b"/graphql"),
                (b"sec-websocket-protocol", b"\xff"),
            ],
            400,
        ),
    ],
)
def test_it_is_told(headers: list[tuple[bytes, bytes]], expected: Asked | int) -> None:
    assert asked([*headers, *TOP]) == expected
