"""The caller's token: where it comes from, how long it is good, when to renew it."""

import base64
import binascii
import inspect
import math
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import TypeAlias

import msgspec

__all__ = ["TokenSource", "authorization", "expiry_of", "fetch", "read_moment", "renew_in"]

TokenSource: TypeAlias = str | Callable[[], Awaitable[str] | str]
"""A token, or what gets one: called at each connect and before the token in use expires."""

_LEAD = 60.0  # seconds before the end, at the most
_SHARE = 0.2  # of what is left
_TOO_LATE = 0.05  # seconds: the server will have closed before a renewal arrives


async def fetch(source: TokenSource | None) -> str | None:
    """Return a token, without a ``Bearer`` in front of it. Raises what the source raises.

    Raises:
        TypeError: the source gave no text.
    """
    given = source() if callable(source) else source
    token = await given if inspect.isawaitable(given) else given
    if token is None and source is None:
        return None
    if not isinstance(token, str):
        raise TypeError(f"the source of tokens gave {type(token).__name__}, not text")
    scheme, _, rest = token.strip().partition(" ")
    return rest.strip() if scheme.lower() == "bearer" else token.strip()


def authorization(token: str | None) -> str | None:
    """What goes into ``Authorization`` (RFC 6750)."""
    return None if token is None else f"Bearer {token}"


def expiry_of(token: str) -> float | None:
    """Return ``exp`` of a JWT, seconds since 1970, or None: no JWT, or none in it.

    The signature is not looked at: whether the token is good is for the server to say.
    """
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        text = base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4))
        claims = msgspec.json.decode(text)
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return None
    found = claims.get("exp") if isinstance(claims, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    return float(found)


def read_moment(text: object) -> float | None:
    """Read a DateTime (RFC 3339) of the server's as seconds since 1970; None if it is none."""
    try:
        return datetime.fromisoformat(text).timestamp() if isinstance(text, str) else None
    except ValueError:
        return None


def renew_in(remaining: float) -> float:
    """Seconds to wait before the renewal of a token that is good for ``remaining`` seconds.

    A fifth of the time before the end, at most a minute; so a renewal that fails is tried again,
    each time after four fifths of what is left. Infinite where it is too late.
    """
    if remaining < _TOO_LATE:
        return math.inf
    return remaining - min(_LEAD, remaining * _SHARE)
