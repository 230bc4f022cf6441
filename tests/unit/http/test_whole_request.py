"""A request that has come whole, held against what h11 makes of it."""

import h11
import pytest
from hypothesis import event, example, given, settings
from hypothesis import strategies as st

from incident_manager.http.whole_request import WholeRequest, read_request

BODY = b'{"a":\r\n\r\n1}'
PLAIN = (
    b"POST /v1/alerts?a=%%20 HTTP/1.1\r\nHost: here:80\r\nContent-Type: application/json\r\n"
    b"Connection: keep-alive\r\nX-API-Key:key\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY)
)


def test_what_most_senders_send_is_read() -> None:
    request = read_request(PLAIN)
    assert request == WholeRequest(
        b"/v1/alerts?a=%20",
        [
            (b"host", b"here:80"),
            (b"content-type", b"application/json"),
            (b"connection", b"keep-alive"),
            (b"x-api-key", b"key"),
            (b"content-length", b"%d" % len(BODY)),
        ],
        BODY,
    )


def test_a_body_may_be_empty_and_a_connection_stays_without_a_word() -> None:
    request = read_request(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    assert request is not None
    assert request.body == b""


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"POST", b"GET"),
        (b"POST", b"post"),
        (b"POST ", b"POST  "),
        (b"POST", b"\r\nPOST"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"HTTP/1.1", b"HTTP/1.1 "),
        (b"Host: here:80\r\n", b""),
        (b"Host", b"Host: there\r\nHost"),
        (b"X-API-Key:key", b"host: there"),
        (b"X-API-Key:key", b"Content-Length: 10"),
        (b"X-API-Key:key", b"X-API-Key:"),
        (b"X-API-Key:key", b"X-API-Key:  key"),
        (b"X-API-Key:key", b"X-API-Key:key "),
        (b"X-API-Key:key", b"X-API-Key\t:key"),
        (b"X-API-Key:key", b":key"),
        (b"X-API-Key:key", b"Transfer-Encoding: chunked"),
        (b"X-API-Key:key", b"Expect: 100-continue"),
        (b"X-API-Key:key", b"Upgrade: h2c"),
        (b"keep-alive", b"close"),
        (b"keep-alive", b"keep-alive, close"),
        (b"Content-Length: %d" % len(BODY), b"Content-Length: 0%d," % len(BODY)),
        (b"Content-Length: ", b"Content-Length: +"),
        (b"Content-Length: ", b"Content-Length: 1"),
        (b"Content-Length: ", b"Content-Length: 0000000000000"),
        (b"Content-Length: %d\r\n" % len(BODY), b""),
        (b"Host: ", b"Host : "),
        (b"here:80\r\n", b"here:80\n"),
        (b"here:80\r\n", b"here:80\r"),
        (b"here:80\r\n", b"here:80\r\n folded\r\n"),
        (b"here:80", b"h\xc3\xa9re"),
        (b"here:80", b"he\x00re"),
        (b"here:80", b"x" * 9000),
        (BODY, BODY + b"P"),
        (BODY, BODY[:-1]),
    ],
)
def test_all_else_is_for_h11(old: bytes, new: bytes) -> None:
    assert old in PLAIN
    assert read_request(PLAIN.replace(old, new)) is None


def by_h11(data: bytes) -> tuple[h11.Connection, h11.Request, bytes]:
    """What h11 makes of it: RemoteProtocolError for nothing good."""
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request, body = connection.next_event(), b""
    assert isinstance(request, h11.Request)
    while not isinstance(found := connection.next_event(), h11.EndOfMessage):
        assert isinstance(found, h11.Data)
        body += found.data
    return connection, request, body


NAMES = ["Host", "HOST", "Content-Length", "Connection", "Transfer-Encoding", "Expect", "X-A", "Y"]
VALUES = [
    "a",
    "0",
    "3",
    "03",
    "3, 3",
    "close",
    "keep-alive",
    "Keep-Alive",
    "chunked",
    "",
    " b ",
    ",",
]
ODD = st.text(st.sampled_from("aZ0-:, \t\r\n\x00\x0b\x7f\xe9"), max_size=6)
names, values = (st.sampled_from(some) | ODD for some in (NAMES, VALUES))
lines = st.lists(
    st.tuples(
        names, st.sampled_from([":", ": ", " :", ":\t"]), values, st.sampled_from(["\r\n", "\n"])
    ).map("".join),
    max_size=5,
)


@st.composite
def messages(draw: st.DrawFn) -> bytes:
    """What may be a request: most begin as a good one does."""
    start = draw(
        st.sampled_from(
            ["POST /a?b HTTP/1.1\r\n"] * 6 + ["POST /\x7f HTTP/1.1\r\n", "X / HTTP/1.1\n"]
        )
    )
    good = draw(st.sampled_from(["Host: h\r\nContent-Length: 3\r\n"] * 3 + [""]))
    end = draw(st.sampled_from(["\r\n"] * 5 + ["\n", ""]))
    body = draw(
        st.sampled_from([b"abc"] * 4 + [b"", b"a", b"abcd", b"\r\n\r", b"3\r\nabc\r\n0\r\n\r\n"])
    )
    plain = st.sampled_from(["", "X-A: b\r\n", "connection:Keep-Alive\r\nY:a, b\r\n"])
    more = draw(plain | lines.map("".join))
    data = bytearray((start + good + more + end).encode("latin-1") + body)
    for place, byte in draw(
        st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=1)
    ):
        if draw(st.booleans()) and place < len(data):
            data[place] = byte
    return bytes(data)


@settings(max_examples=600, deadline=None)
@example(PLAIN)
@given(messages())
def test_what_is_taken_h11_takes_for_the_same(data: bytes) -> None:
    request = read_request(data)
    event("taken" if request is not None else "left")
    if request is None:
        return
    connection, theirs, body = by_h11(data)
    assert (theirs.method, theirs.http_version) == (b"POST", b"1.1")
    assert theirs.target == request.target
    assert list(theirs.headers) == list(request.headers)
    assert body == request.body
    assert connection.trailing_data == (b"", False)
    assert not connection.they_are_waiting_for_100_continue
    answer = [("Content-Length", "0")]
    connection.send(h11.Response(status_code=200, headers=answer))
    connection.send(h11.EndOfMessage())
    connection.start_next_cycle()  # h11 lets the connection stay, too
