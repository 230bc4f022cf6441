"""The life of an incident as a table, and the pure decision of every command.

``decide(state, command, ctx)`` gives the events and the answer, or raises
:class:`~incident_manager.actors.errors.Refused`; it reads no clock and changes nothing.
"""

from collections.abc import Callable, Mapping
from typing import Any

from attrs import fields_dict

from incident_manager.actors import commands as c
from incident_manager.actors.alerting import alert_needs, decide_alert, scope_of
from incident_manager.actors.decision import Context, Decision, found, succeed
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.journal.base import Needs
from incident_manager.actors.model import Comment, Incident, Record, Resolution, fingerprint
from incident_manager.actors.redaction import Redaction, Scope, redact_incident
from incident_manager.actors.selectors import bears
from incident_manager.actors.state import WorkingSet
from incident_manager.actors.vocabulary import (
    ACTIVE_STATES,
    IncidentState,
    Kind,
    ResolutionMethod,
)

__all__ = ["TRANSITIONS", "decide", "needs"]

TRANSITIONS: Mapping[IncidentState, frozenset[IncidentState]] = {
    **{state: ACTIVE_STATES | {IncidentState.RESOLVED} for state in ACTIVE_STATES},
    IncidentState.RESOLVED: frozenset({IncidentState.CLOSED, IncidentState.INVESTIGATING}),
    IncidentState.CLOSED: frozenset({IncidentState.INVESTIGATING}),
}
"""State -> the states it may go to (contract, section 5)."""


def needs(command: c.Command, ctx: Context) -> Needs:
    """What :func:`decide` must be able to look up."""
    if isinstance(command, c.SubmitAlert):
        return alert_needs(command, ctx)
    if isinstance(command, c.CreateIncident):
        return Needs()
    if isinstance(command, c.LinkIncidents):
        return Needs(incidents=frozenset({command.id, command.related_id}))
    return Needs(incidents=frozenset({command.id}))


def decide(state: WorkingSet, command: c.Command, ctx: Context) -> Decision:
    """The events that follow from a command within its limits, and its answer."""
    return _DECIDERS[type(command)](state, command, ctx)


def _one(record: Record) -> Decision:
    assert record.incident is not None  # noqa: S101 -- made from an incident
    return Decision((record,), record.incident)


def _no_transition(incident: Incident, what: str) -> Refused:
    return Refused(
        ErrorCode.INVALID_STATE_TRANSITION,
        f"An incident that is {incident.state.value} cannot {what}.",
        "state",
    )


def _move(incident: Incident, to: IncidentState, ctx: Context) -> dict[str, Any]:
    """The changes that a new state brings with it, without a resolution."""
    if to is not incident.state and to not in TRANSITIONS[incident.state]:
        raise _no_transition(incident, f"become {to.value}")
    changes: dict[str, Any] = {"state": to}
    if to is IncidentState.CLOSED and incident.state is not to:
        changes["closed_at"] = ctx.now
    elif to in ACTIVE_STATES and not incident.is_active:
        changes |= {"resolved_at": None, "closed_at": None, "resolution": None}
    return changes


def _resolution(
    ctx: Context, method: ResolutionMethod, notes: str, root_cause: str | None = None
) -> dict[str, Any]:
    resolution = Resolution(ctx.now, ctx.actor, method, notes, root_cause)
    return {"resolved_at": ctx.now, "resolution": resolution}


def _create(state: WorkingSet, command: c.CreateIncident, ctx: Context) -> Decision:
    incident = Incident(
        id=ctx.ids[0],
        title=command.title,
        description=command.description,
        severity=command.severity,
        state=IncidentState.NEW,
        incident_type=command.incident_type,
        source=command.source,
        created_at=ctx.now,
        updated_at=ctx.now,
        fingerprint=fingerprint(
            command.source, command.incident_type, command.title, command.affected_resources
        ),
        assignees=_unique(command.assignees),
        affected_resources=command.affected_resources,
        labels={**command.labels, **ctx.selectors},
        metadata=command.metadata,
        scope=scope_of(ctx),
    )
    record = Record(
        offset=state.head + 1,
        time=ctx.now,
        actor=ctx.actor,
        principal=ctx.principal,
        kind=Kind.CREATE,
        incident=incident,
        trace=ctx.trace,
    )
    return _one(record)


def _unique(names: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(names))


def _update(state: WorkingSet, command: c.UpdateIncident, ctx: Context) -> Decision:
    incident = found(state, ctx, command.id, command.expected_version)
    plain = ("title", "description", "severity", "incident_type", "metadata")
    changes: dict[str, Any] = {
        name: value for name in plain if (value := getattr(command, name)) is not None
    }
    if command.assignees is not None:
        changes["assignees"] = _unique(command.assignees)
    if (command.labels, command.add_labels, command.remove_labels) != (None, None, None):
        changes["labels"] = _relabel(incident, command, ctx)
    if command.state is not None:
        changes |= _move(incident, command.state, ctx)
        if command.state is IncidentState.RESOLVED and incident.is_active:
            changes |= _resolution(ctx, ResolutionMethod.MANUAL, "")
    if not changes:
        raise Refused(ErrorCode.BAD_USER_INPUT, "input names nothing to change", "input")
    return _one(succeed(ctx, state.head, Kind.UPDATE, incident, changes=changes))


def _relabel(incident: Incident, command: c.UpdateIncident, ctx: Context) -> dict[str, str]:
    gone = frozenset(command.remove_labels or ())
    kept = incident.labels if command.labels is None else command.labels
    labels = {k: v for k, v in kept.items() if k not in gone}
    labels |= {**(command.add_labels or {}), **ctx.selectors}
    if len(labels) > 64:
        name = "labels" if command.labels is not None else "addLabels"
        raise Refused(
            ErrorCode.BAD_USER_INPUT,
            f"{name} would leave {len(labels)} labels; at most 64 are kept",
            name,
        )
    return labels


