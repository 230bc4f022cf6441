"""A request for a WebSocket that has come whole, held against what h11 makes of it."""

import h11
import pytest
from hypercorn.protocol.ws_stream import Handshake
from hypothesis import event, example, given
from hypothesis import strategies as st

from incident_manager.http.whole_upgrade import answer, read_upgrade

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="
PLAIN = (
    b"GET /graphql/ws?a=%20 HTTP/1.1\r\nHost: here:80\r\nUpgrade: WebSocket\r\n"
    b"Connection: keep-alive, Upgrade\r\nSec-WebSocket-Key: " + KEY + b"\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws, other\r\n\r\n"
)


def test_what_every_client_sends_is_read() -> None:
    upgrade = read_upgrade(PLAIN)
    assert upgrade is not None
    assert upgrade.head == PLAIN
    assert upgrade.target == b"/graphql/ws?a=%20"
    assert upgrade.key == KEY
    assert upgrade.subprotocols == ["graphql-transport-ws", "other"]
    assert list(upgrade.headers) == [
        (b"host", b"here:80"),
        (b"upgrade", b"WebSocket"),
        (b"connection", b"keep-alive, Upgrade"),
        (b"sec-websocket-key", KEY),
        (b"sec-websocket-version", b"13"),
        (b"sec-websocket-protocol", b"graphql-transport-ws, other"),
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"GET", b"POST"),
        (b"HTTP/1.1", b"HTTP/1.0"),
        (b"Host: here:80\r\n", b""),
        (b"Host", b"Host: there\r\nHost"),
        (b"WebSocket\r\n", b"h2c\r\n"),
        (b"keep-alive, Upgrade", b"keep-alive"),
        (b"Version: 13", b"Version: 8"),
        (b"Sec-WebSocket-Key", b"Sec-WebSocket-Kez"),
        (b"Host", b"Content-Length: 0\r\nHost"),
        (b"Host", b"Transfer-Encoding: chunked\r\nHost"),
        (b"Host", b"Expect: 100-continue\r\nHost"),
        (b"Host: ", b"Host : "),
        (b"here:80\r\n", b"here:80\n"),
        (b"here:80\r\n", b"here:80\r\n folded\r\n"),
        (b"here:80", b"h\xc3\xa9re"),
        (b"here:80", b"x" * 9000),
        (b"\r\n\r\n", b"\r\n"),
        (b"\r\n\r\n", b"\r\n\r\n\x81"),
    ],
)
def test_all_else_is_for_h11(old: bytes, new: bytes) -> None:
    assert old in PLAIN
    assert read_upgrade(PLAIN.replace(old, new, 1)) is None


LINES = PLAIN.split(b"\r\n")[1:-2]
line = st.one_of(
    st.sampled_from(LINES),
    st.builds(
        b"%b:%b%b%b".__mod__,
        st.tuples(
            st.sampled_from(
                [b"X-A", b"Host", b"Connection", b"upgrade", b"content-length", b"a b"]
            ),
            st.sampled_from([b"", b" ", b"  ", b"\t"]),
            st.sampled_from(
                [b"", b"a", b"a  b", b"Upgrade", b"WEBSOCKET", b"\x01", b"\xff", b"a:b"]
            ),
            st.sampled_from([b"", b" ", b"\t", b"\r", b"\n"]),
        ),
    ),
    st.binary(max_size=12),
)


@given(
    st.sampled_from([b"GET", b"get", b"POST"]),
    st.sampled_from([b"/", b"/graphql/ws?x", b"*", b"http://a/b", b"/ b", b"/\xe9"]),
    st.sampled_from([b"1.1", b"1.0", b"2.0"]),
    st.permutations(LINES).flatmap(
        lambda kept: st.lists(line, max_size=3).map(lambda more: [*kept, *more])
    ),
    st.sampled_from([b"", b"", b"", b"x", b"\r\n"]),
)
@example(b"GET", b"/", b"1.1", LINES, b"")
def test_h11_makes_the_same_of_what_is_read(
    method: bytes, target: bytes, version: bytes, lines: list[bytes], behind: bytes
) -> None:
    head = b"%b %b HTTP/%b\r\n" % (method, target, version)
    data = head + b"".join(each + b"\r\n" for each in lines) + b"\r\n" + behind
    upgrade = read_upgrade(data)
    event("taken" if upgrade is not None else "left to h11")
    if upgrade is None:
        return
    connection = h11.Connection(h11.SERVER)
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.target, request.http_version) == (
        b"GET",
        upgrade.target,
        b"1.1",
    )
    assert list(request.headers) == list(upgrade.headers)
    assert connection.trailing_data == (b"", False)
    assert not connection.they_are_waiting_for_100_continue
    handshake = Handshake(list(upgrade.headers), "1.1")
    assert handshake.is_valid()
    assert (handshake.subprotocols or []) == list(upgrade.subprotocols)
    assert handshake.key == upgrade.key


@pytest.mark.parametrize("subprotocol", [None, "graphql-transport-ws"])
def test_the_answer_is_that_of_hypercorn(subprotocol: str | None) -> None:
    upgrade = read_upgrade(PLAIN)
    assert upgrade is not None
    status, headers, _ = Handshake(list(upgrade.headers), "1.1").accept(subprotocol, ())
    lines = b"".join(b"%b: %b\r\n" % header for header in [*headers, (b"date", b"today")])
    said = answer(upgrade.key, subprotocol, b"date: today\r\n")
    assert said == b"HTTP/1.1 %d \r\n%b\r\n" % (status, lines)
    assert b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" in said  # RFC 6455, section 1.3
