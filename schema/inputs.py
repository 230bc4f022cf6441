"""Inputs: the commands that a client's input objects mean."""

from collections.abc import Mapping
from typing import Any

from incident_manager.actors.classify import classify, source_key
from incident_manager.actors.commands import (
    CreateIncident,
    ResolveIncident,
    SubmitAlert,
    UpdateIncident,
)

__all__ = ["read_alert", "read_incident", "read_resolution", "read_update"]


def read_alert(given: Mapping[str, Any]) -> SubmitAlert:
    """The command that a SubmitAlertInput means. Raises Refused for an unknown ``alertType``."""
    alert_type, incident_type = classify(given.get("alert_type"), given.get("incident_type"))
    external_id = given.get("external_id")
    return SubmitAlert(
        source=given["source"],
        title=given["title"],
        description=given["description"],
        severity=given["severity"],
        alert_type=alert_type,
        incident_type=incident_type,
        external_id=external_id,
        labels=given.get("labels") or {},
        affected_services=tuple(given.get("affected_services") or ()),
        annotations=given.get("annotations") or {},
        runbook_url=given.get("runbook_url"),
        timestamp=given.get("timestamp"),
        source_key=source_key(given["source"], external_id),
    )


def read_incident(given: Mapping[str, Any]) -> CreateIncident:
    """The command that a CreateIncidentInput means."""
    return CreateIncident(
        source=given["source"],
        title=given["title"],
        description=given["description"],
        severity=given["severity"],
        incident_type=given["incident_type"],
        affected_resources=tuple(given.get("affected_resources") or ()),
        labels=given.get("labels") or {},
        metadata=given.get("metadata") or {},
        assignees=tuple(given.get("assignees") or ()),
    )


def read_update(
    incident_id: str, given: Mapping[str, Any], expected_version: int | None
) -> UpdateIncident:
    """The command that an UpdateIncidentInput means; null leaves a field as it is."""
    assignees, gone = given.get("assignees"), given.get("remove_labels")
    return UpdateIncident(
        id=incident_id,
        title=given.get("title"),
        description=given.get("description"),
        severity=given.get("severity"),
        state=given.get("state"),
        incident_type=given.get("incident_type"),
        assignees=None if assignees is None else tuple(assignees),
        add_labels=given.get("add_labels"),
        remove_labels=None if gone is None else tuple(gone),
        metadata=given.get("metadata"),
        expected_version=expected_version,
    )


def read_resolution(
    incident_id: str, given: Mapping[str, Any], expected_version: int | None
) -> ResolveIncident:
    """The command that a ResolveIncidentInput means."""
    return ResolveIncident(
        id=incident_id,
        method=given["method"],
        notes=given["notes"],
        root_cause=given.get("root_cause"),
        expected_version=expected_version,
    )
