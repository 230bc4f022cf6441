"""The table of the contract's section 5, written out in full, and every command by hand."""

from typing import get_args

import pytest
from attrs import evolve

from incident_manager.actors import commands as c
from incident_manager.actors.commands import Command
from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.journal.base import Needs
from incident_manager.actors.lifecycle import TRANSITIONS, needs
from incident_manager.actors.model import Comment, Incident, Resolution
from incident_manager.actors.vocabulary import IncidentState, Kind, ResolutionMethod, Severity
from unit.actors.builders import SECOND
from unit.actors.support import Desk, make_create, make_submit

NEW, INVESTIGATING, IDENTIFIED, MONITORING, RESOLVED, CLOSED = IncidentState

# What each command makes of an incident in each state; "-" is INVALID_STATE_TRANSITION.
TABLE = """
command               NEW            INVESTIGATING  IDENTIFIED     MONITORING     RESOLVED       CLOSED
acknowledge           INVESTIGATING  INVESTIGATING  IDENTIFIED     MONITORING     -              -
assign                NEW            INVESTIGATING  IDENTIFIED     MONITORING     RESOLVED       CLOSED
comment               NEW            INVESTIGATING  IDENTIFIED     MONITORING     RESOLVED       CLOSED
escalate              NEW            INVESTIGATING  IDENTIFIED     MONITORING     -              -
link                  NEW            INVESTIGATING  IDENTIFIED     MONITORING     RESOLVED       CLOSED
resolve               RESOLVED       RESOLVED       RESOLVED       RESOLVED       -              -
close                 -              -              -              -              CLOSED         -
reopen                -              -              -              -              INVESTIGATING  INVESTIGATING
redact                NEW            INVESTIGATING  IDENTIFIED     MONITORING     RESOLVED       CLOSED
retitle               NEW            INVESTIGATING  IDENTIFIED     MONITORING     RESOLVED       CLOSED
to-NEW                NEW            NEW            NEW            NEW            -              -
to-INVESTIGATING      INVESTIGATING  INVESTIGATING  INVESTIGATING  INVESTIGATING  INVESTIGATING  INVESTIGATING
to-IDENTIFIED         IDENTIFIED     IDENTIFIED     IDENTIFIED     IDENTIFIED     -              -
to-MONITORING         MONITORING     MONITORING     MONITORING     MONITORING     -              -
to-RESOLVED           RESOLVED       RESOLVED       RESOLVED       RESOLVED       RESOLVED       -
to-CLOSED             -              -              -              -              CLOSED         CLOSED
"""  # noqa: E501 -- a table

HEAD, *ROWS = [line.split() for line in TABLE.strip().splitlines()]
CASES = [
    pytest.param(row[0], IncidentState[before], cell, id=f"{row[0]}-{before}")
    for row in ROWS
    for before, cell in zip(HEAD[1:], row[1:], strict=True)
]


def command_of(name: str, incident_id: str, other_id: str = "") -> Command:
    if name.startswith("to-"):
        return c.UpdateIncident(incident_id, state=IncidentState[name[3:]])
    return {
        "acknowledge": c.AcknowledgeIncident(incident_id),
        "assign": c.AssignIncident(incident_id, ("kim",)),
        "comment": c.AddComment(incident_id, "hello"),
        "escalate": c.EscalateIncident(incident_id, Severity.P1, "worse"),
        "link": c.LinkIncidents(incident_id, other_id),
        "resolve": c.ResolveIncident(incident_id, ResolutionMethod.MANUAL, "done", "a cause"),
        "close": c.CloseIncident(incident_id),
        "reopen": c.ReopenIncident(incident_id, "not done"),
        "redact": c.RedactIncident(incident_id, "asked for", ("description",)),
        "retitle": c.UpdateIncident(incident_id, title="Another"),
    }[name]


def bring(desk: Desk, state: IncidentState) -> Incident:
    """A new incident, by the shortest way into a state; a second later."""
    incident = desk.open()
    if state in (RESOLVED, CLOSED):
        desk.do(command_of("resolve", incident.id))
    if state is CLOSED:
        desk.do(command_of("close", incident.id))
    if state not in (NEW, RESOLVED, CLOSED):
        desk.do(c.UpdateIncident(incident.id, state=state))
    desk.wait(1)
    return desk.incident(incident.id)


