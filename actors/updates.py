"""The headline of an event: one rule, so that every interface tells the same story."""

from incident_manager.actors.model import Record
from incident_manager.actors.vocabulary import IncidentState, Kind, UpdateType

__all__ = ["update_type"]


def update_type(record: Record) -> UpdateType:
    """The update type of an incident's event (contract, section 2).

    CREATED where the incident begins; else the first that holds of RESOLVED, STATE_CHANGED,
    ASSIGNED, COMMENT_ADDED, UPDATED. Raises ValueError for an event without an incident.
    """
    before, after = record.before, record.incident
    if after is None:
        raise ValueError(f"event {record.offset} has no incident")
    if before is None:
        return UpdateType.CREATED
    if before.state is not after.state:
        resolved = after.state is IncidentState.RESOLVED
        return UpdateType.RESOLVED if resolved else UpdateType.STATE_CHANGED
    if record.kind is Kind.ASSIGN or before.assignees != after.assignees:
        return UpdateType.ASSIGNED
    if record.comment is not None:
        return UpdateType.COMMENT_ADDED
    return UpdateType.UPDATED
