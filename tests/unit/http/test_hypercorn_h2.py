"""One connection of HTTP/2, without a socket: bytes in, bytes out, and a small application."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import hpack
import pytest
import trio
import trio.testing
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.events import Closed, Event, RawData, Updated
from hypercorn.protocol.h2 import BUFFER_HIGH_WATER
from hypercorn.trio.task_group import TaskGroup
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    HeadersFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given, settings
from hypothesis import strategies as st
from wsproto.frame_protocol import FrameProtocol

from incident_manager.http.h2_frames import PREFACE
from incident_manager.http.hypercorn_h2 import GuardedH2
from incident_manager.http.transport import Guard, install

GET = ((":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "localhost"))
POST = ((":method", "POST"), *GET[1:])
WEBSOCKET = (
    (":method", "CONNECT"),
    (":protocol", "websocket"),
    *GET[1:],
    ("sec-websocket-version", "13"),
)
TIMEOUT = 30.0


class Application:
    """Answers 200; but what is posted to it, it reads when it is let, and a WebSocket likewise."""

    def __init__(self) -> None:
        self.guard = Guard(TIMEOUT)
        self.go = trio.Event()
        self.heard: list[dict[str, Any]] = []
        self.running = 0
        self.most = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.running += 1
        self.most = max(self.most, self.running)
        try:
            await self._serve(scope, receive, send)
        finally:
            self.running -= 1

    async def _serve(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.accept"})
        if scope["type"] == "websocket" or scope["method"] == "POST":
            await self.go.wait()
            while True:
                message = await receive()
                self.heard.append(message)
                if message["type"].endswith("disconnect"):
                    return
                if scope["type"] == "http" and not message["more_body"]:
                    break
        await send({"type": "http.response.start", "status": 200, "headers": []})
        size = int(scope["query_string"] or 0)
        await send({"type": "http.response.body", "body": bytes(size)})


class Wired:
    """The connection and what it has sent."""

    def __init__(self, application: Application, group: TaskGroup, config: Config) -> None:
        self.application = application
        self.context = WorkerContext(None)
        self.protocol = GuardedH2(
            ASGIWrapper(application),  # type: ignore[arg-type]
            config,
            self.context,
            group,
            ConnectionState({}),
            False,
            ("127.0.0.1", 1),
            ("127.0.0.1", 2),
            self._send,
        )
        self.encoder = hpack.Encoder()
        self._decoder = hpack.Decoder()
        self._out = b""
        self.frames: list[Frame] = []
        self.status: dict[int, str] = {}
        self.idle: bool | None = None
        self.over = False

    async def _send(self, event: Event) -> None:
        if isinstance(event, RawData):
            self._out += event.data
        elif isinstance(event, Updated):
            self.idle = event.idle
        else:
            self.over = True
            await self.protocol.handle(Closed())

    def headers(self, stream_id: int, fields: Any = GET, *, end: bool = True) -> Frame:
        flags = ["END_HEADERS", *(["END_STREAM"] if end else [])]
        return HeadersFrame(stream_id, self.encoder.encode(fields), flags=flags)

    async def take(self, *frames: Frame | bytes) -> None:
        """Have the connection read frames, in one piece, and do all it can."""
        data = b"".join(f if isinstance(f, bytes) else f.serialize() for f in frames)
        if not self.protocol.closed:
            await self.protocol.handle(RawData(data=data))
        await self.settle()

    async def settle(self) -> None:
        """Let everything be done that can be, and look at what was sent."""
        await trio.testing.wait_all_tasks_blocked()
        while len(self._out) >= 9:
            frame, length = Frame.parse_frame_header(memoryview(self._out[:9]))
            frame.parse_body(memoryview(self._out[9 : 9 + length]))
            self._out = self._out[9 + length :]
            self.frames.append(frame)
            if isinstance(frame, HeadersFrame):
                fields = dict(self._decoder.decode(frame.data))
                self.status[frame.stream_id] = str(fields[":status"])

    def sent(self, kind: type[Frame], stream_id: int | None = None) -> list[Any]:
        """The frames of a kind so far, of a stream or of all."""
        return [
            frame
            for frame in self.frames
            if isinstance(frame, kind) and stream_id in (None, frame.stream_id)
        ]

    def resets(self) -> dict[int, int]:
        return {frame.stream_id: frame.error_code for frame in self.sent(RstStreamFrame)}

    def goaways(self) -> list[int]:
        return [frame.error_code for frame in self.sent(GoAwayFrame)]

    def opened(self, stream_id: int) -> int:
        """The bytes by which the window of a stream, or of the connection (0), was opened."""
        frames = self.sent(WindowUpdateFrame, stream_id)
        return sum(frame.window_increment for frame in frames)


@asynccontextmanager
async def wired(**configured: int) -> AsyncIterator[Wired]:
    """A connection whose client has sent its preface. At the end every task of it must end."""
    install()
    config = Config()
    for name, value in configured.items():
        setattr(config, name, value)
    async with TaskGroup() as group:
        connection = Wired(Application(), group, config)
        await connection.protocol.initiate()
        await connection.take(PREFACE, SettingsFrame(0, {}))
        yield connection
        connection.application.go.set()
        await connection.protocol.handle(Closed())
    assert connection.application.running == 0


async def test_it_answers_and_is_idle_then() -> None:
    async with wired() as h2:
        await h2.take(h2.headers(1), h2.headers(3))
        assert h2.status == {1: "200", 3: "200"}
        assert [frame.flags for frame in h2.sent(DataFrame)] == [{"END_STREAM"}] * 2
        assert h2.idle is True
    assert h2.goaways() == []


async def test_at_its_end_it_says_so() -> None:
    async with wired() as h2:
        await h2.take(h2.headers(1))
    await h2.settle()
    assert h2.goaways() == [ErrorCodes.NO_ERROR]
    assert h2.sent(GoAwayFrame)[0].last_stream_id == 1


def message(text: str) -> bytes:
    """A client's text frame over HTTP/2, masked."""
    frames = FrameProtocol(client=True, extensions=[])
    return bytes(frames.send_data(text, fin=True))


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


