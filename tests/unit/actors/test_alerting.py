"""What becomes of an alert: the rules of the contract's section 5, one by one."""

import pytest
from attrs import evolve

from incident_manager.actors import commands as c
from incident_manager.actors.alerting import alert_needs, scope_of
from incident_manager.actors.model import Ack, Incident, Resolution, fingerprint
from incident_manager.actors.vocabulary import (
    AckStatus,
    AlertStatus,
    AlertType,
    IncidentState,
    IncidentType,
    Kind,
    ResolutionMethod,
    Severity,
)
from unit.actors.builders import SECOND
from unit.actors.support import WINDOW, Desk, fold, make_create, make_submit

FIRES = make_submit(source_key="k1")
GONE = evolve(FIRES, resolved=True)


def resolve(desk: Desk, incident_id: str | None) -> None:
    assert incident_id is not None
    desk.do(c.ResolveIncident(incident_id, ResolutionMethod.MANUAL, ""))


def status(desk: Desk) -> AlertStatus:
    assert desk.last.alert is not None
    return desk.last.alert.status


# --- a first alert ---


def test_a_first_alert_makes_an_incident() -> None:
    desk = Desk()
    command = make_submit(
        severity=Severity.P1,
        alert_type=AlertType.METRIC,
        incident_type=IncidentType.CAPACITY,
        external_id="ext-1",
        labels={"team": "pay"},
        affected_services=("web", "api"),
        annotations={"summary": "slow"},
        runbook_url="https://runbooks.example/1",
        timestamp=desk.now - SECOND,
    )
    ack = desk.alert(command, actor="kim", trace="00-aa-bb-01")
    record, alert, incident = desk.last, desk.last.alert, desk.last.incident
    assert alert is not None
    assert incident is not None
    assert ack == Ack(alert.id, incident.id, AckStatus.ACCEPTED, "Incident created.", desk.now)
    assert alert.id != incident.id
    assert (record.kind, record.actor, record.trace) == (Kind.ALERT, "kim", "00-aa-bb-01")
    assert record.created
    assert (incident.state, incident.version, incident.alert_count) == (IncidentState.NEW, 1, 1)
    assert (incident.title, incident.source) == (command.title, command.source)
    assert (incident.description, incident.severity) == (command.description, Severity.P1)
    assert incident.incident_type is IncidentType.CAPACITY
    assert (incident.labels, incident.affected_resources) == ({"team": "pay"}, ("web", "api"))
    assert (incident.created_at, incident.updated_at) == (desk.now, desk.now)
    assert alert.status is AlertStatus.CREATED_INCIDENT
    assert alert.incident_id == incident.id
    assert (alert.external_id, alert.alert_type) == ("ext-1", AlertType.METRIC)
    assert (alert.timestamp, alert.received_at) == (desk.now - SECOND, desk.now)
    assert (alert.annotations, alert.runbook_url) == (command.annotations, command.runbook_url)
    assert (alert.labels, alert.affected_services) == ({"team": "pay"}, ("web", "api"))
    expected = fingerprint("prometheus", IncidentType.CAPACITY, command.title, ("api", "web"))
    assert alert.fingerprint == incident.fingerprint == expected


def test_an_alert_without_id_or_time_gets_its_own() -> None:
    desk = Desk()
    desk.alert(make_submit())
    alert = desk.last.alert
    assert alert is not None
    assert (alert.external_id, alert.timestamp) == (alert.id, desk.now)


# --- the window ---


@pytest.mark.parametrize(
    ("age", "joins"), [(0, True), (WINDOW / SECOND, True), (WINDOW / SECOND + 1e-6, False)]
)
def test_an_alert_joins_its_like_within_the_window(age: float, joins: bool) -> None:
    desk = Desk()
    first = desk.alert(make_submit())
    desk.wait(age)
    second = desk.alert(make_submit(severity=Severity.P0, description="another"))
    assert (second.incident_id == first.incident_id) is joins
    if not joins:
        assert second.status is AckStatus.ACCEPTED
        return
    assert (second.status, second.message) == (AckStatus.DUPLICATE, "Joined an active incident.")
    incident = desk.incident(first.incident_id)
    assert (incident.alert_count, incident.version) == (2, 1)
    assert incident.severity is Severity.P2
    assert incident.updated_at == desk.now
    assert desk.last.changed == ("alert_count",)
    assert not desk.last.created
    assert status(desk) is AlertStatus.DEDUPLICATED


