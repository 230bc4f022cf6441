"""The headline of an event, by precedence."""

import itertools

import pytest
from attrs import evolve

from incident_manager.actors.updates import update_type
from incident_manager.actors.vocabulary import IncidentState, Kind, Severity, UpdateType
from unit.actors.builders import before_of, make_alert, make_comment, make_incident, make_record


def test_an_incident_begins() -> None:
    assert update_type(make_record(1)) is UpdateType.CREATED
    assert update_type(make_record(1, make_incident(assignees=("a",)))) is UpdateType.CREATED


def test_an_alert_of_nobody_has_no_headline() -> None:
    record = evolve(make_record(1, kind=Kind.ALERT, alert=make_alert()), incident=None)
    with pytest.raises(ValueError, match="event 1 has no incident"):
        update_type(record)


STATES = [None, IncidentState.MONITORING, IncidentState.RESOLVED]


@pytest.mark.parametrize(
    ("state", "assigned", "commented"), [*itertools.product(STATES, [False, True], [False, True])]
)
def test_precedence(state: IncidentState | None, assigned: bool, commented: bool) -> None:
    before = make_incident()
    after = evolve(
        before,
        severity=Severity.P0,
        state=before.state if state is None else state,
        assignees=("rae",) if assigned else (),
    )
    comment = make_comment() if commented else None
    record = make_record(2, after, kind=Kind.UPDATE, before=before_of(before), comment=comment)
    ranking = [
        (state is IncidentState.RESOLVED, UpdateType.RESOLVED),
        (state is not None, UpdateType.STATE_CHANGED),
        (assigned, UpdateType.ASSIGNED),
        (commented, UpdateType.COMMENT_ADDED),
        (True, UpdateType.UPDATED),
    ]
    assert update_type(record) is next(name for holds, name in ranking if holds)


def test_assigning_the_same_again_is_still_an_assignment() -> None:
    incident = make_incident(assignees=("rae",))
    record = make_record(2, incident, kind=Kind.ASSIGN, before=before_of(incident))
    assert update_type(record) is UpdateType.ASSIGNED


@pytest.mark.parametrize("old", [IncidentState.RESOLVED, IncidentState.CLOSED])
def test_reopening_and_closing_change_the_state(old: IncidentState) -> None:
    before = make_incident(state=old)
    opened = evolve(before, state=IncidentState.INVESTIGATING)
    record = make_record(2, opened, kind=Kind.REOPEN, before=before_of(before))
    assert update_type(record) is UpdateType.STATE_CHANGED
