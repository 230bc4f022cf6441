import pytest
from attrs import evolve

from incident_manager.actors.model import Alert, Incident, Record
from incident_manager.actors.selectors import alone, bears, owns, seen, selectors_of
from incident_manager.actors.vocabulary import AlertStatus, Kind
from unit.actors.builders import change, make_alert, make_comment, make_incident, make_record

ACME = selectors_of({"tenant": "acme"})
MINE = {"tenant": "acme", "a": "1"}
THEIRS = {"tenant": "corp", "a": "1"}


def test_selectors_are_sorted_pairs() -> None:
    assert selectors_of({"b": "2", "a": "1"}) == (("a", "1"), ("b", "2"))
    assert selectors_of({}) == ()


@pytest.mark.parametrize(
    ("asked", "held"),
    [
        ({}, True),
        ({"tenant": "acme"}, True),
        ({"tenant": "acme", "a": "1"}, True),
        ({"tenant": "acme", "a": "2"}, False),
        ({"tenant": "corp"}, False),
        ({"b": ""}, False),
    ],
)
def test_every_pair_must_be_borne(asked: dict[str, str], held: bool) -> None:
    assert bears(MINE, asked) is owns(selectors_of(asked), MINE) is held
    assert bears(MINE, None)


def event(incident: dict[str, str] | None, alert: dict[str, str] | None) -> Record:
    """An event of an incident and an alert with these labels."""
    one = make_incident(1, labels=incident or {})
    record = change(2, one, Kind.ALERT, alert_count=2)
    if alert is not None:
        joined = make_alert(1, one, labels=alert, status=AlertStatus.DEDUPLICATED)
        record = evolve(record, alert=joined)
    return record if incident is not None else evolve(record, incident=None, before=None)


def halves(record: Record | None) -> tuple[Incident | None, Alert | None] | None:
    return None if record is None else (record.incident, record.alert)


def test_who_is_not_confined_sees_everything() -> None:
    record = event(THEIRS, THEIRS)
    assert seen(record, ()) is record


@pytest.mark.parametrize("alert", [None, MINE])
def test_what_is_wholly_ones_own_is_as_it_is(alert: dict[str, str] | None) -> None:
    record = event(MINE, alert)
    assert seen(record, ACME) is record


def test_an_alert_of_others_in_ones_own_incident_is_left_out() -> None:
    record = event(MINE, THEIRS)
    assert halves(seen(record, ACME)) == (record.incident, None)


def test_ones_own_alert_in_an_incident_of_others_is_alone() -> None:
    record = evolve(event(THEIRS, MINE), reason="theirs", related_id="x", comment=make_comment(1))
    shown = seen(record, ACME)
    assert shown is not None
    assert shown.alert is not None
    assert (shown.alert.incident_id, shown.alert.status) == (None, AlertStatus.IGNORED)
    rest = (shown.incident, shown.before, shown.comment, shown.related_id, shown.reason)
    assert rest == (None,) * 5
    assert shown.changed == ()


def test_an_alert_without_an_incident() -> None:
    record = event(None, MINE)
    shown = seen(evolve(record, alert=evolve(record.alert, incident_id=None)), ACME)  # type: ignore[type-var]
    assert shown is not None
    assert seen(event(None, THEIRS), ACME) is None


@pytest.mark.parametrize("alert", [None, THEIRS])
def test_what_is_wholly_of_others_is_not_there(alert: dict[str, str] | None) -> None:
    assert seen(event(THEIRS, alert), ACME) is None
    assert seen(event({}, alert), ACME) is None


def test_an_incident_counts_as_the_event_has_left_it() -> None:
    incident = make_incident(1, labels=MINE)
    assert seen(change(2, incident, labels=THEIRS), ACME) is None
    assert seen(change(2, make_incident(1, labels=THEIRS), labels=MINE), ACME) is not None


def test_an_alert_that_is_alone_stays_as_it_is() -> None:
    alert = evolve(make_alert(1, make_incident(1)), incident_id=None)
    assert alone(alert) is alert
    assert seen(make_record(1, alert=alert), ()) is not None
