"""The words of the domain: the enumerations that the contract fixes."""

from enum import StrEnum

__all__ = [
    "ACTIVE_STATES",
    "CRITICAL",
    "AckStatus",
    "AlertStatus",
    "AlertType",
    "IncidentState",
    "IncidentType",
    "Kind",
    "ResolutionMethod",
    "Severity",
    "TimelineEventType",
    "UpdateType",
]


class Severity(StrEnum):
    """How bad it is; P0 is the worst."""

    P0 = "P0"
    P1 = "P1"
    P2 = "P2"
    P3 = "P3"
    P4 = "P4"

    @property
    def rank(self) -> int:
        """0 for P0 to 4 for P4: the lower, the worse."""
        return ord(self.value[1]) - 48


class IncidentState(StrEnum):
    """Where an incident stands in its life."""

    NEW = "NEW"
    INVESTIGATING = "INVESTIGATING"
    IDENTIFIED = "IDENTIFIED"
    MONITORING = "MONITORING"
    RESOLVED = "RESOLVED"
    CLOSED = "CLOSED"


class IncidentType(StrEnum):
    """What part of an operation an incident is about."""

    AVAILABILITY = "AVAILABILITY"
    PERFORMANCE = "PERFORMANCE"
    SECURITY = "SECURITY"
    DATA_INTEGRITY = "DATA_INTEGRITY"
    CAPACITY = "CAPACITY"
    CONFIGURATION = "CONFIGURATION"
    DEPENDENCY = "DEPENDENCY"
    INFRASTRUCTURE = "INFRASTRUCTURE"
    APPLICATION = "APPLICATION"
    DATA = "DATA"
    COMPLIANCE = "COMPLIANCE"
    COST = "COST"
    QUALITY = "QUALITY"
    OTHER = "OTHER"
    UNKNOWN = "UNKNOWN"


class AlertType(StrEnum):
    """What kind of signal raised an alert."""

    METRIC = "METRIC"
    LOG = "LOG"
    TRACE = "TRACE"
    EVENT = "EVENT"
    SYNTHETIC = "SYNTHETIC"


class AlertStatus(StrEnum):
    """What became of an alert."""

    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    DEDUPLICATED = "DEDUPLICATED"
    CREATED_INCIDENT = "CREATED_INCIDENT"
    MERGED = "MERGED"
    IGNORED = "IGNORED"
    RESOLVED = "RESOLVED"


class AckStatus(StrEnum):
    """What the sender of an alert is told."""

    ACCEPTED = "ACCEPTED"
    DUPLICATE = "DUPLICATE"
    RATE_LIMITED = "RATE_LIMITED"
    REJECTED = "REJECTED"


class UpdateType(StrEnum):
    """The headline of an incident update."""

    CREATED = "CREATED"
    UPDATED = "UPDATED"
    STATE_CHANGED = "STATE_CHANGED"
    RESOLVED = "RESOLVED"
    ASSIGNED = "ASSIGNED"
    COMMENT_ADDED = "COMMENT_ADDED"
    HEARTBEAT = "HEARTBEAT"


class ResolutionMethod(StrEnum):
    """Who or what solved an incident."""

    AUTOMATED = "AUTOMATED"
    MANUAL = "MANUAL"
    AUTO_ASSISTED_MANUAL = "AUTO_ASSISTED_MANUAL"


class TimelineEventType(StrEnum):
    """A line in the history of one incident."""

    CREATED = "CREATED"
    STATE_CHANGED = "STATE_CHANGED"
    ACTION_EXECUTED = "ACTION_EXECUTED"
    NOTIFICATION_SENT = "NOTIFICATION_SENT"
    ASSIGNMENT_CHANGED = "ASSIGNMENT_CHANGED"
    COMMENT_ADDED = "COMMENT_ADDED"
    ESCALATED = "ESCALATED"
    RESOLVED = "RESOLVED"
    ALERT_RECEIVED = "ALERT_RECEIVED"
    SEVERITY_CHANGED = "SEVERITY_CHANGED"
    LINKED = "LINKED"


class Kind(StrEnum):
    """Which command an event in the journal came from."""

    ALERT = "alert"
    CREATE = "create"
    UPDATE = "update"
    ACKNOWLEDGE = "acknowledge"
    ASSIGN = "assign"
    COMMENT = "comment"
    ESCALATE = "escalate"
    LINK = "link"
    RESOLVE = "resolve"
    CLOSE = "close"
    REOPEN = "reopen"
    REDACT = "redact"


CRITICAL = frozenset({Severity.P0, Severity.P1})
"""Severities that are critical (contract, section 2)."""

ACTIVE_STATES = frozenset(IncidentState) - {IncidentState.RESOLVED, IncidentState.CLOSED}
"""States in which somebody still has work to do (contract, section 2)."""