async def test_a_reset_does_not_make_room_for_more_applications() -> None:
    """CVE-2023-44487: what runs is bounded, not what the client calls open."""
    async with wired(h2_max_concurrent_streams=5) as h2:
        for number in range(1, 40, 2):
            await h2.take(h2.headers(number, POST, end=False))
            await h2.take(RstStreamFrame(number, 8))
        assert h2.application.most == 5
        assert set(h2.resets().values()) == {ErrorCodes.REFUSED_STREAM}
        assert len(h2.resets()) == 15
        h2.application.go.set()


async def test_too_many_streams_are_refused_and_the_others_go_on() -> None:
    async with wired(h2_max_concurrent_streams=5) as h2:
        await h2.take(*(h2.headers(number, POST, end=False) for number in range(1, 17, 2)))
        assert h2.resets() == dict.fromkeys((11, 13, 15), ErrorCodes.REFUSED_STREAM)
        assert not h2.protocol.closed
        h2.application.go.set()
        await h2.take(DataFrame(1, b"", flags=["END_STREAM"]))
        assert h2.status == {1: "200"}


@pytest.mark.parametrize(
    ("frames", "code"),
    [
        ([SettingsFrame(0, {4: 1})] * 200, ErrorCodes.ENHANCE_YOUR_CALM),
        ([PingFrame(0, b"12345678")] * 1100, ErrorCodes.ENHANCE_YOUR_CALM),
        ([PriorityFrame(5, depends_on=3)] * 1100, ErrorCodes.ENHANCE_YOUR_CALM),
        ([WindowUpdateFrame(0, 1)] * 2100, ErrorCodes.ENHANCE_YOUR_CALM),
        ([b"\x01\x00\x00\x00\x00" + bytes(4)], ErrorCodes.FRAME_SIZE_ERROR),
        ([WindowUpdateFrame(0, 2**31 - 1)], ErrorCodes.FLOW_CONTROL_ERROR),
        ([DataFrame(1, b"x")], ErrorCodes.PROTOCOL_ERROR),
    ],
)
async def test_what_is_too_much_ends_the_connection(
    frames: list[Frame | bytes], code: ErrorCodes
) -> None:
    async with wired() as h2:
        await h2.take(*frames)
        assert h2.protocol.closed
        assert h2.goaways() == [code]
        assert not h2.over  # the client has a while to read it
        await h2.protocol.handle(RawData(data=b""))
        await h2.settle()
        assert h2.over


