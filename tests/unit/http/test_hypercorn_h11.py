"""Requests of one meaning."""

import h11
import pytest

from incident_manager.http.hypercorn_h11 import LastRequest, header_line, is_ambiguous, length_of

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


@pytest.mark.parametrize(
    ("headers", "length"),
    [
        ([HOST], 0),
        ([HOST, ("Content-Length", "3")], 3),
        ([HOST, ("Content-Length", "3"), ("content-length", "3")], 3),
        ([HOST, ("Content-Length", "0")], 0),
        ([HOST, ("Transfer-Encoding", "chunked")], None),
    ],
)
def test_how_long_a_body_is(headers: list[tuple[str, str]], length: int | None) -> None:
    assert length_of(h11.Request(method="POST", target="/", headers=headers)) == length


@pytest.mark.parametrize(
    ("name", "value"),
    [
        (b"vary", b"a\r\nset-cookie: x"),
        (b"vary", b"a\x00"),
        (b"va\r\nry", b"a"),
        (b"va:ry", b"a"),
        (b"", b"a"),
    ],
)
def test_what_is_no_header_is_not_said(name: bytes, value: bytes) -> None:
    for _ in range(2):
        with pytest.raises(h11.LocalProtocolError):
            header_line(name, value)


def test_a_header_is_a_line() -> None:
    assert header_line(b"vary", b"Accept, Origin") == b"vary: Accept, Origin\r\n"
    assert header_line(b"Vary", b"Accept") == b"vary: Accept\r\n"


LAST = b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.mark.parametrize("request_", [LAST, LAST.replace(b"1.1", b"1.0")])
@pytest.mark.parametrize("more", [b"\r\n", LAST, b"\0"])
def test_what_comes_behind_the_last_request_waits_for_the_answer_and_is_nothing(
    request_: bytes, more: bytes
) -> None:
    connection = LastRequest(h11.SERVER)
    connection.receive_data(request_ + more)
    assert isinstance(connection.next_event(), h11.Request)
    assert isinstance(connection.next_event(), h11.EndOfMessage)
    assert connection.next_event() is h11.PAUSED
    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    assert connection.next_event() is h11.PAUSED
    connection.send(h11.EndOfMessage())
    assert connection.next_event() is h11.NEED_DATA
    connection.receive_data(more)
    assert connection.next_event() is h11.NEED_DATA


def test_the_end_of_who_has_sent_the_last_request_is_seen() -> None:
    connection = LastRequest(h11.SERVER)
    connection.receive_data(LAST)
    assert isinstance(connection.next_event(), h11.Request)
    assert isinstance(connection.next_event(), h11.EndOfMessage)
    assert connection.next_event() is h11.NEED_DATA
    connection.receive_data(b"")
    assert isinstance(connection.next_event(), h11.ConnectionClosed)
