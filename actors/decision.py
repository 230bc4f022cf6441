"""What a decision gets and gives: the context of a command, and the events that follow."""

from collections.abc import Mapping
from typing import Any

from attrs import evolve, field, frozen

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.model import Ack, Before, Incident, Micros, Record
from incident_manager.actors.redaction import Redaction
from incident_manager.actors.selectors import bears
from incident_manager.actors.state import WorkingSet
from incident_manager.actors.vocabulary import Kind

__all__ = ["Context", "Decision", "Outcome", "found", "succeed"]

Outcome = Ack | Incident
"""What a command is answered with."""


@frozen
class Context:
    """Who asks, when, and the chance that a pure function must be handed.

    ``ids`` are two fresh identifiers, ``window`` is the deduplication window in microseconds,
    ``selectors`` are the labels that confine the principal.
    """

    now: Micros
    actor: str
    principal: str
    ids: tuple[str, str]
    window: Micros = 900_000_000
    trace: str | None = None
    selectors: Mapping[str, str] = field(factory=dict)


@frozen
class Decision:
    """The events of one command, and its answer."""

    records: tuple[Record, ...]
    outcome: Outcome
    redactions: tuple[Redaction, ...] = ()
    """What the journal must take away of the events before."""


def found(
    state: WorkingSet,
    ctx: Context,
    incident_id: str,
    expected_version: int | None = None,
    *,
    field: str = "id",
) -> Incident:
    """The incident that a command names in ``field``.

    Raises :class:`Refused`: NOT_FOUND, also for one outside the principal's selectors, and
    CONFLICT where its version is not the expected one.
    """
    incident = state.incident(incident_id)
    if incident is None or not bears(incident.labels, ctx.selectors):
        raise Refused(ErrorCode.NOT_FOUND, f"There is no incident {incident_id}.", field)
    if expected_version is not None and incident.version != expected_version:
        raise Refused(
            ErrorCode.CONFLICT,
            f"The incident is at version {incident.version}, not {expected_version}.",
            "expectedVersion",
        )
    return incident


# Fields that change with every event and so say nothing in changed_fields.
_SILENT = frozenset({"updated_at", "version"})
_FIELDS = tuple(f for f in Incident.__annotations__ if f not in _SILENT)


def succeed(
    ctx: Context,
    offset: int,
    kind: Kind,
    before: Incident,
    *,
    version: int = 1,
    changes: Mapping[str, object] | None = None,
    **extra: Any,
) -> Record:
    """The event after ``offset`` in which ``before`` takes on ``changes``.

    ``version`` is what the event adds to the incident's version; ``extra`` are further fields
    of the record.
    """
    new: dict[str, Any] = dict(changes or {})
    new["updated_at"] = max(ctx.now, before.updated_at)
    new["version"] = before.version + version
    after = evolve(before, **new)
    changed = tuple(f for f in _FIELDS if getattr(before, f) != getattr(after, f))
    return Record(
        offset=offset + 1,
        time=ctx.now,
        actor=ctx.actor,
        principal=ctx.principal,
        kind=kind,
        incident=after,
        before=Before(before.state, before.severity, before.assignees),
        changed=changed,
        trace=ctx.trace,
        **extra,
    )
