"""Places in lists: the opaque text behind an item, from which the next page goes on.

A place is the item's sort key with the name of its list, so that it cannot be used with another:
base64url of a JSON array.
"""

import base64
import binascii
from collections.abc import Sequence

import msgspec

__all__ = [
    "INT64",
    "PlaceKey",
    "check_first",
    "check_place",
    "decode_place",
    "encode_place",
    "int64",
]

PlaceKey = tuple[int | str, ...]
"""What an item is sorted by: numbers, and mostly an id last."""

INT64 = (1 << 63) - 1
"""The greatest number that a column can hold."""

_NO_PLACE = "after is not a cursor of this list"


def encode_place(name: Sequence[object], key: PlaceKey) -> str:
    """The text for the place behind the item with that sort key, in the list of that name."""
    body = msgspec.json.encode([*name, *key])
    return base64.urlsafe_b64encode(body).decode().rstrip("=")


def decode_place(text: str, name: Sequence[object], form: Sequence[type]) -> PlaceKey:
    """The sort key in a place; raises ValueError if it is none, or of another list.

    ``form`` has the types of the key's parts. Numbers are below 2**63.
    """
    try:
        padded = text.encode("ascii") + b"=" * (-len(text) % 4)
        body = msgspec.json.decode(base64.b64decode(padded, altchars=b"-_", validate=True))
    except (binascii.Error, UnicodeError, msgspec.DecodeError) as error:
        raise ValueError(_NO_PLACE) from error
    types = [*map(type, name), *form]
    if not isinstance(body, list) or [type(each) for each in body] != types:
        raise ValueError(_NO_PLACE)
    if body[: len(name)] != list(name):
        raise ValueError(f"{_NO_PLACE}: it belongs to another one")
    key = tuple(body[len(name) :])
    if any(isinstance(each, int) and abs(each) > INT64 for each in key):
        raise ValueError(_NO_PLACE)
    return key


def int64(number: int) -> int:
    """The number, or the nearest one that a column can be compared with."""
    return max(-INT64, min(INT64, number))


def check_place(page: int, size: int, after: str | None) -> None:
    """Raise ValueError for a page, size or combination that cannot be answered."""
    if not 1 <= size <= 100:
        raise ValueError(f"size is {size}; it must be 1 to 100")
    if page < 0:
        raise ValueError(f"page is {page}; it cannot be below 0")
    if page * size >= INT64:
        raise ValueError("page is beyond every list")
    if page and after is not None:
        raise ValueError("page and after exclude each other")


def check_first(first: int) -> None:
    """Raise ValueError unless ``first`` is 1 to 100."""
    if not 1 <= first <= 100:
        raise ValueError(f"first is {first}; it must be 1 to 100")