def test_the_window_counts_from_the_creation_not_from_the_last_alert() -> None:
    desk = Desk()
    first = desk.alert(make_submit())
    desk.wait(600)
    assert desk.alert(make_submit()).incident_id == first.incident_id
    desk.wait(600)
    third = desk.alert(make_submit())
    assert third.incident_id != first.incident_id
    desk.wait(600)
    assert desk.alert(make_submit()).incident_id == third.incident_id


@pytest.mark.parametrize(
    "other",
    [
        {"source": "grafana"},
        {"title": "Checkout is slow "},
        {"incident_type": IncidentType.CAPACITY},
        {"affected_services": ("web",)},
    ],
)
def test_what_differs_in_the_fingerprint_does_not_join(other: dict[str, object]) -> None:
    desk = Desk()
    first = desk.alert(make_submit())
    assert desk.alert(make_submit(**other)).incident_id != first.incident_id


@pytest.mark.parametrize("closed", [False, True])
def test_only_an_active_incident_is_joined_and_any_active_state_will_do(closed: bool) -> None:
    desk = Desk()
    first = desk.alert(make_submit())
    assert first.incident_id is not None
    desk.do(c.UpdateIncident(first.incident_id, state=IncidentState.MONITORING))
    assert desk.alert(make_submit()).incident_id == first.incident_id
    resolve(desk, first.incident_id)
    if closed:
        desk.do(c.CloseIncident(first.incident_id))
    other = desk.alert(make_submit())
    assert other.incident_id != first.incident_id
    # A reopened one is active again; the newest is joined.
    desk.do(c.ReopenIncident(first.incident_id))
    assert desk.alert(make_submit()).incident_id == other.incident_id
    resolve(desk, other.incident_id)
    assert desk.alert(make_submit()).incident_id == first.incident_id


def test_a_window_of_nothing_joins_only_the_same_moment() -> None:
    desk = Desk()
    first = desk.alert(make_submit(), window=0)
    assert desk.alert(make_submit(), window=0).incident_id == first.incident_id
    desk.wait(0.000001)
    assert desk.alert(make_submit(), window=0).incident_id != first.incident_id


# --- source keys ---


def test_an_alert_joins_the_active_incident_of_its_key_at_any_age() -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    desk.wait(30 * 86400)
    again = desk.alert(FIRES)
    assert (again.incident_id, again.status) == (first.incident_id, AckStatus.DUPLICATE)
    assert status(desk) is AlertStatus.DEDUPLICATED
    other = desk.alert(evolve(FIRES, title="Checkout is very slow"))
    assert (other.incident_id, other.status) == (first.incident_id, AckStatus.DUPLICATE)
    assert status(desk) is AlertStatus.MERGED
    incident = desk.incident(first.incident_id)
    assert (incident.alert_count, incident.version) == (3, 1)
    assert incident.title == "Checkout is slow"


def test_keys_of_one_fingerprint_meet_within_the_window() -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    assert desk.alert(evolve(FIRES, source_key="k2")).incident_id == first.incident_id
    desk.wait(901)
    assert desk.alert(evolve(FIRES, source_key="k3")).incident_id != first.incident_id


def test_the_last_firing_key_resolves_the_incident() -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    desk.alert(evolve(FIRES, source_key="k2"))
    ack = desk.alert(GONE)
    assert (ack.status, ack.message) == (AckStatus.ACCEPTED, "Alert resolved.")
    assert ack.incident_id == first.incident_id
    assert status(desk) is AlertStatus.RESOLVED
    incident = desk.incident(first.incident_id)
    assert (incident.state, incident.version, incident.alert_count) == (IncidentState.NEW, 1, 3)
    desk.wait(3)
    ack = desk.alert(evolve(GONE, source_key="k2"), actor="alertmanager")
    assert (ack.status, ack.message) == (AckStatus.ACCEPTED, "Incident resolved.")
    incident = desk.incident(first.incident_id)
    assert (incident.state, incident.version, incident.alert_count) == (
        IncidentState.RESOLVED,
        2,
        4,
    )
    assert incident.resolved_at == desk.now
    assert incident.resolution == Resolution(
        desk.now,
        "alertmanager",
        ResolutionMethod.AUTOMATED,
        "Its last firing alert is resolved.",
    )


def test_a_key_that_resolves_twice_counts_once() -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    desk.alert(evolve(FIRES, source_key="k2"))
    desk.alert(GONE)
    desk.alert(GONE)
    assert desk.incident(first.incident_id).is_active
    desk.alert(evolve(GONE, source_key="k2"))
    assert not desk.incident(first.incident_id).is_active


def test_a_key_that_fires_twice_counts_once() -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    desk.alert(FIRES)
    desk.alert(GONE)
    assert not desk.incident(first.incident_id).is_active


