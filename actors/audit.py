"""Who did what: the entries of the audit, and how refused sign-ins become few of them.

An entry never bears text that somebody wrote about an incident: it outlives the events, and a
redaction need not look into it.
"""

from collections.abc import Mapping
from enum import StrEnum

from attrs import define, field, frozen

from incident_manager.actors.model import Micros, Record
from incident_manager.actors.vocabulary import Kind

__all__ = ["AuditAction", "AuditEntry", "Refusals", "audit_of"]


class AuditAction(StrEnum):
    """What was done: a change (the kinds of events), or something beside the stream."""

    ALERT = "ALERT"
    CREATE = "CREATE"
    UPDATE = "UPDATE"
    ACKNOWLEDGE = "ACKNOWLEDGE"
    ASSIGN = "ASSIGN"
    COMMENT = "COMMENT"
    ESCALATE = "ESCALATE"
    LINK = "LINK"
    RESOLVE = "RESOLVE"
    CLOSE = "CLOSE"
    REOPEN = "REOPEN"
    REDACT = "REDACT"
    SIGN_IN_REFUSED = "SIGN_IN_REFUSED"
    ACTOR_RESTARTED = "ACTOR_RESTARTED"
    RESTORED = "RESTORED"
    """The journal was put back from a backup; its principal is not known."""


@frozen
class AuditEntry:
    """One line of the audit; ``id`` grows with every line, and is 0 until it is written.

    ``principal`` is the authenticated subject, '' where there is none. ``offset`` is that of the
    event that the change became. ``detail`` has what else is known of it.
    """

    time: Micros
    action: AuditAction
    principal: str
    incident_id: str | None = None
    offset: int | None = None
    trace: str | None = None
    detail: Mapping[str, str] = field(factory=dict)
    id: int = 0


def audit_of(record: Record) -> AuditEntry:
    """The entry of a change: written with its event, in one transaction."""
    return AuditEntry(
        record.time,
        AuditAction[record.kind.name],
        record.principal,
        None if record.incident is None else record.incident.id,
        record.offset,
        record.trace,
        _detail(record),
    )


def _detail(record: Record) -> Mapping[str, str]:
    if record.kind is not Kind.REDACT:
        return {}
    return {"reason": record.reason or "", "fields": ", ".join(record.changed)}


@define
class _Refused:
    first: Micros
    last: Micros
    count: int = 1


@define
class Refusals:
    """Refused sign-ins, counted by address and reason until they are taken.

    Of more than ``most`` pairs at a time, what comes later counts as of ``*``, any address: so a
    flood from everywhere costs no more memory than that, and its size is still told.
    """

    most: int = 1_000
    _counted: dict[tuple[str, str], _Refused] = field(factory=dict, init=False)

    def add(self, address: str, reason: str, now: Micros) -> None:
        """Count one."""
        key = (address, reason)
        if key not in self._counted and len(self._counted) >= self.most:
            key = ("*", reason)
        found = self._counted.get(key)
        if found is None:
            self._counted[key] = _Refused(now, now)
        else:
            found.count += 1
            found.last = now

    def take(self) -> tuple[AuditEntry, ...]:
        """One entry for each address and reason since the last time, the first to come first."""
        counted, self._counted = self._counted, {}
        return tuple(
            AuditEntry(
                each.first,
                AuditAction.SIGN_IN_REFUSED,
                "",
                detail={
                    "address": address,
                    "reason": reason,
                    "count": str(each.count),
                    "seconds": str((each.last - each.first) // 1_000_000),
                },
            )
            for (address, reason), each in counted.items()
        )

    def put_back(self, entries: tuple[AuditEntry, ...]) -> None:
        """Count again what was taken and could not be written."""
        for entry in entries:
            detail = entry.detail
            key = (detail["address"], detail["reason"])
            last = entry.time + int(detail["seconds"]) * 1_000_000
            found = self._counted.get(key)
            if found is not None:
                found.count += int(detail["count"])
                found.first = min(found.first, entry.time)
            elif len(self._counted) <= self.most:
                self._counted[key] = _Refused(entry.time, last, int(detail["count"]))
