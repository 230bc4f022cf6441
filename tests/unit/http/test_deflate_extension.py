"""permessage-deflate inside wsproto: a client's connection, and the server's."""

import zlib
from collections.abc import Iterator

import pytest
from wsproto.connection import Connection, ConnectionType
from wsproto.events import (
    BytesMessage,
    CloseConnection,
    Event,
    Message,
    Ping,
    TextMessage,
)
from wsproto.extensions import PerMessageDeflate

from incident_manager.http.deflate import Agreement, agree, joined, part
from incident_manager.http.deflate_extension import DeflateExtension

LIMIT = 10_000
TEXT = "A disk is full. " * 100
MADE = "error in extension"  # what wsproto says


def agreed() -> Agreement:
    found = agree(["permessage-deflate; client_max_window_bits"])
    assert found is not None
    return found


@pytest.fixture
def server() -> Connection:
    return Connection(ConnectionType.SERVER, [DeflateExtension(agreed(), LIMIT)])


@pytest.fixture
def client() -> Connection:
    """wsproto's own."""
    extension = PerMessageDeflate()
    extension.finalize(agreed().answer)
    return Connection(ConnectionType.CLIENT, [extension])


def heard(connection: Connection, data: bytes, size: int = 2**20) -> Iterator[Event]:
    for start in range(0, len(data), size):
        connection.receive_data(data[start : start + size])
        yield from connection.events()


def frame(first: int, data: bytes) -> bytes:
    """A client's frame; its mask is nothing but zeros."""
    size = len(data)
    length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
    return bytes([first]) + length + bytes(4) + data


@pytest.mark.parametrize("size", [1, 7, 2**20])
def test_messages_go_both_ways(client: Connection, server: Connection, size: int) -> None:
    for sender, reader in ((client, server), (server, client)):
        for _ in range(2):  # the second as the first: nothing is kept
            for sent in (TextMessage(data=TEXT), BytesMessage(data=TEXT.encode())):
                bytes_ = sender.send(sent)
                assert len(bytes_) < 200
                got = [event for event in heard(reader, bytes_, size) if isinstance(event, Message)]
                assert {type(event) for event in got} == {type(sent)}
                assert type(sent.data)().join(event.data for event in got) == sent.data
                assert [event.message_finished for event in got].index(True) == len(got) - 1


def test_what_is_short_or_in_parts_goes_out_as_it_is(
    client: Connection, server: Connection
) -> None:
    assert server.send(TextMessage(data="short")) == b"\x81\x05short"
    assert server.send(Ping(payload=b"x" * 100))[0] == 0x89
    first = server.send(TextMessage(data=TEXT, message_finished=False))
    last = server.send(TextMessage(data=TEXT))
    assert (first[0], last[0]) == (0x01, 0x80)
    got = [event.data for event in heard(client, first + last) if isinstance(event, TextMessage)]
    assert "".join(got) == TEXT + TEXT


def test_a_compressed_message_in_frames_with_a_ping_between(server: Connection) -> None:
    whole = joined(part(TEXT.encode()))
    sent = frame(0x41, whole[:20]) + frame(0x89, b"") + frame(0x00, b"") + frame(0x80, whole[20:])
    events = list(heard(server, sent + frame(0x81, b"plain")))
    assert [type(event) for event in events if not isinstance(event, TextMessage)] == [Ping]
    texts = [event for event in events if isinstance(event, TextMessage)]
    assert "".join(event.data for event in texts) == TEXT + "plain"
    assert [event.message_finished for event in texts] == [False, False, True, True]


def test_the_limit_counts_what_is_inflated(server: Connection) -> None:
    fits = joined(part(b"x" * LIMIT))
    events = list(heard(server, frame(0xC1, fits)))
    assert [event.data for event in events if isinstance(event, TextMessage)] == ["x" * LIMIT]
    bomb = joined(part(bytes(LIMIT + 1)))
    assert list(heard(server, frame(0xC1, bomb))) == [CloseConnection(code=1009, reason=MADE)]


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        pytest.param(frame(0xC1, b"plain text"), 1007, id="no deflate"),
        pytest.param(frame(0xC1, part(b"x" * 500)[:-5]), 1007, id="cut off"),
        pytest.param(frame(0xC1, b""), 1007, id="nothing"),
        pytest.param(frame(0xC1, joined(part(b"\xc3\x28" * 200))), 1007, id="no UTF-8"),
        pytest.param(frame(0xC9, b""), 1002, id="a compressed ping"),
        pytest.param(frame(0x41, b"\x00") + frame(0xC0, b""), 1002, id="said again"),
        pytest.param(frame(0xC0, b""), 1002, id="a continuation of nothing"),
        pytest.param(frame(0x41, b"\x00") + frame(0xC1, b"\x00"), 1002, id="one in another"),
        pytest.param(frame(0xA1, b""), 1002, id="a bit of another extension"),
        pytest.param(frame(0xE1, joined(part(b"x"))), 1002, id="two bits"),
    ],
)
def test_what_breaks_the_protocol_is_told(server: Connection, sent: bytes, code: int) -> None:
    *_, last = heard(server, sent)
    assert isinstance(last, CloseConnection)
    assert last.code == code


def test_a_last_block_is_no_end_of_the_connection(server: Connection) -> None:
    compressor = zlib.compressobj(wbits=-15)
    sent = compressor.compress(TEXT.encode()) + compressor.flush() + b"\x00"
    events = list(heard(server, frame(0xC1, sent) * 2))
    assert [event.data for event in events if isinstance(event, TextMessage)] == [TEXT, TEXT]


def test_it_has_been_agreed_and_offers_nothing() -> None:
    extension = DeflateExtension(agreed(), LIMIT)
    assert extension.enabled()
    assert extension.offer() is False