def test_a_key_that_resolved_and_fires_again_is_firing() -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    desk.alert(evolve(FIRES, source_key="k2"))
    desk.alert(GONE)
    desk.alert(FIRES)
    desk.alert(evolve(GONE, source_key="k2"))
    assert desk.incident(first.incident_id).is_active
    desk.alert(GONE)
    assert not desk.incident(first.incident_id).is_active


@pytest.mark.parametrize("closed", [False, True])
def test_a_resolve_for_what_is_resolved_already_leaves_its_state(closed: bool) -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    resolve(desk, first.incident_id)
    if closed:
        assert first.incident_id is not None
        desk.do(c.CloseIncident(first.incident_id))
    before = desk.incident(first.incident_id)
    ack = desk.alert(GONE)
    assert ack.message == "Alert resolved."
    after = desk.incident(first.incident_id)
    assert after == evolve(before, alert_count=2, updated_at=desk.now)


def test_a_resolve_for_a_reopened_incident_none_of_whose_keys_fires_leaves_it() -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    desk.alert(GONE)
    assert first.incident_id is not None
    desk.do(c.ReopenIncident(first.incident_id))
    desk.alert(GONE)
    assert desk.incident(first.incident_id).state is IncidentState.INVESTIGATING


@pytest.mark.parametrize("command", [GONE, make_submit(resolved=True)], ids=["key", "no key"])
def test_a_resolve_for_nothing_known_is_ignored(command: c.SubmitAlert) -> None:
    desk = Desk()
    desk.alert(make_submit())
    ack = desk.alert(command, trace="00-aa-bb-01")
    record = desk.last
    assert record.alert is not None
    assert ack == Ack(record.alert.id, None, AckStatus.ACCEPTED, "Nothing to resolve.", desk.now)
    assert (record.incident, record.before, record.changed) == (None, None, ())
    assert (record.kind, record.trace) == (Kind.ALERT, "00-aa-bb-01")
    assert status(desk) is AlertStatus.IGNORED
    assert record.alert.incident_id is None
    assert len(fold(desk.records).incidents) == 1


@pytest.mark.parametrize(
    ("age", "reopens"), [(0, True), (WINDOW / SECOND, True), (WINDOW / SECOND + 1e-6, False)]
)
def test_firing_again_within_the_window_reopens(age: float, reopens: bool) -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    desk.wait(10_000)
    desk.alert(GONE)
    before = desk.incident(first.incident_id)
    desk.wait(age)
    ack = desk.alert(FIRES)
    assert (ack.incident_id == first.incident_id) is reopens
    if not reopens:
        assert ack.message == "Incident created."
        assert desk.incident(first.incident_id) == before
        return
    assert (ack.status, ack.message) == (AckStatus.ACCEPTED, "Incident reopened.")
    after = desk.incident(first.incident_id)
    assert after == evolve(
        before,
        state=IncidentState.INVESTIGATING,
        resolved_at=None,
        resolution=None,
        alert_count=3,
        version=3,
        updated_at=desk.now,
    )
    assert status(desk) is AlertStatus.MERGED
    assert desk.last.reason is not None
    desk.alert(GONE)
    assert not desk.incident(first.incident_id).is_active


def test_what_somebody_resolved_reopens_too_but_what_somebody_closed_does_not() -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    resolve(desk, first.incident_id)
    assert desk.alert(FIRES).incident_id == first.incident_id
    resolve(desk, first.incident_id)
    assert first.incident_id is not None
    desk.do(c.CloseIncident(first.incident_id))
    assert desk.alert(FIRES).incident_id != first.incident_id


def test_a_key_moves_to_another_incident() -> None:
    desk = Desk()
    old = desk.alert(FIRES)
    desk.alert(evolve(FIRES, source_key="k2"))
    resolve(desk, old.incident_id)
    desk.wait(901)
    new = desk.alert(FIRES)
    assert new.incident_id != old.incident_id
    tables = fold(desk.records)
    assert old.incident_id is not None
    assert new.incident_id is not None
    assert (tables.firing(old.incident_id), tables.firing(new.incident_id)) == (1, 1)
    # What is left of the old one is k2 alone; k1 now speaks for the new one.
    desk.do(c.ReopenIncident(old.incident_id))
    desk.alert(GONE)
    assert desk.incident(old.incident_id).is_active
    assert not desk.incident(new.incident_id).is_active
    desk.alert(evolve(GONE, source_key="k2"))
    assert not desk.incident(old.incident_id).is_active


