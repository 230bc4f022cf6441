"""Many alerts in one request: each is read, taken in and answered in its own place."""

import hashlib
import os
from collections.abc import Callable, Sequence
from itertools import chain, repeat
from typing import Final
from uuid import UUID

import trio
from attrs import evolve

from incident_manager.actors.answers import IdempotencyKey, Result
from incident_manager.actors.commands import SubmitAlert
from incident_manager.actors.errors import Refused
from incident_manager.actors.model import Ack
from incident_manager.actors.vocabulary import AckStatus
from incident_manager.http.rates import RateLimited
from incident_manager.http.rest.idempotency import ask
from incident_manager.http.rest.problems import FieldError, InvalidFields
from incident_manager.http.serving import session

__all__ = ["AT_ONCE", "take_in"]

AT_ONCE: Final = 1_000
"""How many alerts are one transaction."""

_LATE: Final = RateLimited("This came when too much was sent (limits.requests_per_minute).", 1)
_TURN: Final = 100  # alerts read until others have their turn


async def take_in(
    given: Sequence[object],
    read: Callable[[object], SubmitAlert],
    key: IdempotencyKey | None,
    *,
    counted: bool = False,
) -> list[Ack]:
    """An ack for each of ``given``, in order. What cannot be read, or is refused, is REJECTED.

    Each alert but the first counts as a request does. With ``counted`` what is beyond the limit
    is RATE_LIMITED, and not taken in. Without, for senders that read no acks, all are taken in:
    the next request is refused, and such a sender tries that again.

    ``read`` raises :class:`Refused` for what is no alert. Raises as :func:`ask` does: what was
    taken in until then is answered from the key when the request is sent again.
    """
    commands: list[SubmitAlert] = []
    wrong: dict[int, Refused] = {}
    for place, item in enumerate(given):
        if place % _TURN == _TURN - 1:
            await trio.lowlevel.checkpoint()
        try:
            commands.append(read(item))
        except Refused as refusal:
            wrong[place] = refusal
    fit, late = session().let_in(len(commands))
    if not counted:
        fit, late = len(commands), None
    # An answer that is given again has as many results as it had then, whatever fits now: what
    # was taken in comes first.
    answers = chain(await _asked(commands[:fit], key), repeat(late or _LATE))
    results = [wrong[place] if place in wrong else next(answers) for place in range(len(given))]
    # What was refused came when the others did.
    times = (result.received_at for result in results if isinstance(result, Ack))
    now = next(times, None) or session().now()
    seed = os.urandom(32) if key is None else f"{key.name}\n{key.digest}".encode()
    return [
        result
        if isinstance(result, Ack)
        else Ack(_id(seed, place), None, _status(result), _reason(result), now)
        for place, result in enumerate(results)
    ]


async def _asked(commands: Sequence[SubmitAlert], key: IdempotencyKey | None) -> list[Result]:
    results: list[Result] = []
    for start in range(0, max(len(commands), 1), AT_ONCE):
        part = key if key is None or start == 0 else evolve(key, name=f"{key.name}+{start}")
        results += (await ask(commands[start : start + AT_ONCE], part)).results
    return results


def _status(result: object) -> AckStatus:
    return AckStatus.RATE_LIMITED if isinstance(result, RateLimited) else AckStatus.REJECTED


def _reason(result: object) -> str:
    if not isinstance(result, Refused):
        raise TypeError(f"an alert was answered with {type(result).__name__}")
    blamed = None if isinstance(result, InvalidFields) else FieldError.of(result)
    return result.message if blamed is None else f"{blamed.message}."


def _id(seed: bytes, place: int) -> str:
    """An id for an alert that was not taken in: the same whenever its request is answered."""
    digest = hashlib.sha256(seed + b"\n%d" % place).digest()
    return str(UUID(bytes=digest[:16], version=4))