def _acknowledge(state: WorkingSet, command: c.AcknowledgeIncident, ctx: Context) -> Decision:
    incident = found(state, ctx, command.id, command.expected_version)
    if not incident.is_active:
        raise _no_transition(incident, "be acknowledged")
    changes: dict[str, Any] = {}
    if incident.acknowledged_at is None:  # the first to see it is the one who counts
        changes = {"acknowledged_at": ctx.now, "acknowledged_by": ctx.actor}
    if incident.state is IncidentState.NEW:
        changes["state"] = IncidentState.INVESTIGATING
    return _one(succeed(ctx, state.head, Kind.ACKNOWLEDGE, incident, changes=changes))


def _assign(state: WorkingSet, command: c.AssignIncident, ctx: Context) -> Decision:
    incident = found(state, ctx, command.id, command.expected_version)
    changes = {"assignees": _unique(command.assignees)}
    return _one(succeed(ctx, state.head, Kind.ASSIGN, incident, changes=changes))


def _comment(state: WorkingSet, command: c.AddComment, ctx: Context) -> Decision:
    incident = found(state, ctx, command.id)
    comment = Comment(ctx.ids[0], ctx.actor, command.content, ctx.now)
    return _one(succeed(ctx, state.head, Kind.COMMENT, incident, comment=comment))


def _escalate(state: WorkingSet, command: c.EscalateIncident, ctx: Context) -> Decision:
    incident = found(state, ctx, command.id, command.expected_version)
    if not incident.is_active:
        raise _no_transition(incident, "be escalated")
    if command.severity.rank > incident.severity.rank:
        raise Refused(
            ErrorCode.BAD_USER_INPUT,
            f"newSeverity {command.severity.value} would lower {incident.severity.value}; "
            "an escalation never does",
            "newSeverity",
        )
    changes = {"severity": command.severity}
    record = succeed(
        ctx, state.head, Kind.ESCALATE, incident, changes=changes, reason=command.reason
    )
    return _one(record)


def _link(state: WorkingSet, command: c.LinkIncidents, ctx: Context) -> Decision:
    if command.id == command.related_id:
        raise Refused(ErrorCode.BAD_USER_INPUT, "relatedId names the incident itself", "relatedId")
    near = found(state, ctx, command.id)
    far = found(state, ctx, command.related_id, field="relatedId")
    first = succeed(ctx, state.head, Kind.LINK, near, related_id=far.id)
    second = succeed(ctx, state.head + 1, Kind.LINK, far, related_id=near.id)
    return Decision((first, second), _one(first).outcome)


def _resolve(state: WorkingSet, command: c.ResolveIncident, ctx: Context) -> Decision:
    incident = found(state, ctx, command.id, command.expected_version)
    if not incident.is_active:
        raise _no_transition(incident, "be resolved")
    changes = _move(incident, IncidentState.RESOLVED, ctx)
    changes |= _resolution(ctx, command.method, command.notes, command.root_cause)
    return _one(succeed(ctx, state.head, Kind.RESOLVE, incident, changes=changes))


def _close(state: WorkingSet, command: c.CloseIncident, ctx: Context) -> Decision:
    incident = found(state, ctx, command.id, command.expected_version)
    if incident.state is not IncidentState.RESOLVED:
        raise _no_transition(incident, "be closed")
    changes = _move(incident, IncidentState.CLOSED, ctx)
    return _one(succeed(ctx, state.head, Kind.CLOSE, incident, changes=changes))


def _reopen(state: WorkingSet, command: c.ReopenIncident, ctx: Context) -> Decision:
    incident = found(state, ctx, command.id, command.expected_version)
    if incident.is_active:
        raise _no_transition(incident, "be reopened")
    changes = _move(incident, IncidentState.INVESTIGATING, ctx)
    record = succeed(ctx, state.head, Kind.REOPEN, incident, changes=changes, reason=command.reason)
    return _one(record)


def _redact(state: WorkingSet, command: c.RedactIncident, ctx: Context) -> Decision:
    incident = found(state, ctx, command.id, command.expected_version)
    unknown = [each for each in command.scope if each.upper() not in Scope.__members__]
    if unknown:
        known = ", ".join(Scope.__members__)
        raise Refused(
            ErrorCode.BAD_USER_INPUT, f"fields has {unknown[0]!r}; known are {known}", "fields"
        )
    scope = frozenset(Scope[each.upper()] for each in command.scope) or frozenset(Scope)
    redaction = Redaction(incident.id, scope, command.label_patterns)
    after = redact_incident(incident, redaction)
    if not bears(after.labels, ctx.selectors):
        what = "labels names one that you are confined by; it stays"
        raise Refused(ErrorCode.BAD_USER_INPUT, what, "labels")
    changes = {name: getattr(after, name) for name in fields_dict(Incident)}
    record = succeed(ctx, state.head, Kind.REDACT, incident, changes=changes, reason=command.reason)
    return Decision((record,), _one(record).outcome, (redaction,))


_DECIDERS: Mapping[type, Callable[[WorkingSet, Any, Context], Decision]] = {
    c.SubmitAlert: decide_alert,
    c.CreateIncident: _create,
    c.UpdateIncident: _update,
    c.AcknowledgeIncident: _acknowledge,
    c.AssignIncident: _assign,
    c.AddComment: _comment,
    c.EscalateIncident: _escalate,
    c.LinkIncidents: _link,
    c.ResolveIncident: _resolve,
    c.CloseIncident: _close,
    c.ReopenIncident: _reopen,
    c.RedactIncident: _redact,
}
