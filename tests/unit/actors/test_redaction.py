import pytest
from attrs import evolve

from incident_manager.actors import answers
from incident_manager.actors.model import Ack, Resolution
from incident_manager.actors.redaction import (
    REDACTED,
    Redaction,
    Scope,
    redact_alert,
    redact_comment,
    redact_incident,
    redact_line,
    redact_record,
)
from incident_manager.actors.timeline import timeline_entries
from incident_manager.actors.vocabulary import AckStatus, Kind, ResolutionMethod
from unit.actors.builders import change, make_alert, make_comment, make_incident, make_record

RESOLUTION = Resolution(9, "rae", ResolutionMethod.MANUAL, "s", "s")
ONE = make_incident(
    1,
    title="s",
    description="s",
    metadata={"s": "s"},
    affected_resources=("s",),
    labels={"user": "s", "user.mail": "s", "team": "web"},
    resolution=RESOLUTION,
)
ALERT = make_alert(
    1,
    ONE,
    title="s",
    description="s",
    annotations={"s": "s"},
    runbook_url="s",
    affected_services=("s",),
    labels=ONE.labels,
)
RECORD = make_record(
    1, ONE, alert=ALERT, comment=make_comment(1, content="s"), reason="s", kind=Kind.ESCALATE
)


def only(*scope: Scope) -> Redaction:
    return Redaction(ONE.id, frozenset(scope))


@pytest.mark.parametrize(
    ("scope", "changed"),
    [
        (Scope.TITLE, {"title": REDACTED}),
        (Scope.DESCRIPTION, {"description": REDACTED}),
        (Scope.METADATA, {"metadata": {}}),
        (Scope.RESOURCES, {"affected_resources": ()}),
        (
            Scope.RESOLUTION,
            {"resolution": evolve(RESOLUTION, notes=REDACTED, root_cause=REDACTED)},
        ),
        (Scope.COMMENTS, {}),
        (Scope.ALERTS, {}),
    ],
)
def test_each_field_goes_by_itself(scope: Scope, changed: dict[str, object]) -> None:
    assert redact_incident(ONE, only(scope)) == evolve(ONE, **changed)


def test_what_says_nothing_stays() -> None:
    empty = make_incident(
        1, description="", resolution=evolve(RESOLUTION, notes="", root_cause=None)
    )
    found = redact_incident(empty, Redaction(ONE.id))
    assert (found.description, found.resolution) == ("", empty.resolution)


def test_values_of_labels_go_by_the_names_of_labels() -> None:
    redaction = Redaction(ONE.id, frozenset(), ("user*",))
    labels = {"user": REDACTED, "user.mail": REDACTED, "team": "web"}
    assert redact_incident(ONE, redaction) == evolve(ONE, labels=labels)
    assert redact_alert(ALERT, redaction) == evolve(ALERT, labels=labels)
    assert redact_incident(ONE, only()) == ONE


def test_alerts() -> None:
    assert redact_alert(ALERT, only(Scope.RESOURCES)) == evolve(ALERT, affected_services=())
    found = redact_alert(ALERT, only(Scope.ALERTS))
    assert found == evolve(
        ALERT, title=REDACTED, description=REDACTED, annotations={}, runbook_url=None
    )


def test_comments_and_reasons() -> None:
    comment = make_comment(1)
    assert redact_comment(comment, only(Scope.TITLE)) == comment
    found = redact_record(RECORD, only(Scope.COMMENTS))
    assert found == evolve(RECORD, reason=REDACTED, comment=make_comment(1, content=REDACTED))
    assert redact_record(evolve(RECORD, kind=Kind.REDACT), only(Scope.COMMENTS)).reason == "s"
    assert redact_record(evolve(RECORD, reason=None), only(Scope.COMMENTS)).reason is None


def test_a_record_of_no_incident_alert_or_comment() -> None:
    record = evolve(make_record(1), incident=None)
    assert redact_record(record, Redaction(ONE.id)) == record


def test_an_event_has_as_many_lines_as_before() -> None:
    record = evolve(change(2, ONE, Kind.RESOLVE), comment=make_comment(1), reason="s")
    for each in (RECORD, record):
        after = redact_record(each, Redaction(ONE.id))
        assert len(timeline_entries(after)) == len(timeline_entries(each))


def test_a_line_alone_keeps_what_cannot_be_a_text() -> None:
    [line] = timeline_entries(make_record(1, ONE))
    found = redact_line(evolve(line, metadata={**line.metadata, "said": "s"}))
    assert found == evolve(line, description=REDACTED)


def test_an_answer_loses_the_incident_and_no_other() -> None:
    other, ack = make_incident(2), Ack("a", ONE.id, AckStatus.ACCEPTED, "taken", 1)
    body = answers.redact(answers.encode((ONE, other, ack)), Redaction(ONE.id))
    assert answers.decode(body) == (redact_incident(ONE, Redaction(ONE.id)), other, ack)
