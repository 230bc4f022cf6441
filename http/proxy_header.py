"""The PROXY protocol, versions 1 and 2: whom a proxy in front speaks for.

A proxy that forwards bytes, and does not look into them, says who its client is in a header before
the first of them. Sans-IO: :func:`read` is given all the bytes that a connection has begun with,
and says what they are. See "The PROXY protocol" (haproxy.org, doc/proxy-protocol.txt), sections
2.1, 2.2 and 4. To be asked of trusted peers only: anybody can send such a header.
"""

import ipaddress
import re
import struct
from enum import Enum
from typing import Final

from attrs import frozen

__all__ = ["MAX_HEADER", "Endpoint", "Header", "NotYet", "ProxyHeaderError", "read"]

Endpoint = tuple[str, int]
"""An IP address, as :mod:`ipaddress` writes it, and a port."""

_V1: Final = b"PROXY "
_V1_MOST: Final = 107  # bytes of the longest line, its CRLF included (section 2.1)
_V2: Final = b"\r\n\r\n\0\r\nQUIT\n"
_V2_FIXED: Final = 16  # the signature, version and command, family and transport, length
_V2_BODY_MOST: Final = 4096  # bytes of addresses and TLVs; the protocol allows 65,535

MAX_HEADER: Final = _V2_FIXED + _V2_BODY_MOST
"""Bytes of the longest header that is taken. More need never be kept to call :func:`read`."""

_PORT: Final = re.compile(rb"0|[1-9][0-9]{0,4}")
_LOCAL, _PROXY = 0, 1
# The family of addresses (high four bits) to the form of a pair of them with their ports.
_INET: Final = {1: struct.Struct("!4s4sHH"), 2: struct.Struct("!16s16sHH")}
_FAMILIES: Final = range(4)  # unspecified, IPv4, IPv6, Unix
_TRANSPORTS: Final = range(3)  # unspecified, stream, datagram
_UNIX: Final = 3
_UNIX_BODY: Final = 216  # two paths of 108 bytes


class ProxyHeaderError(Exception):
    """The bytes begin as a PROXY header does and are none: the connection must be closed."""


class NotYet(Enum):
    """What :func:`read` says where there is no header."""

    NEED_MORE = "need more"
    """They may be the beginning of one."""
    NOT_PROXY = "not proxy"
    """They are something else: what the connection is for."""


@frozen
class Header:
    """A whole header.

    ``client`` and ``server`` are who opened the proxied connection, and where to; None where the
    proxy speaks for itself (a health check: LOCAL), does not know (UNKNOWN, UNSPEC) or was reached
    by a Unix socket. Then the connection's own addresses stand. What comes after the first
    ``consumed`` bytes is the connection's.
    """

    client: Endpoint | None
    server: Endpoint | None
    consumed: int


def read(data: bytes | bytearray) -> Header | NotYet:
    """What ``data``, all that a connection has sent so far, begins with.

    However the bytes come in parts, the answer is the same, once it is not NEED_MORE; it is never
    that for more than :data:`MAX_HEADER` bytes.

    Raises:
        ProxyHeaderError: it begins with a header that is malformed, longer than is taken, or of
            another version.
    """
    for signature, header in ((_V1, _read_v1), (_V2, _read_v2)):
        begin = data[: len(signature)]
        if begin == signature:
            return header(bytes(data[:MAX_HEADER]))
        if signature.startswith(begin):
            return NotYet.NEED_MORE
    return NotYet.NOT_PROXY


def _read_v1(data: bytes) -> Header | NotYet:
    line, end, _ = data[:_V1_MOST].partition(b"\r\n")
    if not end:
        if len(data) >= _V1_MOST:
            raise ProxyHeaderError(f"the line of PROXY v1 does not end in {_V1_MOST} bytes")
        return NotYet.NEED_MORE
    consumed = len(line) + len(end)
    match line.split(b" "):
        case [_, b"UNKNOWN", *_]:
            return Header(None, None, consumed)
        case [_, b"TCP4", source, target, from_port, to_port]:
            version: type[ipaddress.IPv4Address | ipaddress.IPv6Address] = ipaddress.IPv4Address
        case [_, b"TCP6", source, target, from_port, to_port]:
            version = ipaddress.IPv6Address
        case _:
            raise ProxyHeaderError("the line of PROXY v1 is not of its form")
    hosts = [_address(version, text) for text in (source, target)]
    ports = [_port(text) for text in (from_port, to_port)]
    return Header((hosts[0], ports[0]), (hosts[1], ports[1]), consumed)


def _address(version: type[ipaddress.IPv4Address | ipaddress.IPv6Address], text: bytes) -> str:
    try:
        found = version(text.decode("ascii"))
    except ValueError as error:  # UnicodeDecodeError is one too
        raise ProxyHeaderError("PROXY v1 has no address where one belongs") from error
    if b"%" in text:
        raise ProxyHeaderError("PROXY v1 has an address with a zone")
    return str(found)


def _port(text: bytes) -> int:
    if not _PORT.fullmatch(text) or int(text) > 65535:
        raise ProxyHeaderError("PROXY v1 has no port where one belongs")
    return int(text)


def _read_v2(data: bytes) -> Header | NotYet:
    if len(data) < _V2_FIXED:
        return NotYet.NEED_MORE
    version_command, family_transport, size = struct.unpack_from("!BBH", data, len(_V2))
    version, command = divmod(version_command, 16)
    if version != 2 or command not in (_LOCAL, _PROXY):
        raise ProxyHeaderError(f"PROXY of version {version}, command {command}, is not known")
    if size > _V2_BODY_MOST:
        raise ProxyHeaderError(f"PROXY v2 of {size} bytes is longer than {_V2_BODY_MOST}")
    family, transport = divmod(family_transport, 16)
    proxied = command == _PROXY  # for LOCAL the family is ignored, whatever it says
    if proxied and (family not in _FAMILIES or transport not in _TRANSPORTS):
        raise ProxyHeaderError(f"PROXY v2 has the unknown family {family_transport:#04x}")
    inet = _INET.get(family) if proxied and transport else None
    least = _UNIX_BODY if proxied and transport and family == _UNIX else inet.size if inet else 0
    if size < least:
        raise ProxyHeaderError("PROXY v2 is too short for its addresses")
    consumed = _V2_FIXED + size
    if len(data) < consumed:
        return NotYet.NEED_MORE
    if inet is None:
        return Header(None, None, consumed)
    source, target, from_port, to_port = inet.unpack_from(data, _V2_FIXED)
    return Header(
        (str(ipaddress.ip_address(source)), from_port),
        (str(ipaddress.ip_address(target)), to_port),
        consumed,
    )