def refused(desk: Desk, command: Command, **ctx: object) -> Refused:
    with pytest.raises(Refused) as caught:
        desk.decide(command, **ctx)
    return caught.value


def test_the_table_is_whole() -> None:
    assert HEAD[1:] == [state.name for state in IncidentState]
    assert {type(command_of(row[0], "1", "2")) for row in ROWS} == {
        kind for kind in get_args(Command) if kind not in (c.SubmitAlert, c.CreateIncident)
    }
    assert {f"to-{state.name}" for state in IncidentState} <= {row[0] for row in ROWS}


@pytest.mark.parametrize(("name", "before", "cell"), CASES)
def test_every_command_in_every_state(name: str, before: IncidentState, cell: str) -> None:
    desk = Desk()
    other = desk.open(title="Another one")
    incident = bring(desk, before)
    assert incident.state is before
    command = command_of(name, incident.id, other.id)
    if cell == "-":
        refusal = refused(desk, command)
        assert refusal.code is ErrorCode.INVALID_STATE_TRANSITION
        assert before.value in refusal.message
        return
    outcome = desk.do(command)
    after = desk.incident(incident.id)
    assert outcome == after
    assert after.state is IncidentState[cell]
    assert after.version == incident.version + 1
    assert after.updated_at == desk.now
    record = next(r for r in reversed(desk.records) if r.incident == after)
    assert record.before is not None
    assert record.before.state is before
    differing = {f for f in Incident.__annotations__ if getattr(incident, f) != getattr(after, f)}
    assert set(record.changed) == differing - {"version", "updated_at"}
    assert (after.resolved_at is not None) == (after.state in (RESOLVED, CLOSED))
    assert (after.resolution is not None) == (after.state in (RESOLVED, CLOSED))
    assert (after.closed_at is not None) == (after.state is CLOSED)


def test_the_transitions_of_the_contract() -> None:
    active = {NEW, INVESTIGATING, IDENTIFIED, MONITORING}
    assert TRANSITIONS.keys() == set(IncidentState)
    for state in active:
        assert TRANSITIONS[state] == active | {RESOLVED}
    assert TRANSITIONS[RESOLVED] == {CLOSED, INVESTIGATING}
    assert TRANSITIONS[CLOSED] == {INVESTIGATING}


def test_the_event_names_who_when_and_why() -> None:
    desk = Desk()
    incident = bring(desk, RESOLVED)
    desk.do(command_of("reopen", incident.id), actor="kim", trace="00-aa-bb-01")
    record = desk.last
    assert (record.offset, record.time) == (len(desk.records), desk.now)
    assert (record.actor, record.principal, record.trace) == ("kim", "kim", "00-aa-bb-01")
    assert (record.kind, record.reason) == (Kind.REOPEN, "not done")


def test_a_created_incident_bears_what_was_given() -> None:
    desk = Desk()
    command = make_create(
        severity=Severity.P0,
        affected_resources=("web", "api"),
        labels={"team": "pay"},
        metadata={"k": "v"},
        assignees=("kim", "rae", "kim"),
    )
    incident = desk.do(command)
    assert isinstance(incident, Incident)
    assert (incident.state, incident.version, incident.alert_count) == (NEW, 1, 0)
    assert (incident.created_at, incident.updated_at) == (desk.now, desk.now)
    assert (incident.title, incident.description) == (command.title, command.description)
    assert (incident.source, incident.severity) == ("desk", Severity.P0)
    assert incident.incident_type is command.incident_type
    assert incident.affected_resources == ("web", "api")
    assert (incident.labels, incident.metadata) == ({"team": "pay"}, {"k": "v"})
    assert incident.assignees == ("kim", "rae")
    assert desk.last.created
    assert (desk.last.kind, desk.last.changed) == (Kind.CREATE, ())


