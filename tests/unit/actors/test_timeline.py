"""The lines that every kind of event adds to its incident's history."""

from attrs import evolve

from incident_manager.actors import commands as c
from incident_manager.actors.model import Record
from incident_manager.actors.timeline import TimelineEntry, timeline_entries
from incident_manager.actors.vocabulary import (
    IncidentState,
    ResolutionMethod,
    Severity,
)
from incident_manager.actors.vocabulary import TimelineEventType as T
from unit.actors.builders import START
from unit.actors.support import Desk, make_submit

KEYED = make_submit(source_key="k1")


def lines(record: Record) -> list[tuple[T, str]]:
    return [(entry.event_type, entry.description) for entry in timeline_entries(record)]


def after(desk: Desk, command: c.Command) -> list[tuple[T, str]]:
    desk.do(command)
    return lines(desk.last)


def test_an_incident_by_hand() -> None:
    desk = Desk()
    desk.open()
    assert timeline_entries(desk.last) == (
        TimelineEntry(
            1,
            START,
            T.CREATED,
            "rae",
            "Incident created: Checkout is down",
            {"severity": "P2", "source": "desk"},
        ),
    )


def test_an_alert_that_makes_joins_resolves_and_reopens() -> None:
    desk = Desk()
    assert after(desk, KEYED) == [
        (T.CREATED, "Incident created: Checkout is slow"),
        (T.ALERT_RECEIVED, "Alert received: Checkout is slow"),
    ]
    assert after(desk, KEYED) == [(T.ALERT_RECEIVED, "Alert received: Checkout is slow")]
    alert = desk.last.alert
    assert alert is not None
    assert timeline_entries(desk.last)[0].metadata == {
        "alert_id": alert.id,
        "status": "DEDUPLICATED",
        "source": "prometheus",
    }
    assert after(desk, evolve(KEYED, resolved=True)) == [
        (T.ALERT_RECEIVED, "Alert resolved: Checkout is slow"),
        (T.RESOLVED, "Resolved: Its last firing alert is resolved."),
    ]
    assert after(desk, KEYED) == [
        (T.ALERT_RECEIVED, "Alert received: Checkout is slow"),
        (T.STATE_CHANGED, "State changed from RESOLVED to INVESTIGATING"),
    ]


def test_an_alert_for_nothing_is_in_no_history() -> None:
    assert after(Desk(), evolve(KEYED, resolved=True)) == []


def test_every_command() -> None:
    desk = Desk()
    other = desk.open(title="other")
    incident = desk.open()
    i = incident.id
    assert after(desk, c.AcknowledgeIncident(i)) == [
        (T.STATE_CHANGED, "State changed from NEW to INVESTIGATING"),
        (T.ACTION_EXECUTED, "Acknowledged"),
    ]
    assert after(desk, c.AcknowledgeIncident(i)) == [(T.ACTION_EXECUTED, "Acknowledged")]
    assert after(desk, c.AssignIncident(i, ("kim", "rae"))) == [
        (T.ASSIGNMENT_CHANGED, "Assigned to kim, rae")
    ]
    assert after(desk, c.AssignIncident(i, ("kim", "rae"))) == [
        (T.ACTION_EXECUTED, "Assigned again")
    ]
    assert after(desk, c.AssignIncident(i, ())) == [(T.ASSIGNMENT_CHANGED, "Unassigned")]
    assert timeline_entries(desk.last)[0].metadata == {"from": "kim, rae", "to": ""}
    assert after(desk, c.AddComment(i, "x" * 300)) == [(T.COMMENT_ADDED, "x" * 200)]
    comment = desk.last.comment
    assert comment is not None
    assert timeline_entries(desk.last)[0].metadata == {"comment_id": comment.id}
    assert after(desk, c.EscalateIncident(i, Severity.P1, "it grows")) == [
        (T.ESCALATED, "Escalated from P2 to P1: it grows")
    ]
    assert timeline_entries(desk.last)[0].metadata == {"from": "P2", "to": "P1"}
    assert after(desk, c.EscalateIncident(i, Severity.P1, "look!")) == [
        (T.ACTION_EXECUTED, "Escalated: look!")
    ]
    assert after(desk, c.LinkIncidents(i, other.id)) == [(T.LINKED, f"Linked to incident {i}")]
    assert lines(desk.records[-2]) == [(T.LINKED, f"Linked to incident {other.id}")]
    assert timeline_entries(desk.last)[0].metadata == {"related_id": i}
    assert after(desk, c.ResolveIncident(i, ResolutionMethod.MANUAL, "rolled back")) == [
        (T.RESOLVED, "Resolved: rolled back")
    ]
    assert timeline_entries(desk.last)[0].metadata == {"from": "INVESTIGATING", "to": "RESOLVED"}
    assert after(desk, c.CloseIncident(i)) == [
        (T.STATE_CHANGED, "State changed from RESOLVED to CLOSED")
    ]
    assert after(desk, c.ReopenIncident(i, "not so")) == [
        (T.STATE_CHANGED, "State changed from CLOSED to INVESTIGATING: not so")
    ]
    assert after(desk, c.ResolveIncident(i, ResolutionMethod.MANUAL, "")) == [
        (T.RESOLVED, "Resolved")
    ]
    assert after(desk, c.ReopenIncident(i)) == [
        (T.STATE_CHANGED, "State changed from RESOLVED to INVESTIGATING")
    ]


def test_an_update() -> None:
    desk = Desk()
    i = desk.open().id
    assert after(desk, c.UpdateIncident(i, title="Another", description="")) == [
        (T.ACTION_EXECUTED, "Updated title, description")
    ]
    assert timeline_entries(desk.last)[0].metadata == {"changed": "title, description"}
    assert after(desk, c.UpdateIncident(i, title="Another")) == [(T.ACTION_EXECUTED, "Updated")]
    assert timeline_entries(desk.last)[0].metadata == {}
    assert after(
        desk,
        c.UpdateIncident(
            i, severity=Severity.P4, state=IncidentState.IDENTIFIED, assignees=("kim",)
        ),
    ) == [
        (T.STATE_CHANGED, "State changed from NEW to IDENTIFIED"),
        (T.SEVERITY_CHANGED, "Severity changed from P2 to P4"),
        (T.ASSIGNMENT_CHANGED, "Assigned to kim"),
    ]


def test_every_entry_says_who_when_and_which_event() -> None:
    desk = Desk()
    i = desk.open().id
    desk.wait(3)
    desk.do(c.AcknowledgeIncident(i), actor="kim")
    for entry in timeline_entries(desk.last):
        assert (entry.offset, entry.timestamp, entry.actor) == (2, desk.now, "kim")


def test_an_update_of_several_things_tells_them_all() -> None:
    desk = Desk()
    desk.do(make_submit(severity=Severity.P3))
    assert desk.last.incident is not None
    update = c.UpdateIncident(
        desk.last.incident.id, title="new", description="too", severity=Severity.P1
    )
    assert after(desk, update) == [
        (T.SEVERITY_CHANGED, "Severity changed from P3 to P1"),
        (T.ACTION_EXECUTED, "Updated title, description"),
    ]
