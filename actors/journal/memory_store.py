"""What a memory journal holds, and how it follows the events."""

import os
from collections import defaultdict
from uuid import uuid4

from attrs import evolve, field, frozen

from incident_manager.actors import answers
from incident_manager.actors.audit import AuditEntry, audit_of
from incident_manager.actors.journal.base import Answer, Bounds, FingerprintKey, SourceKey
from incident_manager.actors.model import (
    Alert,
    Comment,
    Incident,
    KeyState,
    Micros,
    Record,
    key_state,
)
from incident_manager.actors.redaction import (
    Redaction,
    redact_alert,
    redact_comment,
    redact_incident,
    redact_line,
    redact_record,
)
from incident_manager.actors.timeline import TimelineEntry, timeline_entries

__all__ = ["Beside", "MemoryStore"]


@frozen
class Beside:
    """What lies beside one incident."""

    alerts: dict[str, Alert] = field(factory=dict)
    comments: dict[str, Comment] = field(factory=dict)
    timeline: list[tuple[int, int, TimelineEntry]] = field(factory=list)
    """offset, place among the event's lines, line"""
    links: dict[str, int] = field(factory=dict)
    """offset of the first link by the other incident's id"""


class MemoryStore:
    """What a memory journal holds: one epoch. It outlives the journals opened on it."""

    def __init__(self) -> None:
        self.epoch = uuid4().hex
        self.secret = os.urandom(32)
        self.oldest = 1
        self.records: list[Record] = []
        self.incidents: dict[str, Incident] = {}
        """In the order in which they came."""
        self.alerts: dict[str, Alert] = {}
        self.beside: defaultdict[str, Beside] = defaultdict(Beside)
        self.active: defaultdict[FingerprintKey, set[str]] = defaultdict(set)
        self.keys: dict[SourceKey, KeyState] = {}
        self.firing: defaultdict[str, int] = defaultdict(int)
        self.answers: dict[str, Answer] = {}
        self.audit: list[AuditEntry] = []
        """The oldest first."""
        self.owned = False

    @property
    def bounds(self) -> Bounds:
        """Epoch, oldest and head as of now."""
        return Bounds(self.epoch, self.oldest, self.oldest + len(self.records) - 1)

    def take(self, record: Record) -> None:
        """Follow one event."""
        self.records.append(record)
        self.note(audit_of(record))
        if record.alert is not None:
            self._take_alert(record.alert)
        if record.incident is not None:
            self._take_incident(record, record.incident)
        state = key_state(record)
        if state is not None:
            before = self.keys.get((state.scope, state.key))
            if before is not None:
                self.firing[before.incident_id] -= before.firing
            self.keys[state.scope, state.key] = state
            self.firing[state.incident_id] += state.firing

    def note(self, entry: AuditEntry) -> None:
        """Add an entry to the audit."""
        number = self.audit[-1].id + 1 if self.audit else 1
        self.audit.append(evolve(entry, id=number))

    def _take_alert(self, alert: Alert) -> None:
        old = self.alerts.get(alert.id)
        if old is not None and old.incident_id is not None:
            del self.beside[old.incident_id].alerts[alert.id]
        self.alerts[alert.id] = alert
        if alert.incident_id is not None:
            self.beside[alert.incident_id].alerts[alert.id] = alert

    def _take_incident(self, record: Record, incident: Incident) -> None:
        old = self.incidents.get(incident.id)
        if old is not None:
            self.active[old.scope, old.fingerprint].discard(incident.id)
        self.incidents[incident.id] = incident
        if incident.is_active:
            self.active[incident.scope, incident.fingerprint].add(incident.id)
        beside = self.beside[incident.id]
        for place, entry in enumerate(timeline_entries(record)):
            beside.timeline.append((record.offset, place, entry))
        if record.comment is not None:
            beside.comments[record.comment.id] = record.comment
        if record.related_id is not None:
            beside.links.setdefault(record.related_id, record.offset)
            self.beside[record.related_id].links.setdefault(incident.id, record.offset)

    def redact(self, redaction: Redaction) -> None:
        """Take away what is held of an incident."""
        owner, oldest = redaction.incident_id, self.oldest
        incident, beside = self.incidents[owner], self.beside[owner]
        self.incidents[owner] = redact_incident(incident, redaction)
        for alert in list(beside.alerts.values()):
            self.alerts[alert.id] = beside.alerts[alert.id] = redact_alert(alert, redaction)
        for comment in list(beside.comments.values()):
            beside.comments[comment.id] = redact_comment(comment, redaction)
        lines: dict[tuple[int, int], TimelineEntry] = {}
        for place, record in enumerate(self.records):
            if record.incident is not None and record.incident.id == owner:
                self.records[place] = changed = redact_record(record, redaction)
                for number, entry in enumerate(timeline_entries(changed)):
                    lines[record.offset, number] = entry
        beside.timeline[:] = [
            (offset, number, redact_line(entry) if offset < oldest else lines[offset, number])
            for offset, number, entry in beside.timeline
        ]
        for key, answer in self.answers.items():
            self.answers[key] = evolve(answer, body=answers.redact(answer.body, redaction))

    def active_since(self, place: FingerprintKey, since: Micros) -> tuple[str, ...]:
        """The active incidents of a fingerprint created at or after ``since``, the newest first."""
        found = [(self.incidents[each].created_at, each) for each in self.active.get(place, ())]
        return tuple(each for created, each in sorted(found, reverse=True) if created >= since)
