"""Weights: they grow with every text, so that no text escapes the budgets."""

import pytest
from attrs import evolve

from incident_manager.actors.model import Comment, Resolution
from incident_manager.actors.vocabulary import ResolutionMethod
from incident_manager.actors.weight import incident_weight, record_weight
from unit.actors.builders import make_alert, make_incident, make_record

LONG = "x" * 10_000


@pytest.mark.parametrize(
    "changes",
    [
        {"title": LONG},
        {"description": LONG},
        {"labels": {"a": LONG}},
        {"metadata": {LONG: "a"}},
        {"assignees": (LONG,)},
        {"affected_resources": (LONG,)},
        {"resolution": Resolution(1, "me", ResolutionMethod.MANUAL, LONG)},
        {"resolution": Resolution(1, "me", ResolutionMethod.MANUAL, "", LONG)},
    ],
)
def test_every_text_of_an_incident_weighs(changes: dict[str, object]) -> None:
    light = incident_weight(make_incident(1))
    assert incident_weight(make_incident(1, **changes)) >= light + 9_000


def test_an_event_weighs_its_incident_its_alert_and_its_comment() -> None:
    incident = make_incident(1)
    record = make_record(1, incident)
    alert = make_alert(1, incident)
    with_alert = evolve(record, alert=alert)
    heavy = evolve(record, alert=evolve(alert, annotations={"a": LONG}))
    said = evolve(record, comment=Comment("c", "me", LONG, 1))
    assert record_weight(evolve(record, alert=None)) >= incident_weight(incident)
    assert record_weight(heavy) >= record_weight(with_alert) + 9_000
    assert record_weight(said) >= record_weight(record) + 10_000


def test_none_weighs_nothing() -> None:
    assert incident_weight(None) == 0
