"""What the root field of each subscription gives for an event."""

from typing import Final

from attrs import frozen

from incident_manager.actors.model import Alert, Incident, Micros, Record
from incident_manager.actors.streams import StreamField
from incident_manager.actors.updates import update_type
from incident_manager.actors.vocabulary import IncidentState, UpdateType

__all__ = ["IncidentStateChange", "IncidentUpdate", "heartbeat", "source_of"]


@frozen
class IncidentUpdate:
    """One event of an incident, or a heartbeat."""

    update_type: UpdateType
    incident_id: str | None
    timestamp: Micros
    incident: Incident | None
    changed_fields: tuple[str, ...]
    actor: str | None


@frozen
class IncidentStateChange:
    """An incident went from one state to another."""

    incident_id: str
    old_state: IncidentState
    new_state: IncidentState
    changed_by: str
    timestamp: Micros
    incident: Incident


Source = Alert | Incident | IncidentUpdate | IncidentStateChange

_SPELT: Final = {
    name: name.split("_")[0] + "".join(word.title() for word in name.split("_")[1:])
    for name in Incident.__annotations__
}


def source_of(stream: StreamField, record: Record) -> Source:
    """The object that a stream delivers for one of its events, as of that event.

    Raises ValueError for an event that is not one of the stream's.
    """
    if stream is StreamField.ALERTS:
        if record.alert is not None:
            return record.alert
    elif record.incident is not None:
        if stream is StreamField.INCIDENT_UPDATES:
            return _update(record, record.incident)
        if stream is not StreamField.INCIDENT_STATE_CHANGES:
            return record.incident
        if record.before is not None:
            return _state_change(record, record.incident, record.before.state)
    raise ValueError(f"event {record.offset} is none of {stream.value}")


def _update(record: Record, incident: Incident) -> IncidentUpdate:
    return IncidentUpdate(
        update_type(record),
        incident.id,
        record.time,
        incident,
        tuple(_SPELT[name] for name in record.changed),
        record.actor,
    )


def _state_change(record: Record, incident: Incident, old: IncidentState) -> IncidentStateChange:
    return IncidentStateChange(
        incident.id, old, incident.state, record.actor, record.time, incident
    )


def heartbeat(now: Micros) -> IncidentUpdate:
    """What is delivered where nothing happened."""
    return IncidentUpdate(UpdateType.HEARTBEAT, None, now, None, (), None)
