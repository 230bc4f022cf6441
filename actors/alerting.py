"""What becomes of an alert: a new incident, one more line in an old one, or its end.

The contract's section 5: an alert with a source key follows its key at any age; one without
joins the active incident of its fingerprint that was created within the window.
"""

import msgspec
from attrs import evolve

from incident_manager.actors.commands import SubmitAlert
from incident_manager.actors.decision import Context, Decision, succeed
from incident_manager.actors.journal.base import Needs
from incident_manager.actors.model import Ack, Alert, Incident, Record, Resolution, fingerprint
from incident_manager.actors.selectors import bears
from incident_manager.actors.state import WorkingSet
from incident_manager.actors.vocabulary import (
    AckStatus,
    AlertStatus,
    IncidentState,
    Kind,
    ResolutionMethod,
)

__all__ = ["alert_needs", "decide_alert", "scope_of"]


def scope_of(ctx: Context) -> str:
    """The deduplication scope of a principal: alerts of two tenants never meet."""
    if not ctx.selectors:
        return ""
    return msgspec.json.encode(sorted(ctx.selectors.items())).decode()


def _fingerprint(command: SubmitAlert) -> str:
    return fingerprint(
        command.source, command.incident_type, command.title, command.affected_services
    )


def alert_needs(command: SubmitAlert, ctx: Context) -> Needs:
    """What must be known before :func:`decide_alert`."""
    scope = scope_of(ctx)
    keys = frozenset() if command.source_key is None else frozenset({(scope, command.source_key)})
    return Needs(fingerprints=frozenset({(scope, _fingerprint(command))}), keys=keys)


def decide_alert(state: WorkingSet, command: SubmitAlert, ctx: Context) -> Decision:
    """One alert is always one event."""
    alert = _alert(command, ctx)
    if command.resolved:
        return _resolved(state, alert, ctx)
    keyed = _of_key(state, alert, ctx)
    if keyed is not None:
        if keyed.is_active:
            same = keyed.fingerprint == alert.fingerprint
            status = AlertStatus.DEDUPLICATED if same else AlertStatus.MERGED
            return _join(state, keyed, evolve(alert, status=status), ctx)
        if _reopens(keyed, ctx):
            return _refire(state, keyed, evolve(alert, status=AlertStatus.MERGED), ctx)
    twin = state.active(alert.scope, alert.fingerprint, ctx.selectors)
    if twin is not None and ctx.now - twin.created_at <= ctx.window:
        return _join(state, twin, evolve(alert, status=AlertStatus.DEDUPLICATED), ctx)
    return _create(state, alert, ctx)


def _alert(command: SubmitAlert, ctx: Context) -> Alert:
    alert_id = ctx.ids[0]
    return Alert(
        id=alert_id,
        external_id=command.external_id if command.external_id is not None else alert_id,
        source=command.source,
        title=command.title,
        description=command.description,
        severity=command.severity,
        alert_type=command.alert_type,
        incident_type=command.incident_type,
        timestamp=ctx.now if command.timestamp is None else command.timestamp,
        received_at=ctx.now,
        status=AlertStatus.CREATED_INCIDENT,
        fingerprint=_fingerprint(command),
        labels={**command.labels, **ctx.selectors},
        affected_services=command.affected_services,
        annotations=command.annotations,
        runbook_url=command.runbook_url,
        source_key=command.source_key,
        scope=scope_of(ctx),
    )


def _of_key(state: WorkingSet, alert: Alert, ctx: Context) -> Incident | None:
    """The incident of an alert's source key. One whose labels were changed, so that it is not the
    principal's any more, does not count: the alert makes another.
    """
    if alert.source_key is None:
        return None
    known = state.key(alert.scope, alert.source_key)
    found = None if known is None else state.incident(known.incident_id)
    return found if found is not None and bears(found.labels, ctx.selectors) else None


def _reopens(incident: Incident, ctx: Context) -> bool:
    # CLOSED is somebody's last word: what fires after it is a new incident.
    if incident.state is not IncidentState.RESOLVED or incident.resolved_at is None:
        return False
    return ctx.now - incident.resolved_at <= ctx.window


