"""What can be asked of the registry. A command is a value; it decides nothing."""

from collections.abc import Mapping

from attrs import field, frozen

from incident_manager.actors.model import Micros
from incident_manager.actors.vocabulary import (
    AlertType,
    IncidentState,
    IncidentType,
    ResolutionMethod,
    Severity,
)

__all__ = [
    "AcknowledgeIncident",
    "AddComment",
    "AssignIncident",
    "CloseIncident",
    "Command",
    "CreateIncident",
    "EscalateIncident",
    "LinkIncidents",
    "RedactIncident",
    "ReopenIncident",
    "ResolveIncident",
    "SubmitAlert",
    "UpdateIncident",
]


@frozen
class SubmitAlert:
    """An alert came in. ``source_key`` is the sender's own name for what fires, if it has one."""

    source: str
    title: str
    description: str
    severity: Severity
    alert_type: AlertType = AlertType.EVENT
    incident_type: IncidentType = IncidentType.UNKNOWN
    external_id: str | None = None
    labels: Mapping[str, str] = field(factory=dict)
    affected_services: tuple[str, ...] = ()
    annotations: Mapping[str, str] = field(factory=dict)
    runbook_url: str | None = None
    timestamp: Micros | None = None
    source_key: str | None = None
    resolved: bool = False


@frozen
class CreateIncident:
    """Somebody opens an incident by hand."""

    source: str
    title: str
    description: str
    severity: Severity
    incident_type: IncidentType
    affected_resources: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(factory=dict)
    metadata: Mapping[str, str] = field(factory=dict)
    assignees: tuple[str, ...] = ()


@frozen
class UpdateIncident:
    """Change fields of an incident; None leaves a field as it is.

    ``labels`` are all that it shall have then; ``remove_labels`` and ``add_labels`` come after.
    """

    id: str
    title: str | None = None
    description: str | None = None
    severity: Severity | None = None
    state: IncidentState | None = None
    incident_type: IncidentType | None = None
    assignees: tuple[str, ...] | None = None
    labels: Mapping[str, str] | None = None
    add_labels: Mapping[str, str] | None = None
    remove_labels: tuple[str, ...] | None = None
    metadata: Mapping[str, str] | None = None
    expected_version: int | None = None


@frozen
class AcknowledgeIncident:
    """Somebody has seen it. NEW becomes INVESTIGATING."""

    id: str
    expected_version: int | None = None


@frozen
class AssignIncident:
    """Who works on it; none takes everybody off."""

    id: str
    assignees: tuple[str, ...]
    expected_version: int | None = None


@frozen
class AddComment:
    """Say something about an incident, in any state."""

    id: str
    content: str


@frozen
class EscalateIncident:
    """Make it more severe; never less."""

    id: str
    severity: Severity
    reason: str
    expected_version: int | None = None


@frozen
class LinkIncidents:
    """Relate two incidents, on both sides."""

    id: str
    related_id: str


@frozen
class ResolveIncident:
    """It is solved."""

    id: str
    method: ResolutionMethod
    notes: str
    root_cause: str | None = None
    expected_version: int | None = None


@frozen
class CloseIncident:
    """Nothing is left to do about a resolved incident."""

    id: str
    expected_version: int | None = None


@frozen
class ReopenIncident:
    """It was not solved after all."""

    id: str
    reason: str | None = None
    expected_version: int | None = None


@frozen
class RedactIncident:
    """Take away what is stored of an incident: ``scope`` (empty: all of it), and values of labels.

    ``label_patterns`` are globs of the names of labels.
    """

    id: str
    reason: str
    scope: tuple[str, ...] = ()
    label_patterns: tuple[str, ...] = ()
    expected_version: int | None = None


Command = (
    SubmitAlert
    | CreateIncident
    | UpdateIncident
    | AcknowledgeIncident
    | AssignIncident
    | AddComment
    | EscalateIncident
    | LinkIncidents
    | ResolveIncident
    | CloseIncident
    | ReopenIncident
    | RedactIncident
)