async def test_priorities_cost_no_memory_and_change_nothing() -> None:
    async with wired() as h2:
        await h2.take(*(PriorityFrame(n, depends_on=n + 2) for n in range(1, 1000, 2)))
        await h2.take(h2.headers(1))
        assert h2.status == {1: "200"}


async def test_the_table_of_what_we_send_stays_small() -> None:
    async with wired() as h2:
        await h2.take(SettingsFrame(0, {SettingCodes.HEADER_TABLE_SIZE: 2**32 - 1}))
        await h2.take(h2.headers(1))
        assert h2.protocol.connection.encoder.header_table_size == 4096
        assert h2.status == {1: "200"}


async def test_a_window_that_is_not_opened_is_waited_for_so_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    fields = (*GET[:2], (":path", "/?9000"), GET[3])
    async with wired() as h2:
        await h2.take(SettingsFrame(0, {4: 0}), h2.headers(1, fields))
        await h2.take(WindowUpdateFrame(1, 1000))
        assert len(h2.sent(DataFrame, 1)) == 1
        await trio.sleep(TIMEOUT - 1)
        assert h2.resets() == {}
        await trio.sleep(2)
        await h2.settle()
        assert h2.resets() == {1: ErrorCodes.CANCEL}
        assert h2.application.guard.stalled == 1
        await h2.take(h2.headers(3))
        assert h2.status[3] == "200"


