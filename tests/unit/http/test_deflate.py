"""What is agreed of permessage-deflate, and that what goes in comes out: no more, no less."""

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.frame_protocol import CloseReason

from incident_manager.http.deflate import (
    LEAST,
    MOST,
    MOST_STORED,
    NAME,
    WINDOW,
    Agreement,
    BadMessage,
    Inflation,
    agree,
    joined,
    part,
    shared,
    stored_head,
)

USUAL = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
ALL = Agreement(WINDOW, USUAL)
TAIL = b"\x00\x00\xff\xff"

windows = st.integers(9, WINDOW)
repetitive = st.tuples(st.binary(max_size=40), st.integers(0, 300)).map(lambda t: t[0] * t[1])
payloads = st.binary(max_size=2000) | repetitive


def inflated(data: bytes, window: int = zlib.MAX_WBITS) -> bytes:
    """As a client does: by a window that is no larger than what was agreed."""
    return zlib.decompressobj(-window).decompress(data + TAIL)


def read(data: bytes, limit: int = 2**20, size: int | None = None) -> bytes:
    """As the server does, so many bytes at a time."""
    inflation = Inflation(limit)
    step = size or max(1, len(data))
    parts = [inflation.take(data[at : at + step]) for at in range(0, len(data), step)]
    return b"".join([*parts, inflation.end()])


@pytest.mark.parametrize(
    ("offers", "answer", "window"),
    [
        ([NAME], USUAL, WINDOW),
        (["permessage-deflate; client_max_window_bits"], USUAL, WINDOW),  # browsers
        (["permessage-deflate;client_max_window_bits=8"], USUAL, WINDOW),
        (["permessage-deflate; client_no_context_takeover"], USUAL, WINDOW),
        (["permessage-deflate; server_no_context_takeover"], USUAL, WINDOW),
        ([NAME + "; server_max_window_bits=15"], USUAL + "; server_max_window_bits=12", 12),
        ([NAME + "; server_max_window_bits=12"], USUAL + "; server_max_window_bits=12", 12),
        ([NAME + "; server_max_window_bits=9"], USUAL + "; server_max_window_bits=9", 9),
        ([NAME + '; server_max_window_bits="10"'], USUAL + "; server_max_window_bits=10", 10),
        (["x-webkit-deflate-frame, permessage-deflate"], USUAL, WINDOW),
        (["x-webkit-deflate-frame", NAME], USUAL, WINDOW),
        ([NAME + "; server_max_window_bits=8, " + NAME], USUAL, WINDOW),
        (
            [NAME + "; server_max_window_bits=11, " + NAME],
            USUAL + "; server_max_window_bits=11",
            11,
        ),
    ],
)
def test_what_can_be_met_is_agreed(offers: list[str], answer: str, window: int) -> None:
    assert agree(offers) == Agreement(window, answer)


@pytest.mark.parametrize(
    "offer",
    [
        "",
        "permessage-bzip2",
        "permessage-deflate-not",
        "permessage-deflate; server_max_window_bits",
        "permessage-deflate; server_max_window_bits=8",
        "permessage-deflate; server_max_window_bits=16",
        "permessage-deflate; server_max_window_bits=010",
        "permessage-deflate; server_max_window_bits=-12",
        "permessage-deflate; client_max_window_bits=7",
        "permessage-deflate; client_max_window_bits=many",
        "permessage-deflate; client_no_context_takeover=yes",
        "permessage-deflate; server_no_context_takeover=true",
        "permessage-deflate; server_no_context_takeover; server_no_context_takeover",
        "permessage-deflate; client_max_window_bits; client_max_window_bits=10",
        "permessage-deflate; level=9",
        "permessage-deflate;",
        'permessage-deflate; x="',
        "permessage-deflate; server max window bits=10",
    ],
)
def test_what_cannot_be_met_is_declined(offer: str) -> None:
    assert agree([offer]) is None


@given(st.lists(st.text() | st.sampled_from([NAME, NAME + "; client_max_window_bits"])))
def test_no_header_breaks_it(offers: list[str]) -> None:
    found = agree(offers)
    assert found is None or found.answer.startswith(USUAL)


@given(st.lists(payloads, min_size=1, max_size=5), windows)
def test_parts_make_the_message(parts: list[bytes], window: int) -> None:
    sent = joined(*(part(each, window) for each in parts))
    assert inflated(sent, window) == b"".join(parts)
    assert read(sent) == b"".join(parts)


