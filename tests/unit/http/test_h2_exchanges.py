"""Streams, each from its request to its end."""

from typing import Any

import pytest
import trio
import trio.testing
from h2.errors import ErrorCodes
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER
from hyperframe.frame import (
    DataFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from wsproto.frame_protocol import FrameProtocol

from unit.http.wired_h2 import GET, POST, TIMEOUT, WEBSOCKET, message, wired


@pytest.mark.parametrize("fields", [POST, WEBSOCKET], ids=["body", "websocket"])
async def test_a_stream_of_which_nothing_is_taken_holds_up_no_other(fields: Any) -> None:
    piece = message("x" * 8000) if fields is WEBSOCKET else bytes(8008)
    async with wired() as h2:
        await h2.take(h2.headers(1, fields, end=False))
        for _ in range(8):
            await h2.take(DataFrame(1, piece))
        # All of its window is used; it is open for the connection.
        assert h2.opened(1) < 65535
        assert h2.opened(0) > 2 * 16384
        await h2.take(h2.headers(3))
        assert h2.status[3] == "200"
        h2.application.go.set()
        await h2.settle()
        assert h2.opened(1) > 2 * 16384
        await h2.take(DataFrame(1, piece))
    bodies = [m.get("body") or m.get("text") or "" for m in h2.application.heard]
    assert sum(len(body) for body in bodies) == (9 * 8000 if fields is WEBSOCKET else 9 * 8008)


async def test_all_streams_together_leave_no_more_lying_than_is_bound() -> None:
    async with wired() as h2:
        sent = 0
        numbers = range(1, 80, 2)
        await h2.take(*(h2.headers(number, POST, end=False) for number in numbers))
        for number in numbers:
            for _ in range(3):
                if h2.opened(0) + 65535 - sent >= 16384:
                    await h2.take(DataFrame(number, bytes(16384)))
                    sent += 16384
        # Each queue of an application has ten pieces, and its window's worth lies beside it.
        assert sent < 40 * 3 * 16384 or h2.opened(0) + 65535 - sent > 0
        assert not h2.protocol.closed
        h2.application.go.set()
        await h2.settle()
        assert h2.opened(0) > sent - 16384


async def test_a_window_that_is_not_opened_is_waited_for_so_long(
    mock_clock: trio.testing.MockClock,
) -> None:
    fields = (*GET[:2], (":path", "/?9000"), GET[3])
    async with wired() as h2:
        await h2.take(SettingsFrame(0, {4: 0}), h2.headers(1, fields))
        await h2.take(WindowUpdateFrame(1, 1000))
        assert len(h2.sent(DataFrame, 1)) == 1
        mock_clock.jump(TIMEOUT - 1)
        await h2.settle()
        assert h2.resets() == {}
        mock_clock.jump(2)
        await h2.settle()
        assert h2.resets() == {1: ErrorCodes.CANCEL}
        assert h2.application.guard.stalled == 1
        await h2.take(h2.headers(3))
        assert h2.status[3] == "200"


async def test_a_body_that_does_not_come_is_waited_for_so_long(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with wired() as h2:
        h2.application.go.set()
        await h2.take(h2.headers(1, POST, end=False))
        mock_clock.jump(TIMEOUT - 1)
        await h2.settle()
        await h2.take(DataFrame(1, b"x"))
        mock_clock.jump(TIMEOUT - 1)
        await h2.settle()
        assert h2.resets() == {}
        mock_clock.jump(2)
        await h2.settle()
        assert h2.resets() == {1: ErrorCodes.CANCEL}
        assert h2.application.heard[-1] == {"type": "http.disconnect"}
        assert h2.idle is True


async def test_an_open_websocket_is_never_idle(mock_clock: trio.testing.MockClock) -> None:
    async with wired() as h2:
        h2.application.go.set()
        await h2.take(h2.headers(1, WEBSOCKET, end=False))
        mock_clock.jump(100 * TIMEOUT)
        await h2.settle()
        await h2.take(DataFrame(1, message("there")))
        assert h2.application.heard[-1]["text"] == "there"
        assert h2.idle is False


async def test_who_has_the_answer_may_finish_for_a_while(
    mock_clock: trio.testing.MockClock,
) -> None:
    async with wired() as h2:
        await h2.take(h2.headers(1, end=False))
        assert h2.status == {1: "200"}
        for _ in range(10):
            await h2.take(DataFrame(1, bytes(16384)))
        assert h2.resets() == {}
        mock_clock.jump(6)
        await h2.settle()
        assert h2.resets() == {1: ErrorCodes.NO_ERROR}
        assert not h2.over


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        (((":method", "CONNECT"), (":authority", "localhost")), "501"),
        (((":method", "CONNECT"), (":protocol", "connect-udp"), *GET[1:]), "501"),
        ((*GET[:2], (":path", "/ä"), GET[3]), "400"),
    ],
)
async def test_what_cannot_be_served_is_refused(fields: Any, status: str) -> None:
    async with wired() as h2:
        await h2.take(h2.headers(1, fields))
        await h2.take(h2.headers(3))
        assert h2.status == {1: status, 3: "200"}
        assert h2.idle is True


async def test_a_websocket_that_is_refused_is_not_kept() -> None:
    fields = (*WEBSOCKET[:-1], ("sec-websocket-version", "12"))
    async with wired() as h2:
        await h2.take(h2.headers(1, fields, end=False))
        assert h2.status == {1: "426"}
        assert h2.idle is True


async def test_an_ended_websocket_leaves_no_stream_open() -> None:
    """As many as may be open at a time, one after the other, and some more."""
    async with wired(h2_max_concurrent_streams=3) as h2:
        h2.application.go.set()
        for number in range(1, 40, 2):
            close = FrameProtocol(client=True, extensions=[]).close(1000)
            await h2.take(h2.headers(number, WEBSOCKET, end=False))
            assert h2.status[number] == "200"
            await h2.take(DataFrame(number, bytes(close), flags=["END_STREAM"]))
            assert "END_STREAM" in h2.sent(DataFrame, number)[-1].flags
        assert h2.protocol.stream_buffers == {}
        assert h2.idle is True


async def test_a_websocket_whose_client_ends_the_stream_is_over() -> None:
    async with wired() as h2:
        h2.application.go.set()
        await h2.take(h2.headers(1, WEBSOCKET, end=False))
        await h2.take(DataFrame(1, b"", flags=["END_STREAM"]))
        assert h2.application.heard == [{"type": "websocket.disconnect", "code": 1006}]
        assert h2.idle is True


async def test_it_can_be_written_without_waiting() -> None:
    async with wired() as h2:
        assert not h2.protocol.write_nowait(1, b"x")
        await h2.take(SettingsFrame(0, {4: 10}), h2.headers(1, WEBSOCKET, end=False))
        calls: list[int] = []
        buffer = h2.protocol.stream_buffers[1]
        buffer.on_room = lambda: calls.append(len(buffer))
        assert h2.protocol.write_nowait(1, bytes(2 * BUFFER_HIGH_WATER))
        await h2.settle()
        assert calls == [2 * BUFFER_HIGH_WATER - 10]
        await h2.take(WindowUpdateFrame(1, 100_000))
        assert len(buffer) > 0  # the connection's window
        await h2.take(WindowUpdateFrame(0, 100_000))
        assert len(buffer) == calls[-1] == 0
        await h2.take(RstStreamFrame(1, 8))
        assert not h2.protocol.write_nowait(1, b"x")