async def test_a_body_that_does_not_come_is_waited_for_so_long(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with wired() as h2:
        h2.application.go.set()
        await h2.take(h2.headers(1, POST, end=False))
        await trio.sleep(TIMEOUT - 1)
        await h2.take(DataFrame(1, b"x"))
        await trio.sleep(TIMEOUT - 1)
        assert h2.resets() == {}
        await trio.sleep(2)
        await h2.settle()
        assert h2.resets() == {1: ErrorCodes.CANCEL}
        assert h2.application.heard[-1] == {"type": "http.disconnect"}
        assert h2.idle is True


async def test_an_open_websocket_is_never_idle(autojump_clock: trio.testing.MockClock) -> None:
    async with wired() as h2:
        h2.application.go.set()
        await h2.take(h2.headers(1, WEBSOCKET, end=False))
        await trio.sleep(100 * TIMEOUT)
        await h2.take(DataFrame(1, message("there")))
        assert h2.application.heard[-1]["text"] == "there"
        assert h2.idle is False


async def test_who_has_the_answer_may_finish_for_a_while(
    autojump_clock: trio.testing.MockClock,
) -> None:
    async with wired() as h2:
        await h2.take(h2.headers(1, end=False))
        assert h2.status == {1: "200"}
        for _ in range(10):
            await h2.take(DataFrame(1, bytes(16384)))
        assert h2.resets() == {}
        await trio.sleep(6)
        await h2.settle()
        assert h2.resets() == {1: ErrorCodes.NO_ERROR}
        assert not h2.over


async def test_when_the_server_stops_what_runs_is_finished() -> None:
    async with wired() as h2:
        await h2.take(h2.headers(1, POST, end=False))
        await h2.context.terminated.set()
        await h2.settle()
        assert h2.goaways() == [ErrorCodes.NO_ERROR]
        assert h2.sent(GoAwayFrame)[0].last_stream_id == 1
        await h2.take(h2.headers(3))
        assert h2.resets() == {3: ErrorCodes.REFUSED_STREAM}
        h2.application.go.set()
        await h2.take(DataFrame(1, b"x", flags=["END_STREAM"]))
        assert h2.status == {1: "200"}
        assert h2.idle is True


async def test_after_very_many_requests_a_new_connection_is_asked_for() -> None:
    async with wired(keep_alive_max_requests=3) as h2:
        await h2.take(h2.headers(1, POST, end=False))
        await h2.take(*(h2.headers(number) for number in (3, 5)))
        assert h2.goaways() == []
        await h2.take(h2.headers(7))
        assert h2.goaways() == [ErrorCodes.NO_ERROR]
        assert not h2.protocol.closed
        h2.application.go.set()
        await h2.take(DataFrame(1, b"x", flags=["END_STREAM"]))
        assert h2.status[1] == "200"
        assert h2.over


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
        assert h2.status == {1: "400"}
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


@pytest.mark.parametrize("given_settings", [b"A", b"AAAA"])
async def test_settings_of_an_upgrade_that_are_none(given_settings: bytes) -> None:
    async with TaskGroup() as group:
        h2 = Wired(Application(), group, Config())
        with pytest.raises(ProtocolError, match="HTTP2-Settings"):
            await h2.protocol.initiate([(b":method", b"GET"), (b":path", b"/")], given_settings)


STREAMS = st.sampled_from([0, 1, 1, 3, 3, 5, 7, 2**31 - 1])
FRAMES: st.SearchStrategy[Callable[[Wired], Frame | bytes]] = st.one_of(
    st.builds(
        lambda stream, fields, end: lambda h2: h2.headers(stream, fields, end=end),
        st.sampled_from([1, 3, 5, 7, 9]),
        st.sampled_from([GET, POST, WEBSOCKET, (("x", "y"),)]),
        st.booleans(),
    ),
    st.builds(
        lambda stream, data, end: (
            lambda h2: DataFrame(stream, data, flags=["END_STREAM"] if end else [])
        ),
        st.sampled_from([1, 3, 5, 7]),
        st.one_of(st.binary(max_size=20), st.just(message("hello")), st.just(bytes(16384))),
        st.booleans(),
    ),
    st.builds(
        lambda kind, flags, stream, body: (
            lambda h2: (
                len(body).to_bytes(3, "big")
                + bytes([kind, flags])
                + stream.to_bytes(4, "big")
                + body
            )
        ),
        st.integers(0, 12),
        st.integers(0, 255),
        STREAMS,
        st.binary(max_size=40),
    ),
    st.builds(lambda stream: lambda h2: RstStreamFrame(stream, 8), st.sampled_from([1, 3, 5])),
    st.builds(
        lambda stream, size: lambda h2: WindowUpdateFrame(stream, size),
        st.sampled_from([0, 1, 3, 5]),
        st.sampled_from([1, 100, 65535, 2**31 - 1]),
    ),
    st.builds(
        lambda key, value: lambda h2: SettingsFrame(0, {key: value}),
        st.integers(1, 9),
        st.sampled_from([0, 1, 16384, 65535, 2**31 - 1, 2**32 - 1]),
    ),
    st.binary(max_size=30).map(lambda data: lambda h2: data),
)


@settings(max_examples=150, deadline=None)
@given(st.lists(FRAMES, max_size=12), st.booleans())
def test_whatever_comes_every_task_ends(
    frames: list[Callable[[Wired], Frame | bytes]], listens: bool
) -> None:
    """And nothing is raised but to say that the client broke the protocol, by a GOAWAY."""

    async def main() -> None:
        async with wired() as h2:
            if listens:
                h2.application.go.set()
            for frame in frames:
                await h2.take(frame(h2))
            if h2.protocol.closed:
                assert len(h2.goaways()) <= 1

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0.0))
