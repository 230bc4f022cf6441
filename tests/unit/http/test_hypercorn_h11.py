"""Requests of one meaning."""

from typing import Any

import h11
import msgspec
import pytest
from hypercorn.events import Closed, RawData, Updated

from incident_manager.http.hypercorn_events import Held
from incident_manager.http.hypercorn_h11 import LastRequest, header_line, is_ambiguous, length_of
from unit.http.served import ALERT
from unit.http.wired_h11 import parsed, post, wired

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


GOOD = msgspec.json.encode(ALERT)
ANSWERED = [Updated, RawData, Updated]


@pytest.mark.parametrize(("body", "status"), [(GOOD, 202), (b"{}", 400), (b"", 400)])
async def test_h11_hears_nothing_and_says_the_same(body: bytes, status: int) -> None:
    async with wired() as http:
        assert await http.take(post(body)) == ANSWERED
        assert http.untouched
        ours = parsed(http.written)
        await http.take(post(body, b"X-A: "))  # not plain
        theirs = parsed(http.written)
        assert not http.untouched
    assert ours[0] == theirs[0] == status
    assert ours[1].keys() == theirs[1].keys()
    assert ours[1][b"content-length"] == b"%d" % len(ours[2])


async def test_after_so_many_requests_the_connection_ends() -> None:
    async with wired(keep_alive_max_requests=3) as http:
        for _ in range(2):
            assert await http.take(post(GOOD)) == ANSWERED
            assert b"connection" not in parsed(http.written)[1]
            assert http.untouched
        assert await http.take(post(GOOD)) == [Updated, RawData, Closed]
        assert parsed(http.written)[1][b"connection"] == b"close"
        assert http.protocol.keep_alive_requests == 3


async def test_when_the_server_stops_the_answer_is_the_last() -> None:
    async with wired() as http:
        await http.protocol.context.terminated.set()
        assert await http.take(post(GOOD)) == [Updated, RawData, Closed]
        assert parsed(http.written)[0] == 202


async def test_both_ways_take_turns() -> None:
    async with wired() as http:
        for more in ((), (b"X-A: ",), (), (b"x-a: b", b"x-a: b"), ()):
            assert await http.take(post(GOOD, *more)) == ANSWERED
            assert parsed(http.written)[0] == 202
        assert http.protocol.keep_alive_requests == 5


async def test_what_has_begun_with_h11_is_ended_by_it() -> None:
    async with wired() as http:
        whole = post(b" " * 10 + GOOD)
        inner = post(GOOD)  # as a body
        outer = post(inner)
        assert await http.take(outer[: -len(inner)]) == [Updated, Held]
        assert http.protocol.connection.their_state is h11.SEND_BODY
        await http.take(inner)
        assert http.protocol.connection.their_state is h11.DONE
        assert http.protocol.keep_alive_requests == 1
    async with wired() as http:
        assert await http.take(whole[:9]) == []
        assert await http.take(whole[9:]) == ANSWERED
        assert parsed(http.written)[0] == 202


@pytest.mark.parametrize("setting", [{"root_path": "/a"}, {"server_names": ["localhost"]}])
async def test_where_hypercorn_has_something_to_say_it_says_it(setting: dict[str, Any]) -> None:
    async with wired(**setting) as http:
        assert (await http.take(post(GOOD)))[:2] == [Updated, Held]
        assert not http.untouched


async def test_only_quick_routes_are_answered_so() -> None:
    async with wired() as http:
        assert (await http.take(post(b"{}", path=b"/v1/incidents")))[:2] == [Updated, Held]
