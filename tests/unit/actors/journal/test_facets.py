from incident_manager.actors.journal.facets import (
    Conditions,
    Facet,
    Term,
    alert_conditions,
    alert_rows,
    incident_conditions,
    incident_rows,
    label_terms,
    storable,
)
from incident_manager.actors.journal.place import INT64
from incident_manager.actors.journal.reads import AlertQuery, IncidentQuery
from incident_manager.actors.vocabulary import IncidentState, IncidentType, Severity
from unit.actors.builders import START, make_alert, make_incident


def test_an_incident_is_found_by() -> None:
    incident = make_incident(
        1,
        state=IncidentState.CLOSED,
        severity=Severity.P0,
        labels={"a": "b"},
        assignees=("rae", "rae"),
    )
    end = (5, 4, incident.created_at, incident.id)
    assert incident_rows(incident) == {
        (Facet.INCIDENT, "", "", *end),
        (Facet.SOURCE, "", "prometheus", *end),
        (Facet.TYPE, "", "PERFORMANCE", *end),
        (Facet.LABEL, "a", "b", *end),
        (Facet.ASSIGNEE, "", "rae", *end),
    }


def test_an_alert_is_found_by() -> None:
    incident = make_incident(1)
    alert = make_alert(1, incident, labels={"a": "b"})
    end = (0, 2, alert.received_at, alert.id)
    assert alert_rows(alert) == {
        (Facet.ALERT, "", "", *end),
        (Facet.ALERT_SOURCE, "", "prometheus", *end),
        (Facet.ALERT_LABEL, "a", "b", *end),
    }


def test_a_query_without_conditions_asks_for_all() -> None:
    assert incident_conditions(IncidentQuery()) == Conditions(
        (Term(Facet.INCIDENT, "", ("",)),), frozenset(range(6)), frozenset(range(5))
    )
    assert alert_conditions(AlertQuery()) == Conditions(
        (Term(Facet.ALERT, "", ("",)),), frozenset({0}), frozenset(range(5))
    )


def test_every_condition_is_a_term_or_a_bound() -> None:
    query = IncidentQuery(
        states=frozenset({IncidentState.NEW, IncidentState.CLOSED}),
        severities=frozenset({Severity.P0}),
        sources=frozenset({"b", "a"}),
        types=frozenset({IncidentType.COST}),
        active_only=True,
        assigned_to="rae",
        labels={"k": "v"},
        created_after=START,
        created_before=2**70,
    )
    assert incident_conditions(query) == Conditions(
        (
            Term(Facet.SOURCE, "", ("a", "b")),
            Term(Facet.TYPE, "", ("COST",)),
            Term(Facet.ASSIGNEE, "", ("rae",)),
            Term(Facet.LABEL, "k", ("v",)),
        ),
        frozenset({0}),
        frozenset({4}),
        START,
        INT64,
    )
    alerts = AlertQuery(
        sources=frozenset({"a"}), incident_id="i", labels={"k": "v"}, received_after=-(2**70)
    )
    assert alert_conditions(alerts) == Conditions(
        (
            Term(Facet.ALERT_SOURCE, "", ("a",)),
            Term(Facet.ALERT_INCIDENT, "", ("i",)),
            Term(Facet.ALERT_LABEL, "k", ("v",)),
        ),
        frozenset({0}),
        frozenset(range(5)),
        -INT64,
    )


def test_what_no_row_can_hold_is_left_out() -> None:
    assert storable("a\0b")
    assert not storable("a\udfff")
    query = IncidentQuery(sources=frozenset({"a", "\ud800"}), assigned_to="\ud800")
    assert incident_conditions(query).terms == (
        Term(Facet.SOURCE, "", ("a",)),
        Term(Facet.ASSIGNEE, "", ()),
    )
    assert label_terms(Facet.LABEL, {"\ud800": "a"}) == (Term(Facet.LABEL, "", ()),)
