"""Idempotency keys: the same request twice is one change (contract, section 5)."""

import hashlib
import re
from collections.abc import Sequence
from typing import Final

import msgspec

from incident_manager.actors.answers import IdempotencyKey
from incident_manager.actors.commands import Command
from incident_manager.actors.registry import Answered
from incident_manager.http.auth import Principal
from incident_manager.http.exchange import current
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.http.serving import change_in_time, session

__all__ = ["HEADER", "REPLAYED", "ask", "named", "request_key"]

HEADER: Final = "Idempotency-Key"
REPLAYED: Final = "Idempotency-Replayed"

_FORM: Final = re.compile(r"[!-~]{1,255}")


def named(
    keys: Sequence[str], principal: str | Sequence[object], method: str, path: str, body: bytes
) -> IdempotencyKey | None:
    """The whole name of a request's key: of one principal, on one route; None without a key.

    ``principal`` is the name, or all that tells one caller from another of the same name.

    ``keys`` are the header's values. Raises :class:`InvalidFields` for more than one, and for
    one that is not 1 to 255 characters of visible ASCII.
    """
    if not keys:
        return None
    if len(keys) > 1 or not _FORM.fullmatch(keys[0]):
        what = f"{HEADER} must be given once, with 1 to 255 characters of visible ASCII"
        raise InvalidFields([FieldError(HEADER, what)])
    name = msgspec.json.encode([principal, method, path, keys[0]]).decode()
    return IdempotencyKey(name, hashlib.sha256(body).hexdigest())


def request_key(body: bytes) -> IdempotencyKey | None:
    """The key of the current request, as :func:`named`."""
    exchange = current()
    keys = exchange.lines.getlist(HEADER)
    if not keys:
        return None
    return named(keys, _who(session().principal), exchange.method, exchange.path, body)


def _who(principal: Principal) -> str | Sequence[object]:
    """One name may be that of several: of a token and of an API key, and of other selectors."""
    if principal.api_key is None and not principal.selectors:
        return principal.name
    return [principal.name, principal.api_key, sorted(principal.selectors.items())]


async def ask(commands: Sequence[Command], key: IdempotencyKey | None) -> Answered:
    """Have commands carried out for the caller, once for each key.

    An answer that was given before is marked by the header ``Idempotency-Replayed``. Raises
    :class:`IdempotencyMismatch` and :class:`Unavailable`.
    """
    with change_in_time():
        answered = await session().request(commands, key)
    current().replayed = answered.replayed
    return answered
