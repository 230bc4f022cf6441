import hashlib
import json

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.model import KeyState, fingerprint, key_state
from incident_manager.actors.vocabulary import AlertStatus, IncidentState, IncidentType, Severity
from unit.actors.builders import before_of, make_alert, make_incident, make_record

TEXT = st.text()


@given(TEXT, st.sampled_from(IncidentType), TEXT, st.lists(TEXT))
def test_the_fingerprint_is_that_of_the_recipe(
    source: str, kind: IncidentType, title: str, affected: list[str]
) -> None:
    canonical = json.dumps(
        [source, kind.value, title, sorted(affected)], ensure_ascii=False, separators=(",", ":")
    )
    expected = hashlib.sha256(canonical.encode()).hexdigest()
    assert fingerprint(source, kind, title, affected) == expected


def test_the_fingerprint_of_an_example() -> None:
    # printf '["prometheus","UNKNOWN","Checkout is slow",["api","web"]]' | sha256sum
    expected = "6a9daf93550453d6998c910f69e0962d128e5698d48f3af761b1d746e1583a5c"
    found = fingerprint("prometheus", IncidentType.UNKNOWN, "Checkout is slow", ("web", "api"))
    assert found == expected


@given(TEXT, TEXT, st.lists(TEXT))
def test_the_order_of_services_makes_no_difference(
    source: str, title: str, affected: list[str]
) -> None:
    kind = IncidentType.UNKNOWN
    turned = affected[::-1]
    assert fingerprint(source, kind, title, affected) == fingerprint(source, kind, title, turned)


@pytest.mark.parametrize(
    ("state", "active"),
    [
        (IncidentState.NEW, True),
        (IncidentState.INVESTIGATING, True),
        (IncidentState.IDENTIFIED, True),
        (IncidentState.MONITORING, True),
        (IncidentState.RESOLVED, False),
        (IncidentState.CLOSED, False),
    ],
)
def test_active_is_neither_resolved_nor_closed(state: IncidentState, active: bool) -> None:
    assert make_incident(state=state).is_active is active


@pytest.mark.parametrize(("severity", "critical"), [*zip(Severity, (1, 1, 0, 0, 0), strict=True)])
def test_critical_is_p0_and_p1(severity: Severity, critical: int) -> None:
    assert make_incident(severity=severity).is_critical is bool(critical)


def test_ranks_rise_as_severity_falls() -> None:
    assert [severity.rank for severity in Severity] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("status", AlertStatus)
def test_an_alert_is_deduplicated_where_it_joined(status: AlertStatus) -> None:
    joined = {AlertStatus.DEDUPLICATED, AlertStatus.MERGED}
    assert make_alert(status=status).deduplicated is (status in joined)


def test_an_event_without_a_before_creates_its_incident() -> None:
    incident = make_incident()
    assert make_record(1, incident).created
    assert not make_record(1, incident, before=before_of(incident)).created
    nothing = evolve(make_record(1), incident=None, alert=make_alert())
    assert not nothing.created


def test_an_event_changes_the_key_of_its_alert() -> None:
    incident = make_incident()
    fires = make_alert(incident=incident, source_key="k", scope="s")
    assert key_state(make_record(1, incident, alert=fires)) == KeyState("s", "k", incident.id, True)
    resolved = evolve(fires, status=AlertStatus.RESOLVED)
    assert key_state(make_record(1, incident, alert=resolved)) == KeyState(
        "s", "k", incident.id, False
    )
    assert key_state(make_record(1, incident)) is None
    assert key_state(make_record(1, incident, alert=evolve(fires, source_key=None))) is None
    ignored = evolve(make_record(1, incident, alert=evolve(fires, incident_id=None)), incident=None)
    assert key_state(ignored) is None