def test_a_key_whose_incident_is_over_joins_its_like_within_the_window() -> None:
    desk = Desk()
    old = desk.alert(FIRES)
    assert old.incident_id is not None
    resolve(desk, old.incident_id)
    desk.do(c.CloseIncident(old.incident_id))
    other = desk.alert(make_submit())
    moved = desk.alert(FIRES)
    assert (moved.incident_id, moved.status) == (other.incident_id, AckStatus.DUPLICATE)
    assert status(desk) is AlertStatus.DEDUPLICATED


def test_an_alert_without_a_key_may_join_one_with_a_key_and_does_not_keep_it_open() -> None:
    desk = Desk()
    first = desk.alert(FIRES)
    assert desk.alert(make_submit()).incident_id == first.incident_id
    desk.alert(GONE)
    assert not desk.incident(first.incident_id).is_active


# --- selectors ---


def test_alerts_of_two_tenants_never_meet() -> None:
    desk = Desk()
    acme, corp = {"tenant": "acme"}, {"tenant": "corp"}
    first = desk.alert(FIRES, selectors=acme)
    second = desk.alert(FIRES, selectors=corp)
    open_ = desk.alert(FIRES)
    assert len({first.incident_id, second.incident_id, open_.incident_id}) == 3
    assert desk.alert(FIRES, selectors=acme).incident_id == first.incident_id
    desk.alert(GONE, selectors=corp)
    assert desk.incident(first.incident_id).is_active
    assert not desk.incident(second.incident_id).is_active
    assert desk.incident(open_.incident_id).is_active


def test_what_a_confined_principal_sends_in_gets_its_labels() -> None:
    desk = Desk()
    ack = desk.alert(make_submit(labels={"tenant": "corp", "a": "1"}), selectors={"tenant": "acme"})
    expected = {"tenant": "acme", "a": "1"}
    assert desk.incident(ack.incident_id).labels == expected
    assert desk.last.alert is not None
    assert desk.last.alert.labels == expected


def test_the_order_of_selectors_is_no_difference() -> None:
    desk = Desk()
    one = scope_of(desk.context(selectors={"a": "1", "b": "2"}))
    assert one == scope_of(desk.context(selectors={"b": "2", "a": "1"}))
    assert one != scope_of(desk.context(selectors={"a": "2", "b": "1"}))
    assert scope_of(desk.context()) == ""


def test_an_incident_by_hand_of_a_tenant_takes_part_in_its_scope() -> None:
    desk = Desk()
    mine = {"tenant": "acme"}
    command = make_create(incident_type=IncidentType.UNKNOWN, source="prometheus")
    incident = desk.do(command, selectors=mine)
    assert isinstance(incident, Incident)
    alert = make_submit(title=command.title)
    assert desk.alert(alert).incident_id != incident.id
    assert desk.alert(alert, selectors=mine).incident_id == incident.id


@pytest.mark.parametrize("command", [FIRES, make_submit()], ids=["key", "fingerprint"])
def test_what_was_given_to_another_tenant_is_not_joined_any_more(command: c.SubmitAlert) -> None:
    desk = Desk()
    mine = {"tenant": "acme"}
    first = desk.alert(command, selectors=mine)
    desk.do(c.UpdateIncident(first.incident_id or "", add_labels={"tenant": "corp"}))
    second = desk.alert(command, selectors=mine)
    assert (second.status, second.incident_id != first.incident_id) == (AckStatus.ACCEPTED, True)
    assert desk.incident(first.incident_id).alert_count == 1
    assert desk.alert(command, selectors=mine).incident_id == second.incident_id


def test_a_resolve_does_not_reach_what_was_given_to_another_tenant() -> None:
    desk = Desk()
    mine = {"tenant": "acme"}
    first = desk.alert(FIRES, selectors=mine)
    desk.do(c.UpdateIncident(first.incident_id or "", add_labels={"tenant": "corp"}))
    gone = desk.alert(GONE, selectors=mine)
    assert (gone.incident_id, gone.message) == (None, "Nothing to resolve.")
    assert desk.incident(first.incident_id).is_active


def test_an_alert_needs_its_fingerprint_and_its_key() -> None:
    desk = Desk()
    ctx = desk.context(selectors={"tenant": "acme"})
    scope = scope_of(ctx)
    wanted = alert_needs(FIRES, ctx)
    mark = fingerprint("prometheus", IncidentType.UNKNOWN, "Checkout is slow", ())
    assert wanted.fingerprints == {(scope, mark)}
    assert wanted.keys == {(scope, "k1")}
    assert not wanted.incidents
    assert alert_needs(make_submit(), ctx).keys == frozenset()
