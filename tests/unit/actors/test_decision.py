import pytest
from attrs import evolve

from incident_manager.actors.decision import found, succeed
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.journal.base import Loaded
from incident_manager.actors.model import Before
from incident_manager.actors.state import WorkingSet
from incident_manager.actors.vocabulary import Kind, Severity
from unit.actors.builders import SECOND, make_comment, make_incident
from unit.actors.support import Desk

INCIDENT = make_incident(labels={"tenant": "acme", "a": "1"}, version=4)


def state() -> WorkingSet:
    working = WorkingSet(0)
    working.learn(Loaded(incidents={INCIDENT.id: INCIDENT, "gone": None}))
    return working


def test_an_incident_is_found_by_its_id() -> None:
    assert found(state(), Desk().context(), INCIDENT.id) is INCIDENT
    assert found(state(), Desk().context(), INCIDENT.id, 4) is INCIDENT


@pytest.mark.parametrize(
    ("selectors", "there"),
    [
        ({"tenant": "acme"}, True),
        ({"tenant": "acme", "a": "1"}, True),
        ({"tenant": "acme", "a": "2"}, False),
        ({"tenant": "corp"}, False),
        ({"zone": "eu"}, False),
    ],
)
def test_every_selector_must_be_borne(selectors: dict[str, str], there: bool) -> None:
    ctx = Desk().context(selectors=selectors)
    if there:
        assert found(state(), ctx, INCIDENT.id) is INCIDENT
        return
    with pytest.raises(Refused) as caught:
        found(state(), ctx, INCIDENT.id, 3)  # nor is its version given away
    assert (caught.value.code, caught.value.field) == (ErrorCode.NOT_FOUND, "id")


def test_what_is_not_there_is_not_found() -> None:
    with pytest.raises(Refused, match="no incident gone"):
        found(state(), Desk().context(), "gone")


def test_an_event_follows_with_what_changed() -> None:
    desk = Desk(now=INCIDENT.updated_at + SECOND)
    ctx = desk.context(actor="kim", trace="00-aa-bb-01")
    comment = make_comment()
    record = succeed(
        ctx,
        41,
        Kind.COMMENT,
        INCIDENT,
        changes={"severity": Severity.P0, "title": INCIDENT.title},
        comment=comment,
    )
    assert record.incident == evolve(INCIDENT, severity=Severity.P0, version=5, updated_at=desk.now)
    assert record.before == Before(INCIDENT.state, INCIDENT.severity, INCIDENT.assignees)
    assert (record.offset, record.time, record.kind) == (42, desk.now, Kind.COMMENT)
    assert (record.actor, record.trace, record.comment) == ("kim", "00-aa-bb-01", comment)
    assert record.changed == ("severity",)


def test_an_event_may_leave_the_version() -> None:
    record = succeed(Desk().context(), 0, Kind.ALERT, INCIDENT, version=0)
    assert record.incident is not None
    assert (record.incident.version, record.changed) == (4, ())
