"""The events of graphql-sse, as the bytes of an event stream.

Each function returns whole lines, so whatever comes next may follow. Payloads are JSON of one
line: JSON writes a line end inside a string as ``\\n``.

Sources: PROTOCOL.md of graphql-sse, "Distinct connections mode"; the HTML standard, section 9.2.5,
"Parsing an event stream".
"""

from collections.abc import Mapping
from typing import Final

import msgspec

__all__ = [
    "ALIVE",
    "COMPLETE",
    "cursor_of",
    "next_event",
    "note",
    "retry_after",
    "seen_up_to",
]

COMPLETE: Final = b"event: complete\ndata:\n\n"
"""The last event. Without the ``data`` line a browser would not tell the page of it."""

ALIVE: Final = b":\n"
"""A comment, which says nothing. An empty line behind it would confuse graphql-sse before 2.2."""


def next_event(payload: bytes, cursor: bytes | None = None) -> bytes:
    """A ``next`` with an execution result as JSON; ``cursor`` is what a client resumes from."""
    place = b"" if cursor is None else b"id: %b\n" % cursor
    return b"event: next\n%bdata: %b\n\n" % (place, payload)


def cursor_of(payload: bytes) -> bytes:
    """The cursor of a projector's payload (see ``actors.ports.Projector``): its last string.

    Raises ValueError where the payload does not end with one.
    """
    end = len(payload) - 3
    start = payload.rindex(b'"', 0, end) + 1
    if payload[end:] != b'"}}':
        raise ValueError("the payload does not end with a cursor")
    return payload[start:end]


def note(told: Mapping[str, object]) -> bytes:
    """A comment for who reads comments: clients of graphql-sse know no other events."""
    return b": %b\n" % msgspec.json.encode(told)


def seen_up_to(cursor: str) -> bytes:
    """An id without an event: a browser resumes from it, and its page is told nothing."""
    return b"id: %b\n\n" % cursor.encode()


def retry_after(milliseconds: int) -> bytes:
    """How long a browser waits before it connects again."""
    return b"retry: %d\n" % milliseconds
