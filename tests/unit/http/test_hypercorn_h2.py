"""One connection of HTTP/2: what its client may do, and how it ends."""

from collections.abc import Callable

import pytest
import trio
import trio.testing
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError
from h2.settings import SettingCodes
from hypercorn.config import Config
from hypercorn.events import RawData
from hypercorn.trio.task_group import TaskGroup
from hyperframe.frame import (
    DataFrame,
    Frame,
    GoAwayFrame,
    PingFrame,
    PriorityFrame,
    RstStreamFrame,
    SettingsFrame,
    WindowUpdateFrame,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from unit.http.wired_h2 import GET, POST, WEBSOCKET, Application, Wired, message, wired


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