def test_an_incident_by_hand_has_the_fingerprint_of_an_alert_of_its_like() -> None:
    desk = Desk()
    incident = desk.open(affected_resources=("web", "api"))
    ack = desk.alert(
        make_submit(
            source=incident.source,
            title=incident.title,
            incident_type=incident.incident_type,
            affected_services=("api", "web"),
        )
    )
    assert ack.incident_id == incident.id


def test_the_first_to_acknowledge_is_the_one_who_counts() -> None:
    desk = Desk()
    incident = desk.open()
    desk.do(c.AcknowledgeIncident(incident.id), actor="kim")
    first = desk.incident(incident.id)
    desk.wait(1)
    desk.do(c.AcknowledgeIncident(incident.id), actor="rae")
    second = desk.incident(incident.id)
    assert (first.acknowledged_by, first.acknowledged_at) == ("kim", desk.now - SECOND)
    assert second.acknowledged_by == "kim"
    assert second.acknowledged_at == first.acknowledged_at
    assert second.version == 3


def test_a_resolution_says_who_when_how_and_why() -> None:
    desk = Desk()
    incident = bring(desk, MONITORING)
    command = c.ResolveIncident(incident.id, ResolutionMethod.AUTOMATED, "rolled back", "a deploy")
    desk.do(command, actor="kim")
    after = desk.incident(incident.id)
    assert after.resolution == Resolution(
        desk.now, "kim", ResolutionMethod.AUTOMATED, "rolled back", "a deploy"
    )
    assert after.resolved_at == desk.now
    desk.wait(5)
    desk.do(c.CloseIncident(incident.id))
    closed = desk.incident(incident.id)
    assert (closed.resolved_at, closed.closed_at) == (after.resolved_at, desk.now)
    assert closed.resolution == after.resolution


def test_an_update_to_resolved_is_a_manual_resolution() -> None:
    desk = Desk()
    incident = desk.open()
    desk.do(c.UpdateIncident(incident.id, state=RESOLVED, title="Over"))
    after = desk.incident(incident.id)
    assert after.resolution == Resolution(desk.now, "rae", ResolutionMethod.MANUAL, "")
    assert after.title == "Over"
    assert set(desk.last.changed) == {"state", "title", "resolved_at", "resolution"}


def test_an_update_that_leaves_the_state_leaves_its_times() -> None:
    desk = Desk()
    incident = bring(desk, CLOSED)
    desk.do(c.UpdateIncident(incident.id, state=CLOSED, title="Over"))
    after = desk.incident(incident.id)
    assert (after.closed_at, after.resolved_at) == (incident.closed_at, incident.resolved_at)
    assert after.resolution == incident.resolution


def test_an_update_changes_what_it_names_and_nothing_else() -> None:
    desk = Desk()
    incident = desk.open(labels={"a": "1", "b": "2"}, metadata={"x": "y"}, assignees=("kim",))
    desk.do(
        c.UpdateIncident(
            incident.id,
            description="",
            severity=Severity.P4,
            assignees=("rae", "rae"),
            add_labels={"b": "3", "c": "4"},
            remove_labels=("a", "unknown"),
            metadata={},
        )
    )
    assert desk.incident(incident.id) == evolve(
        incident,
        description="",
        severity=Severity.P4,
        assignees=("rae",),
        labels={"b": "3", "c": "4"},
        metadata={},
        version=2,
        updated_at=desk.now,
    )


def test_a_label_both_removed_and_added_is_there() -> None:
    desk = Desk()
    incident = desk.open(labels={"a": "1"})
    desk.do(c.UpdateIncident(incident.id, add_labels={"a": "2"}, remove_labels=("a",)))
    assert desk.incident(incident.id).labels == {"a": "2"}


def test_an_update_without_a_change_is_refused() -> None:
    desk = Desk()
    refusal = refused(desk, c.UpdateIncident(desk.open().id))
    assert (refusal.code, refusal.field) == (ErrorCode.BAD_USER_INPUT, "input")


