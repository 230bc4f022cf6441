"""Compressed frames, read back by another implementation."""

import zlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wsproto.connection import Connection, ConnectionType
from wsproto.events import TextMessage
from wsproto.extensions import PerMessageDeflate

from incident_manager.actors.batch import Batch
from incident_manager.actors.payload import Payload
from incident_manager.http.compressed_writer import CompressedWriter, compressed_head
from incident_manager.http.deflate import Agreement, agree
from incident_manager.http.frames import next_prefix

LONG = b'{"data":{"newIncidents":{"title":"A disk is full"}},"extensions":{"note":"%s"}}' % (
    b"A disk is full. " * 30
)
SHORT = b'{"data":null}'
ALL = "permessage-deflate"


class Lane:
    """Where the bytes go."""

    def __init__(self) -> None:
        self.written = b""
        self.size = 0

    def watch(self, progressed: Callable[[], None]) -> None:
        del progressed

    def write(self, data: bytes) -> int:
        self.written += data
        return 0


def agreed(offer: str = ALL) -> Agreement:
    found = agree([offer])
    assert found is not None
    return found


def writer_for(offer: str = ALL, lane: Lane | None = None) -> CompressedWriter:
    return CompressedWriter(lane or Lane(), agreed(offer))


def texts(data: bytes, offer: str = ALL) -> list[str]:
    """The messages that a client of wsproto's reads."""
    extension = PerMessageDeflate()
    extension.finalize(agreed(offer).answer)
    client = Connection(ConnectionType.CLIENT, [extension])
    client.receive_data(data)
    found, whole = "", []
    for event in client.events():
        assert isinstance(event, TextMessage)
        found += event.data
        if event.message_finished:
            whole.append(found)
            found = ""
    return whole


def compressed(data: bytes) -> bool:
    return bool(data[0] & 0x40)


def test_a_message_alone_is_compressed_where_it_is_large() -> None:
    writer = writer_for()
    small, large = writer.frame(SHORT), writer.frame(LONG)
    assert (compressed(small), compressed(large)) == (False, True)
    assert len(large) < len(LONG) // 3
    assert texts(small + large + small) == [SHORT.decode(), LONG.decode(), SHORT.decode()]


documents = st.text(min_size=1, max_size=40).map(lambda text: f'{{"note":"{text * 30}"}}'.encode())


@given(
    st.lists(documents | st.sampled_from([LONG, SHORT]), min_size=1, max_size=5),
    st.lists(st.text(st.characters(codec="utf-8")), min_size=1, max_size=4),
    st.sampled_from([ALL, ALL + "; server_max_window_bits=9"]),
    st.booleans(),
)
def test_the_frames_of_a_batch_are_its_messages_for_everyone(
    payloads: list[bytes], ids: list[str], offer: str, kept: bool
) -> None:
    batch = Batch([Payload(each) for each in payloads] if kept else payloads)
    for each in ids:
        prefix = next_prefix(each)
        got = texts(b"".join(writer_for(offer).frames(prefix, batch)), offer)
        assert got == [(prefix + payload + b"}").decode() for payload in payloads]
        one_by_one = [writer_for(offer).next_frame(prefix, payload) for payload in payloads]
        assert texts(b"".join(one_by_one), offer) == got


def test_clients_of_all_windows_share_a_batch_with_those_that_have_agreed_nothing() -> None:
    batch = Batch([Payload(LONG), Payload(SHORT), Payload(LONG * 3)])
    prefix = next_prefix("id")
    expected = [(prefix + payload + b"}").decode() for payload in batch.payloads]
    for offer in (ALL, ALL + "; server_max_window_bits=9", ALL + "; server_max_window_bits=11"):
        sent = b"".join(writer_for(offer).frames(prefix, batch))
        assert texts(sent, offer) == expected
    narrow = b"".join(writer_for(ALL + "; server_max_window_bits=9").frames(prefix, batch))
    assert LONG * 3 in narrow  # further back than it can look


def test_a_payload_is_compressed_once() -> None:
    long, short = Payload(LONG), Payload(SHORT)
    first = b"".join(writer_for().frames(next_prefix("one"), Batch([long, short])))
    made = long.beside
    assert made is not None
    assert made in first
    assert short.beside == b""
    assert LONG not in first
    for each in ("two", "another length"):
        writer_for().frames(next_prefix(each), Batch([long, short]))
        assert made in writer_for().next_frame(next_prefix(each), long)
        assert long.beside is made
    assert zlib.decompressobj(-12).decompress(made + b"\x00\x00\xff\xff") == LONG + b"}"


def test_frames_for_one_length_are_made_once() -> None:
    batch = Batch([Payload(LONG)])
    writer_for().frames(next_prefix("one"), batch)
    writer_for().frames(next_prefix("two"), batch)
    assert len(batch.memo) == 1


def test_an_id_that_no_stored_block_can_have() -> None:
    prefix = next_prefix("x" * 70_000)
    (sent,) = writer_for().frames(prefix, Batch([LONG]))
    assert not compressed(sent)
    assert texts(sent) == [(prefix + LONG + b"}").decode()]
    assert writer_for().next_frame(prefix, LONG) == sent


def test_frames_are_written_in_order() -> None:
    lane = Lane()
    writer = writer_for(lane=lane)
    writer.open = True
    writer.write([writer.frame(LONG), writer.frame(SHORT)])
    assert texts(lane.written) == [LONG.decode(), SHORT.decode()]


@pytest.mark.parametrize("size", [0, 125, 126, 65535, 65536])
def test_the_head_says_that_it_is_compressed(size: int) -> None:
    head = compressed_head(size)
    assert head[0] == 0xC1
    assert len(head) == (2 if size < 126 else 4 if size < 65536 else 10)
