"""Answers to whole requests, and how they are kept for an idempotency key."""

from collections.abc import Mapping

import msgspec
from attrs import field, frozen

from incident_manager.actors.decision import Outcome
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.model import Ack, Incident, Micros
from incident_manager.actors.redaction import Redaction, redact_incident

__all__ = ["ANSWER_LIFETIME", "Caller", "IdempotencyKey", "Result", "decode", "encode", "redact"]

ANSWER_LIFETIME: Micros = 24 * 3600 * 1_000_000
"""How long the answer of an idempotency key is kept (contract, section 5)."""

Result = Outcome | Refused
"""What became of one command of a request."""


@frozen
class Caller:
    """On whose behalf a request is made.

    ``actor`` is shown to people, ``principal`` is the authenticated subject, ``selectors`` are
    the labels it is confined to, ``trace`` is the W3C ``traceparent`` it came with.
    """

    actor: str
    principal: str
    selectors: Mapping[str, str] = field(factory=dict)
    trace: str | None = None


@frozen
class IdempotencyKey:
    """The whole name of a key (principal, route and key), and a digest of the request's body."""

    name: str
    digest: str


@frozen
class _Refusal:
    code: ErrorCode
    message: str
    field: str | None


@frozen
class _Stored:
    ack: Ack | None = None
    incident: Incident | None = None
    refusal: _Refusal | None = None


def encode(results: tuple[Result, ...]) -> bytes:
    """Results as they are stored."""
    return msgspec.json.encode([_store(result) for result in results])


def _store(result: Result) -> _Stored:
    if isinstance(result, Ack):
        return _Stored(ack=result)
    if isinstance(result, Incident):
        return _Stored(incident=result)
    return _Stored(refusal=_Refusal(result.code, result.message, result.field))


def decode(body: bytes) -> tuple[Result, ...]:
    """The results that :func:`encode` stored."""
    return tuple(_load(stored) for stored in msgspec.json.decode(body, type=list[_Stored]))


def _load(stored: _Stored) -> Result:
    if stored.refusal is not None:
        return Refused(stored.refusal.code, stored.refusal.message, stored.refusal.field)
    outcome = stored.ack or stored.incident
    assert outcome is not None  # noqa: S101 -- one of the three is always stored
    return outcome


def redact(body: bytes, redaction: Redaction) -> bytes:
    """A stored answer without what a redaction takes away of its incident."""
    return encode(
        tuple(
            redact_incident(each, redaction)
            if isinstance(each, Incident) and each.id == redaction.incident_id
            else each
            for each in decode(body)
        )
    )
