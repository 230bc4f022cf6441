"""The bytes of a WebSocket on a stream wait for its window, and its owner sees how many."""

from h2.errors import ErrorCodes
from hyperframe.frame import DataFrame, RstStreamFrame, SettingsFrame, WindowUpdateFrame

from incident_manager.http.stream_lane import StreamLane
from unit.http.wired_h2 import WEBSOCKET, Wired, wired


async def lane(h2: Wired, window: int = 10) -> StreamLane:
    await h2.take(SettingsFrame(0, {4: window}), h2.headers(1, WEBSOCKET, end=False))
    return StreamLane(h2.protocol, 1)


async def test_what_no_window_lets_go_waits() -> None:
    async with wired() as h2:
        line = await lane(h2, window=10)
        progress: list[int] = []
        line.watch(lambda: progress.append(line.size))
        line.write(b"0123456789abc")
        line.write(b"def")
        assert line.size == 16
        await h2.settle()
        assert (line.size, progress) == (6, [6])
        await h2.take(WindowUpdateFrame(1, 100))
        assert (line.size, progress) == (0, [6, 0])
        assert b"".join(frame.data for frame in h2.sent(DataFrame, 1)) == b"0123456789abcdef"


async def test_of_a_stream_that_has_ended_nothing_waits() -> None:
    async with wired() as h2:
        line = await lane(h2, window=0)
        told: list[int] = []
        line.watch(lambda: told.append(line.size))
        line.write(b"abc")
        await h2.take(RstStreamFrame(1, 8))
        assert told == [0]
        line.write(b"late")
        assert line.size == 0
        line.watch(lambda: told.append(-1))
        line.write(b"later")
        await h2.settle()
        assert told == [0]


async def test_abandoned_it_is_reset_and_no_other_stream_is() -> None:
    async with wired() as h2:
        line = await lane(h2)
        line.abandon()
        await h2.settle()
        assert h2.resets() == {1: ErrorCodes.CANCEL}
        line.abandon()  # once more is no harm
        await h2.take(h2.headers(3))
        assert h2.status[3] == "200"
        assert not h2.protocol.closed
