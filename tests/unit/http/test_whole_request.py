"""A POST that has come whole, held against what h11 makes of it."""

import h11
import pytest
from hypothesis import event, example, given
from hypothesis import strategies as st

from incident_manager.http.whole_request import read_request

PLAIN = (
    b"POST /v1/alerts?a=%20 HTTP/1.1\r\nHost: here:80\r\nContent-Type: application/json\r\n"
    b'Content-Length: 7\r\nConnection: keep-alive\r\n\r\n{"a":1}'
)


def test_what_every_client_sends_is_read() -> None:
    request = read_request(PLAIN)
    assert request is not None
    assert request.target == b"/v1/alerts?a=%20"
    assert request.body == b'{"a":1}'
    assert list(request.headers) == [
        (b"host", b"here:80"),
        (b"content-type", b"application/json"),
        (b"content-length", b"7"),
        (b"connection", b"keep-alive"),
    ]


def test_a_body_may_be_empty() -> None:
    request = read_request(PLAIN.replace(b"7", b"0").removesuffix(b'{"a":1}'))
    assert request is not None
    assert request.body == b""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST", b"PUT"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Host: here:80\r\n", b""),
        (b"Host", b"Host: there\r\nHost"),
        (b"Content-Length: 7", b"Content-Length: 7\r\nContent-Length: 7"),
        (b"Content-Length: 7", b"Content-Length: 6"),
        (b"Content-Length: 7", b"Content-Length: 8"),
        (b"Content-Length: 7", b"Content-Length: +7"),
        (b"Content-Length: 7", b"Content-Length: 7, 7"),
        (b"Content-Length: 7", b"Content-Length: 0000000007"),
        (b"Content-Length: 7\r\n", b""),
        (b"keep-alive", b"close"),
        (b"keep-alive", b"keep-alive, close"),
        (b"Host", b"Transfer-Encoding: chunked\r\nHost"),
        (b"Host", b"Expect: 100-continue\r\nHost"),
        (b"Host", b"Upgrade: h2c\r\nHost"),
        (b"Host: ", b"Host : "),
        (b"here:80\r\n", b"here:80\n"),
        (b"here:80\r\n", b"here:80\r\n folded\r\n"),
        (b"here:80", b"h\xc3\xa9re"),
        (b"here:80", b"x" * 9000),
        (b'{"a":1}', b'{"a":1}POST'),
        (b'{"a":1}', b'{"a":'),
    ],
)
def test_all_else_is_for_h11(old: bytes, new: bytes) -> None:
    assert old in PLAIN
    assert read_request(PLAIN.replace(old, new, 1)) is None


LINES = PLAIN.split(b"\r\n")[1:-2]
NAMES = [b"X-A", b"Host", b"Connection", b"upgrade", b"content-length", b"a b", b"Expect"]
VALUES = [b"", b"a", b"a  b", b"close", b"7", b"07", b"-7", b"\x01", b"\xff", b"a:b"]
line = st.one_of(
    st.sampled_from(LINES),
    st.builds(
        b"%b:%b%b%b".__mod__,
        st.tuples(
            st.sampled_from(NAMES),
            st.sampled_from([b"", b" ", b"  ", b"\t"]),
            st.sampled_from(VALUES),
            st.sampled_from([b"", b" ", b"\t", b"\r", b"\n"]),
        ),
    ),
    st.binary(max_size=12),
)


@given(
    st.sampled_from([b"POST", b"POST", b"post", b"GET"]),
    st.sampled_from([b"/v1/alerts", b"/?x", b"*", b"http://a/b", b"/ b", b"/\xe9"]),
    st.sampled_from([b"1.1", b"1.1", b"1.0", b"2.0"]),
    st.permutations(LINES).flatmap(
        lambda kept: st.lists(line, max_size=3).map(lambda more: [*kept, *more])
    ),
    st.sampled_from([b"", b"", b"x", b"\r\n"]),
)
@example(b"POST", b"/v1/alerts", b"1.1", LINES, b"")
def test_h11_makes_the_same_of_what_is_read(
    method: bytes, target: bytes, version: bytes, lines: list[bytes], behind: bytes
) -> None:
    head = b"%b %b HTTP/%b\r\n" % (method, target, version)
    body = b'{"a":1}'
    data = head + b"".join(each + b"\r\n" for each in lines) + b"\r\n" + body + behind
    request = read_request(data)
    event("taken" if request is not None else "left to h11")
    if request is None:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    asked = connection.next_event()
    assert isinstance(asked, h11.Request)
    assert (asked.method, asked.target, asked.http_version) == (b"POST", request.target, b"1.1")
    assert list(asked.headers) == list(request.headers)
    assert not connection.they_are_waiting_for_100_continue
    came = connection.next_event()
    assert isinstance(came, h11.Data)
    assert bytes(came.data) == request.body
    assert isinstance(connection.next_event(), h11.EndOfMessage)
    assert connection.trailing_data == (b"", False)
    connection.send(h11.Response(status_code=200, headers=[("content-length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.start_next_cycle()  # it goes on
