"""PROXY headers: each form of the specification, and any bytes in any parts."""

import ipaddress
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from incident_manager.http.proxy_header import (
    MAX_HEADER,
    Header,
    NotYet,
    ProxyHeaderError,
    read,
)

SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"
REST = b"GET / HTTP/1.1\r\n\r\n"


def v2(command: int, family: int, body: bytes, *, size: int | None = None) -> bytes:
    length = len(body) if size is None else size
    return SIGNATURE + struct.pack("!BBH", 0x20 | command, family, length) + body


def inet(client: str, server: str, ports: tuple[int, int]) -> bytes:
    packed = b"".join(ipaddress.ip_address(each).packed for each in (client, server))
    return packed + struct.pack("!HH", *ports)


FOUR = inet("192.0.2.1", "198.51.100.7", (56324, 443))
SIX = inet("2001:db8::1", "2001:db8::2", (1, 65535))
TLVS = b"\x04\x00\x03abc"


@pytest.mark.parametrize(
    ("data", "client", "server"),
    [
        (
            b"PROXY TCP4 192.0.2.1 198.51.100.7 56324 443\r\n",
            ("192.0.2.1", 56324),
            ("198.51.100.7", 443),
        ),
        (
            b"PROXY TCP6 2001:DB8::1 2001:db8:0:0::2 0 65535\r\n",
            ("2001:db8::1", 0),
            ("2001:db8::2", 65535),
        ),
        (b"PROXY UNKNOWN\r\n", None, None),
        (b"PROXY UNKNOWN ffff::1 what \xff ever\r\n", None, None),
        (v2(1, 0x11, FOUR), ("192.0.2.1", 56324), ("198.51.100.7", 443)),
        (v2(1, 0x11, FOUR + TLVS), ("192.0.2.1", 56324), ("198.51.100.7", 443)),
        (v2(1, 0x12, FOUR), ("192.0.2.1", 56324), ("198.51.100.7", 443)),
        (v2(1, 0x21, SIX + TLVS), ("2001:db8::1", 1), ("2001:db8::2", 65535)),
        (v2(1, 0x31, bytes(216)), None, None),
        (v2(1, 0x10, b""), None, None),
        (v2(1, 0x00, b""), None, None),
        (v2(1, 0x00, TLVS), None, None),
        (v2(0, 0x00, b""), None, None),
        (v2(0, 0x11, b""), None, None),
        (v2(0, 0xFF, FOUR), None, None),
        (v2(1, 0x11, FOUR + bytes(4096 - len(FOUR))), ("192.0.2.1", 56324), ("198.51.100.7", 443)),
    ],
)
def test_a_header(
    data: bytes, client: tuple[str, int] | None, server: tuple[str, int] | None
) -> None:
    assert read(data + REST) == Header(client, server, len(data))
    assert read(bytearray(data)) == Header(client, server, len(data))
    for end in range(len(data)):
        assert read(data[:end]) is NotYet.NEED_MORE


@pytest.mark.parametrize(
    "data",
    [
        b"PROXY \r\n",
        b"PROXY TCP4\r\n",
        b"PROXY TCP5 192.0.2.1 198.51.100.7 1 2\r\n",
        b"PROXY tcp4 192.0.2.1 198.51.100.7 1 2\r\n",
        b"PROXY  TCP4 192.0.2.1 198.51.100.7 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 1 2 \r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 1\r\n",
        b"PROXY TCP4 192.0.2.01 198.51.100.7 1 2\r\n",
        b"PROXY TCP4 2001:db8::1 2001:db8::2 1 2\r\n",
        b"PROXY TCP6 192.0.2.1 198.51.100.7 1 2\r\n",
        b"PROXY TCP6 fe80::1%eth0 fe80::2 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.\xb9 1 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 65536 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 1 -2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 01 2\r\n",
        b"PROXY TCP4 192.0.2.1 198.51.100.7 " + b"9" * 80 + b" 2\r\n",
        b"PROXY UNKNOWN " + bytes(93) + b"\r\n",
        b"PROXY " + b"x" * 101,
        b"PROXY TCP4 192.0.2.1 198.51.100.7 1 2\n" + bytes(107),
        v2(2, 0x11, FOUR),
        SIGNATURE + b"\x11\x11\x00\x0c" + FOUR,
        SIGNATURE + b"\x31\x11\x00\x0c" + FOUR,
        v2(1, 0x41, FOUR),
        v2(1, 0x13, FOUR),
        v2(1, 0x11, FOUR[:-1]),
        v2(1, 0x21, FOUR),
        v2(1, 0x31, bytes(215)),
        v2(1, 0x11, FOUR, size=4097),
        v2(0, 0x00, b"", size=65535),
    ],
)
def test_a_malformed_header(data: bytes) -> None:
    with pytest.raises(ProxyHeaderError):
        read(data + REST)


@pytest.mark.parametrize(
    "data",
    [
        REST,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"PROXYING",
        b"proxy TCP4",
        b"\x16\x03\x01",
        b"\r\n\r\nGET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n\0\r\nQUIT\r",
    ],
)
def test_something_else(data: bytes) -> None:
    assert read(data) is NotYet.NOT_PROXY


def answer(data: bytes) -> Header | NotYet | type[ProxyHeaderError]:
    try:
        return read(data)
    except ProxyHeaderError:
        return ProxyHeaderError


LIKE_HEADERS = st.one_of(
    st.binary(max_size=200),
    st.builds(
        lambda words, rest: b"PROXY " + b" ".join(words) + b"\r\n" + rest,
        st.lists(
            st.sampled_from([b"TCP4", b"TCP6", b"UNKNOWN", b"192.0.2.1", b"::1", b"80", b"", b"\n"])
            | st.binary(max_size=20),
            max_size=7,
        ),
        st.binary(max_size=30),
    ),
    st.builds(
        lambda command, family, body, size: v2(command, family, body, size=size),
        st.integers(0, 15),
        st.integers(0, 255),
        st.binary(max_size=260),
        st.integers(0, 65535) | st.none(),
    ),
)


@example(b"PROXY " + b"x" * 200)
@example(v2(1, 0x11, FOUR + bytes(5000)))
@given(LIKE_HEADERS)
def test_the_answer_does_not_hang_on_the_parts(data: bytes) -> None:
    whole = answer(data)
    answers = [answer(data[:end]) for end in range(len(data) + 1)]
    decided = [each for each in answers if each is not NotYet.NEED_MORE]
    assert all(each == whole for each in decided)
    if isinstance(whole, Header):
        assert answers.index(whole) == whole.consumed  # not a byte more is waited for


@given(
    st.tuples(st.ip_addresses(), st.ip_addresses()).filter(
        lambda two: type(two[0]) is type(two[1])
    ),
    st.tuples(st.integers(0, 65535), st.integers(0, 65535)),
    st.binary(max_size=50),
)
def test_both_versions_say_the_same(
    hosts: tuple[object, object], ports: tuple[int, int], rest: bytes
) -> None:
    client, server = map(str, hosts)
    six = ":" in client
    one = f"PROXY {'TCP6' if six else 'TCP4'} {client} {server} {ports[0]} {ports[1]}\r\n".encode()
    two = v2(1, 0x21 if six else 0x11, inet(client, server, ports))
    for data in (one, two):
        assert read(data + rest) == Header(
            (client, ports[0]), (server, ports[1]), consumed=len(data)
        )


def test_it_is_bounded() -> None:
    for begin in (b"PROXY ", v2(1, 0x11, FOUR, size=4096)):
        assert answer(begin + bytes(MAX_HEADER)) is not NotYet.NEED_MORE