def test_all_labels_may_be_replaced() -> None:
    desk = Desk()
    incident = desk.open(labels={"a": "1", "b": "2"})
    desk.do(c.UpdateIncident(incident.id, labels={"c": "3"}))
    assert desk.incident(incident.id).labels == {"c": "3"}
    desk.do(
        c.UpdateIncident(
            incident.id, labels={"d": "4", "e": "5"}, add_labels={"f": "6"}, remove_labels=("e",)
        )
    )
    assert desk.incident(incident.id).labels == {"d": "4", "f": "6"}
    desk.do(c.UpdateIncident(incident.id, labels={}))
    assert desk.incident(incident.id).labels == {}


def test_replaced_labels_are_64_at_most_with_those_of_the_principal() -> None:
    desk = Desk()
    mine = {"tenant": "acme"}
    incident = desk.do(make_create(labels={"a": "1"}), selectors=mine)
    assert isinstance(incident, Incident)
    desk.do(c.UpdateIncident(incident.id, labels={"b": "2"}), selectors=mine)
    assert desk.incident(incident.id).labels == {"b": "2", "tenant": "acme"}
    full = {str(n): "" for n in range(64)}
    refusal = refused(desk, c.UpdateIncident(incident.id, labels=full), selectors=mine)
    assert (refusal.code, refusal.field) == (ErrorCode.BAD_USER_INPUT, "labels")


def test_labels_add_up_to_64_at_most() -> None:
    desk = Desk()
    incident = desk.open(labels={str(n): "" for n in range(64)})
    desk.do(c.UpdateIncident(incident.id, add_labels={"0": "x"}))
    refusal = refused(desk, c.UpdateIncident(incident.id, add_labels={"64": "x"}))
    assert (refusal.code, refusal.field) == (ErrorCode.BAD_USER_INPUT, "addLabels")
    assert "65" in refusal.message
    desk.do(c.UpdateIncident(incident.id, add_labels={"64": "x"}, remove_labels=("63",)))
    assert len(desk.incident(incident.id).labels) == 64


@pytest.mark.parametrize("now", Severity)
@pytest.mark.parametrize("to", Severity)
def test_an_escalation_never_lowers(now: Severity, to: Severity) -> None:
    desk = Desk()
    incident = desk.open(severity=now)
    command = c.EscalateIncident(incident.id, to, "because")
    if int(to.value[1]) > int(now.value[1]):
        refusal = refused(desk, command)
        assert (refusal.code, refusal.field) == (ErrorCode.BAD_USER_INPUT, "newSeverity")
        return
    desk.do(command)
    assert desk.incident(incident.id).severity is to
    assert (desk.last.kind, desk.last.reason) == (Kind.ESCALATE, "because")


def test_a_comment_is_in_its_event() -> None:
    desk = Desk()
    incident = bring(desk, CLOSED)
    desk.do(c.AddComment(incident.id, "hello"), actor="kim")
    comment = desk.last.comment
    assert comment is not None
    assert comment == Comment(comment.id, "kim", "hello", desk.now)
    assert desk.last.changed == ()


def test_a_link_is_an_event_on_both_sides() -> None:
    desk = Desk()
    near, far = desk.open(title="one"), desk.open(title="two")
    outcome = desk.do(c.LinkIncidents(near.id, far.id))
    first, second = desk.records[-2:]
    assert outcome == first.incident
    assert first.incident is not None
    assert second.incident is not None
    assert (first.incident.id, first.related_id) == (near.id, far.id)
    assert (second.incident.id, second.related_id) == (far.id, near.id)
    assert (first.incident.version, second.incident.version) == (2, 2)
    assert second.offset == first.offset + 1


def test_an_incident_is_not_linked_to_itself() -> None:
    desk = Desk()
    incident = desk.open()
    refusal = refused(desk, c.LinkIncidents(incident.id, incident.id))
    assert (refusal.code, refusal.field) == (ErrorCode.BAD_USER_INPUT, "relatedId")


@pytest.mark.parametrize("name", [row[0] for row in ROWS])
def test_an_unknown_incident_is_not_found(name: str) -> None:
    desk = Desk()
    refusal = refused(desk, command_of(name, "no-such", desk.open().id))
    assert (refusal.code, refusal.field) == (ErrorCode.NOT_FOUND, "id")
    assert "no-such" in refusal.message


