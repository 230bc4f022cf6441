"""Identifiers: UUIDs of version 7, so that newer ones sort after older ones."""

import os

from incident_manager.actors.model import Micros

__all__ = ["new_id", "uuid7"]


def uuid7(now: Micros, random: bytes) -> str:
    """A UUID of version 7 (RFC 9562, section 5.7) from a time and 10 random bytes.

    The 12 bits after the milliseconds carry the microseconds (method 3 of section 6.2).
    """
    millis, micros = divmod(now, 1000)
    high = (millis & 0xFFFFFFFFFFFF) << 16 | 0x7000 | (micros << 2 | random[0] & 3)
    low = 1 << 63 | int.from_bytes(random[1:9], "big") & 0x3FFFFFFFFFFFFFFF
    text = f"{high:016x}{low:016x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def new_id(now: Micros) -> str:
    """A new identifier at a time."""
    return uuid7(now, os.urandom(10))
