"""What h2 keeps of one connection stays within bounds, and is paid for."""

import hpack
import pytest
from h2.errors import ErrorCodes
from h2.events import ConnectionTerminated, RequestReceived, ResponseReceived
from h2.exceptions import FrameTooLargeError, ProtocolError, TooManyStreamsError
from h2.settings import SettingCodes
from hyperframe.frame import Frame, GoAwayFrame, HeadersFrame
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.http.h2_budget import CAPACITY, REFUND
from incident_manager.http.h2_frames import END_HEADERS, FrameHeads, Head, Kind
from incident_manager.http.h2_state import State, TooMuchError, parts
from unit.http.pair_h2 import GET, Pair

HEADERS = 1000


def state() -> State:
    return State(streams=10, header_bytes=HEADERS, now=0.0)


def head(kind: Kind, length: int, flags: int = 0) -> Head:
    return Head(kind, flags, length, end=9 + length)


def test_a_frame_that_is_too_large_is_refused_at_its_head() -> None:
    most = state().connection.max_inbound_frame_size
    state().charge([head(Kind.DATA, most)], 0.0)
    with pytest.raises(FrameTooLargeError):
        state().charge([head(Kind.DATA, most + 1)], 0.0)


def test_a_block_of_headers_is_refused_as_soon_as_it_is_too_long_and_goes_on() -> None:
    some = state()
    some.charge([head(Kind.HEADERS, HEADERS - 1)], 0.0)
    some.charge([head(Kind.CONTINUATION, 1)], 0.0)
    with pytest.raises(TooMuchError, match="headers without end"):
        some.charge([head(Kind.CONTINUATION, 1)], 0.0)


def test_each_block_is_measured_by_itself() -> None:
    some = state()
    for _ in range(5):
        some.charge([head(Kind.HEADERS, HEADERS // 2)], 0.0)
        # A whole one is h2's to measure: by what its headers are once they are decoded.
        some.charge([head(Kind.CONTINUATION, HEADERS, END_HEADERS)], 0.0)


def test_who_can_not_pay_is_refused_until_time_or_use_gives_tokens() -> None:
    some = state()
    some.pay(CAPACITY, 0.0)
    with pytest.raises(TooMuchError) as refused:
        some.pay(REFUND, 0.0)
    assert refused.value.error_code == ErrorCodes.ENHANCE_YOUR_CALM
    some.proved()
    some.pay(REFUND, 0.0)
    some.pay(REFUND, 1.0)


def test_frames_are_paid_for_all_together() -> None:
    some = state()
    before = some.budget.level
    some.charge([head(Kind.PING, 8), head(Kind.PING, 8)], 0.0)
    assert some.budget.level == before - 4.0


def test_the_client_is_told_of_fewer_streams_than_are_let_pass() -> None:
    """It may not have read our settings; the rest can be refused one by one."""
    pair = Pair(streams=2)
    assert pair.client.remote_settings.max_concurrent_streams == 2
    encoder = hpack.Encoder()

    def headers(stream_id: int) -> bytes:
        return HeadersFrame(stream_id, encoder.encode(GET), flags=["END_HEADERS"]).serialize()

    for number in range(1, 17, 2):
        pair.at_server += pair.server.receive_data(headers(number))
    assert len(pair.events(RequestReceived, pair.at_server)) == 8
    with pytest.raises(TooManyStreamsError):
        pair.server.receive_data(headers(17))


def test_the_table_of_what_is_sent_stays_small() -> None:
    pair = Pair()
    pair.client.update_settings({SettingCodes.HEADER_TABLE_SIZE: 2**20})
    pair.carry()
    pair.state.settings_changed()
    assert pair.server.encoder.header_table_size == 4096
    pair.request(1)
    pair.answer(1)
    assert len(pair.events(ResponseReceived)) == 1  # the client can read what was made with it


def test_more_settings_than_there_are() -> None:
    pair = Pair()
    pair.server.remote_settings.update(dict.fromkeys(range(100, 120), 1))
    pair.state.settings_changed()
    pair.server.remote_settings.update(dict.fromkeys(range(120, 140), 1))
    with pytest.raises(TooMuchError, match="settings"):
        pair.state.settings_changed()


def test_the_size_of_the_table_is_not_changed_for_ever() -> None:
    """Each change is said again before the next answer."""
    pair = Pair()
    for number in range(40):
        pair.client.update_settings({SettingCodes.HEADER_TABLE_SIZE: 100 + number % 2})
        pair.carry()
    with pytest.raises(TooMuchError, match="settings"):
        pair.state.settings_changed()


def test_it_ends_once_and_says_why() -> None:
    pair = Pair()
    pair.state.end(TooMuchError("x"))
    pair.state.end(ProtocolError("y"))
    pair.at_client += pair.client.receive_data(pair.server.data_to_send())
    (told,) = pair.events(ConnectionTerminated)
    assert told.error_code == ErrorCodes.ENHANCE_YOUR_CALM


def test_after_a_goodbye_the_streams_go_on() -> None:
    pair = Pair()
    pair.request(1, 3)
    frame, length = Frame.parse_frame_header(memoryview(pair.state.goodbye()[:9]))
    assert isinstance(frame, GoAwayFrame)
    frame.parse_body(memoryview(pair.state.goodbye()[9 : 9 + length]))
    assert (frame.last_stream_id, frame.error_code) == (3, ErrorCodes.NO_ERROR)
    pair.answer(1, 3)
    assert len(pair.events(ResponseReceived)) == 2


FRAMES = st.binary(max_size=20).map(lambda body: len(body).to_bytes(3) + b"\x06" + bytes(5) + body)


@given(st.lists(FRAMES, max_size=60), st.integers(0, 40))
def test_parts_lose_nothing_and_are_small(frames: list[bytes], cut: int) -> None:
    """The last frame may not be whole."""
    data = b"".join(frames)
    data = data[: max(0, len(data) - cut)]
    found = list(parts(data, FrameHeads(skip=0).feed(data)))
    assert b"".join(part for part, _ in found) == data
    assert [each for _, heads in found for each in heads] == list(FrameHeads(skip=0).feed(data))
    assert all(len(heads) <= 16 for _, heads in found)
    at = 0
    for part, heads in found[:-1]:  # each is cut where its last frame ends
        at += len(part)
        assert heads[-1].end == at