def test_an_unknown_other_side_is_the_one_that_is_named() -> None:
    desk = Desk()
    refusal = refused(desk, c.LinkIncidents(desk.open().id, "no-such"))
    assert (refusal.code, refusal.field) == (ErrorCode.NOT_FOUND, "relatedId")
    assert "no-such" in refusal.message


@pytest.mark.parametrize("name", [row[0] for row in ROWS if row[0] not in ("comment", "link")])
def test_the_expected_version_must_be_the_version(name: str) -> None:
    desk = Desk()
    incident = bring(desk, {"close": RESOLVED, "reopen": CLOSED}.get(name, NEW))
    if name == "to-CLOSED":
        desk.do(command_of("resolve", incident.id))
        incident = desk.incident(incident.id)
    command = command_of(name, incident.id)
    for wrong in (incident.version - 1, incident.version + 1):
        refusal = refused(desk, evolve(command, expected_version=wrong))
        assert (refusal.code, refusal.field) == (ErrorCode.CONFLICT, "expectedVersion")
        assert str(incident.version) in refusal.message
    desk.do(evolve(command, expected_version=incident.version))
    assert desk.incident(incident.id).version == incident.version + 1


def test_a_stale_version_is_a_conflict_even_where_the_state_forbids_it_too() -> None:
    desk = Desk()
    incident = bring(desk, CLOSED)
    command = c.ResolveIncident(incident.id, ResolutionMethod.MANUAL, "", expected_version=1)
    assert refused(desk, command).code is ErrorCode.CONFLICT


@pytest.mark.parametrize("name", [row[0] for row in ROWS])
def test_what_lies_outside_the_selectors_is_not_found(name: str) -> None:
    desk = Desk()
    mine = {"tenant": "acme"}
    other = desk.do(make_create(title="other", labels=mine))
    incident = desk.do(make_create(labels={"tenant": "corp"}))
    assert isinstance(incident, Incident)
    assert isinstance(other, Incident)
    command = command_of(name, incident.id, other.id)
    assert refused(desk, command, selectors=mine).code is ErrorCode.NOT_FOUND


def test_a_redaction_cannot_take_off_what_confines() -> None:
    desk = Desk()
    mine = {"tenant": "acme"}
    incident = desk.do(make_create(labels={"a": "1"}), selectors=mine)
    assert isinstance(incident, Incident)
    refusal = refused(desk, c.RedactIncident(incident.id, "asked for", (), ("t*",)), selectors=mine)
    assert (refusal.code, refusal.field) == (ErrorCode.BAD_USER_INPUT, "labels")
    desk.do(c.RedactIncident(incident.id, "asked for", (), ("a",)), selectors=mine)
    assert desk.incident(incident.id).labels["tenant"] == "acme"


def test_selectors_go_onto_what_is_made_and_cannot_be_taken_off() -> None:
    desk = Desk()
    mine = {"tenant": "acme"}
    incident = desk.do(make_create(labels={"tenant": "corp", "a": "1"}), selectors=mine)
    assert isinstance(incident, Incident)
    assert incident.labels == {"tenant": "acme", "a": "1"}
    command = c.UpdateIncident(
        incident.id, add_labels={"tenant": "corp"}, remove_labels=("tenant", "a")
    )
    desk.do(command, selectors=mine)
    assert desk.incident(incident.id).labels == mine


def test_a_clock_that_goes_back_takes_no_incident_back() -> None:
    desk = Desk()
    incident = bring(desk, INVESTIGATING)
    latest = incident.updated_at
    desk.wait(-3600)
    desk.do(c.AddComment(incident.id, "hello"))
    assert desk.incident(incident.id).updated_at == latest


@pytest.mark.parametrize("name", [row[0] for row in ROWS])
def test_a_command_needs_the_incidents_it_names(name: str) -> None:
    ids = {"1", "2"} if name == "link" else {"1"}
    ctx = Desk().context()
    assert needs(command_of(name, "1", "2"), ctx) == Needs(incidents=frozenset(ids))


def test_a_new_incident_needs_nothing() -> None:
    assert not needs(make_create(), Desk().context())