@given(payloads, payloads | repetitive.map(lambda data: data * 10), windows)
def test_a_beginning_of_ones_own_and_an_ending_for_all(
    beginning: bytes, ending: bytes, window: int
) -> None:
    last = shared(ending)
    if last is None or not Agreement(window, USUAL).shares(len(ending)):
        return
    sent = stored_head(len(beginning)) + beginning + last
    assert len(sent) <= len(beginning) + len(ending)
    assert inflated(sent, window) == read(sent) == beginning + ending


def test_a_beginning_of_any_size_that_a_block_can_have() -> None:
    last = shared(b"x" * LEAST)
    assert last is not None
    for size in (0, 1, 255, 256, MOST_STORED):
        sent = stored_head(size) + b"y" * size + last
        assert inflated(sent) == b"y" * size + b"x" * LEAST


def test_what_a_small_window_cannot_reach_is_not_shared() -> None:
    assert Agreement(9, USUAL).shares(512)
    assert not Agreement(9, USUAL).shares(513)
    assert ALL.shares(MOST)


@given(payloads | repetitive.map(lambda data: data * 100), windows)
def test_a_whole_message_comes_out_again(message: bytes, window: int) -> None:
    sent = Agreement(window, USUAL).deflated(message)
    if sent is None:
        return
    assert len(sent) < len(message)
    assert inflated(sent, window) == read(sent) == message


def test_what_is_short_long_or_grows_is_sent_as_it_is() -> None:
    assert ALL.deflated(b"x" * (LEAST - 1)) is None
    assert ALL.deflated(b"x" * LEAST) is not None
    assert ALL.deflated(b"x" * MOST) is not None
    assert ALL.deflated(b"x" * (MOST + 1)) is None
    assert ALL.deflated(bytes(range(256)) * 1) is None


@given(payloads, st.integers(0, 9), st.integers(1, 50))
def test_messages_come_in_pieces_of_any_size(message: bytes, level: int, size: int) -> None:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    sent = compressor.compress(message) + compressor.flush(zlib.Z_SYNC_FLUSH)
    assert sent.endswith(TAIL)
    assert read(sent[:-4], size=size) == message


@given(payloads, st.integers(1, 50))
def test_a_last_block_may_be_the_last(message: bytes, size: int) -> None:
    compressor = zlib.compressobj(wbits=-15)
    sent = compressor.compress(message) + compressor.flush()
    assert read(sent + b"\x00", size=size) == message  # RFC 7692, section 7.2.3.4
    assert read(sent, size=size) == message
    with pytest.raises(BadMessage) as caught:
        read(sent + b"\x00\x01", size=size)
    assert caught.value.code == CloseReason.INVALID_FRAME_PAYLOAD_DATA


@given(payloads.filter(bool), st.integers(1, 50), st.data())
def test_the_limit_is_one_of_what_is_inflated(
    message: bytes, size: int, data: st.DataObject
) -> None:
    sent = joined(part(message))
    assert read(sent, limit=len(message), size=size) == message
    limit = data.draw(st.integers(0, len(message) - 1))
    with pytest.raises(BadMessage) as caught:
        read(sent, limit=limit, size=size)
    assert caught.value.code == CloseReason.MESSAGE_TOO_BIG


def test_of_a_bomb_no_more_is_made_than_the_limit() -> None:
    bomb = joined(part(bytes(10 * 2**20)))
    inflation = Inflation(1000)
    with pytest.raises(BadMessage) as caught:
        inflation.take(bomb)
    assert caught.value.code == CloseReason.MESSAGE_TOO_BIG


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"\x07", id="a block of a type that is none"),
        pytest.param(b"{}{}{}{}", id="text"),
        pytest.param(part(b"abc" * 100)[:-5], id="cut off"),
        pytest.param(part(b"abc" * 100), id="with the end that belongs off"),
        pytest.param(b"\x00\x05\x00\xfa\xffab", id="a stored block cut off"),
        pytest.param(zlib.compress(b"abc" * 100), id="with zlib's head"),
    ],
)
def test_what_is_no_message_is_said_to_be_none(sent: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        read(sent)
    assert caught.value.code == CloseReason.INVALID_FRAME_PAYLOAD_DATA


@given(st.binary(max_size=200), st.integers(1, 50))
def test_nothing_else_comes_of_any_bytes(sent: bytes, size: int) -> None:
    try:
        got = read(sent, limit=100, size=size)
    except BadMessage as refused:
        assert refused.code in {1007, 1009}  # noqa: PT017 -- either
    else:
        assert len(got) <= 100
