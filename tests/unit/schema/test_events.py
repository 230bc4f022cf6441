"""What each stream delivers for an event."""

import re

import pytest
from attrs import evolve

from incident_manager.actors.model import Incident
from incident_manager.actors.streams import StreamField, fields_of
from incident_manager.actors.vocabulary import IncidentState, Kind, Severity, UpdateType
from incident_manager.schema.build import schema
from incident_manager.schema.events import (
    IncidentStateChange,
    IncidentUpdate,
    heartbeat,
    source_of,
)
from unit.actors.builders import SECOND, START, change, make_alert, make_incident, make_record

INCIDENT = make_incident()
RAISED = change(2, INCIDENT, severity=Severity.P0, incident_type="COST", assignees=("rae",))
MOVED = change(2, INCIDENT, state=IncidentState.MONITORING)


def test_incidents_are_as_of_the_event() -> None:
    created = make_record(1, INCIDENT)
    assert source_of(StreamField.NEW_INCIDENTS, created) is INCIDENT
    assert source_of(StreamField.CRITICAL_INCIDENTS, RAISED) is RAISED.incident


def test_an_update_says_what_changed() -> None:
    assert source_of(StreamField.INCIDENT_UPDATES, RAISED) == IncidentUpdate(
        update_type=UpdateType.ASSIGNED,
        incident_id=INCIDENT.id,
        timestamp=START + 2 * SECOND,
        incident=RAISED.incident,
        changed_fields=("severity", "incidentType", "assignees"),
        actor="rae",
    )


def test_changed_fields_are_spelt_as_in_the_schema() -> None:
    fields = schema.type_map["Incident"].fields  # type: ignore[attr-defined]
    names = tuple(name for name in Incident.__annotations__ if name != "scope")
    record = evolve(RAISED, changed=names)
    source = source_of(StreamField.INCIDENT_UPDATES, record)
    assert isinstance(source, IncidentUpdate)
    assert set(source.changed_fields) <= set(fields)
    spelt = [re.sub(r"[A-Z]", lambda m: f"_{m[0].lower()}", each) for each in source.changed_fields]
    assert tuple(spelt) == names


def test_a_state_change() -> None:
    assert MOVED.incident is not None
    assert source_of(StreamField.INCIDENT_STATE_CHANGES, MOVED) == IncidentStateChange(
        incident_id=INCIDENT.id,
        old_state=IncidentState.NEW,
        new_state=IncidentState.MONITORING,
        changed_by="rae",
        timestamp=START + 2 * SECOND,
        incident=MOVED.incident,
    )


def test_an_alert_even_of_no_incident() -> None:
    alert = make_alert()
    record = evolve(make_record(1, kind=Kind.ALERT, alert=alert), incident=None)
    assert source_of(StreamField.ALERTS, record) is alert


@pytest.mark.parametrize("stream", StreamField)
def test_every_event_has_a_source_in_each_of_its_streams(stream: StreamField) -> None:
    alert = evolve(make_record(1, kind=Kind.ALERT, alert=make_alert()), incident=None)
    for record in (make_record(1), RAISED, MOVED, alert):
        if stream in fields_of(record):
            source_of(stream, record)
    if stream is not StreamField.ALERTS:
        with pytest.raises(ValueError, match=f"event 1 is none of {stream.value}"):
            source_of(stream, alert)
    with pytest.raises(ValueError, match="is none of"):
        source_of(StreamField.ALERTS, MOVED)
    with pytest.raises(ValueError, match="is none of"):
        source_of(StreamField.INCIDENT_STATE_CHANGES, make_record(1))


def test_a_heartbeat_is_of_nothing() -> None:
    assert heartbeat(7) == IncidentUpdate(UpdateType.HEARTBEAT, None, 7, None, (), None)