def _ack(alert: Alert, status: AckStatus, message: str) -> Ack:
    return Ack(alert.id, alert.incident_id, status, message, alert.received_at)


def _create(state: WorkingSet, alert: Alert, ctx: Context) -> Decision:
    incident = Incident(
        id=ctx.ids[1],
        title=alert.title,
        description=alert.description,
        severity=alert.severity,
        state=IncidentState.NEW,
        incident_type=alert.incident_type,
        source=alert.source,
        created_at=ctx.now,
        updated_at=ctx.now,
        fingerprint=alert.fingerprint,
        affected_resources=alert.affected_services,
        labels=alert.labels,
        alert_count=1,
        scope=alert.scope,
    )
    alert = evolve(alert, incident_id=incident.id)
    record = Record(
        offset=state.head + 1,
        time=ctx.now,
        actor=ctx.actor,
        principal=ctx.principal,
        kind=Kind.ALERT,
        incident=incident,
        alert=alert,
        trace=ctx.trace,
    )
    return Decision((record,), _ack(alert, AckStatus.ACCEPTED, "Incident created."))


def _join(state: WorkingSet, incident: Incident, alert: Alert, ctx: Context) -> Decision:
    alert = evolve(alert, incident_id=incident.id)
    changes = {"alert_count": incident.alert_count + 1}
    record = succeed(ctx, state.head, Kind.ALERT, incident, version=0, changes=changes, alert=alert)
    return Decision((record,), _ack(alert, AckStatus.DUPLICATE, "Joined an active incident."))


def _refire(state: WorkingSet, incident: Incident, alert: Alert, ctx: Context) -> Decision:
    alert = evolve(alert, incident_id=incident.id)
    changes = {
        "alert_count": incident.alert_count + 1,
        "state": IncidentState.INVESTIGATING,
        "resolved_at": None,
        "resolution": None,
    }
    reason = "The alert fires again."
    record = succeed(
        ctx, state.head, Kind.ALERT, incident, changes=changes, alert=alert, reason=reason
    )
    return Decision((record,), _ack(alert, AckStatus.ACCEPTED, "Incident reopened."))


def _resolved(state: WorkingSet, alert: Alert, ctx: Context) -> Decision:
    key = None if alert.source_key is None else state.key(alert.scope, alert.source_key)
    incident = _of_key(state, alert, ctx)
    if key is None or incident is None:
        return _ignore(state, alert, ctx)
    alert = evolve(alert, incident_id=incident.id, status=AlertStatus.RESOLVED)
    last = key.firing and state.firing(incident.id) == 1
    changes: dict[str, object] = {"alert_count": incident.alert_count + 1}
    if not (last and incident.is_active):
        record = succeed(
            ctx, state.head, Kind.ALERT, incident, version=0, changes=changes, alert=alert
        )
        return Decision((record,), _ack(alert, AckStatus.ACCEPTED, "Alert resolved."))
    changes |= {
        "state": IncidentState.RESOLVED,
        "resolved_at": ctx.now,
        "resolution": Resolution(
            resolved_at=ctx.now,
            resolved_by=ctx.actor,
            method=ResolutionMethod.AUTOMATED,
            notes="Its last firing alert is resolved.",
        ),
    }
    record = succeed(ctx, state.head, Kind.ALERT, incident, changes=changes, alert=alert)
    return Decision((record,), _ack(alert, AckStatus.ACCEPTED, "Incident resolved."))


def _ignore(state: WorkingSet, alert: Alert, ctx: Context) -> Decision:
    alert = evolve(alert, status=AlertStatus.IGNORED)
    record = Record(
        offset=state.head + 1,
        time=ctx.now,
        actor=ctx.actor,
        principal=ctx.principal,
        kind=Kind.ALERT,
        incident=None,
        alert=alert,
        trace=ctx.trace,
    )
    return Decision((record,), _ack(alert, AckStatus.ACCEPTED, "Nothing to resolve."))
