"""What a subscription asks for: the filter means what the contract says."""

from typing import Any

import pytest
from attrs import evolve
from hypothesis import given, settings
from hypothesis import strategies as st

from incident_manager.actors.model import Incident, Record
from incident_manager.actors.streams import StreamField, StreamFilter, matches
from incident_manager.actors.vocabulary import IncidentState, IncidentType, Severity
from incident_manager.schema.errors import OperationRefused
from incident_manager.schema.operation import Preparer
from incident_manager.schema.subscription import Subscribed, subscribed
from unit.actors.builders import before_of, make_alert, make_incident, make_record

PREPARER = Preparer()


def ask(query: str, **variables: object) -> Subscribed:
    return subscribed(PREPARER.prepare(f"subscription {query}", None, variables), ())


ONE, TWO = make_incident(1).id, make_incident(2).id


def test_nothing_asked_filters_nothing() -> None:
    for stream in StreamField:
        found = ask(f"{{ {stream.value} {{ __typename }} }}")
        assert found == Subscribed(stream, StreamFilter(), found.shape)
        assert found.shape.field is stream


@pytest.mark.parametrize("empty", [None, []])
def test_null_and_empty_filter_nothing(empty: object) -> None:
    lists = ["incidentIds", "severities", "states", "sources", "types"]
    given_: dict[str, object] = {**dict.fromkeys(lists, empty), "labels": None, "assignedTo": None}
    query = (
        "($e: [UUID!], $s: [Severity!], $a: Boolean, $f: StreamFilterInput) { incidentUpdates"
        "(incidentIds: $e, severities: $s, activeOnly: $a, filter: $f) { actor } }"
    )
    for wanted in (given_, None, {}):
        assert ask(query, e=empty, s=empty, a=None, f=wanted).filter == StreamFilter()


def test_named_arguments_and_filter_must_both_hold() -> None:
    found = ask(
        f'{{ incidentUpdates(severities: [P0, P1], incidentIds: ["{ONE}"], activeOnly: true,'
        f' filter: {{severities: [P1, P2], incidentIds: "{TWO}"}}) {{ actor }} }}'
    )
    assert found.filter == StreamFilter(
        severities=frozenset({Severity.P1}), incident_ids=frozenset(), active_only=True
    )


def test_every_condition_arrives() -> None:
    query = "($f: StreamFilterInput) { alerts(sources: [a, b], filter: $f) { id } }"
    query = query.replace("[a, b]", '["a", "b"]')
    found = ask(
        query,
        f={
            "incidentIds": [ONE.upper()],
            "severities": ["P0"],
            "states": ["NEW", "CLOSED"],
            "sources": ["b", "c"],
            "types": ["COST"],
            "labels": {"team": "db", "env": "prod"},
            "assignedTo": "rae",
        },
    )
    assert found.filter == StreamFilter(
        incident_ids=frozenset({ONE}),
        severities=frozenset({Severity.P0}),
        states=frozenset({IncidentState.NEW, IncidentState.CLOSED}),
        sources=frozenset({"b"}),
        types=frozenset({IncidentType.COST}),
        labels={"env": "prod", "team": "db"},
        assigned_to="rae",
    )


def test_one_incidents_state_changes() -> None:
    query = "($i: UUID) { incidentStateChanges(incidentId: $i) { newState } }"
    assert ask(query, i=ONE).filter.incident_ids == frozenset({ONE})
    assert ask(query, i=None).filter.incident_ids is None


@pytest.mark.parametrize("seconds", [None, 1, 3600])
def test_heartbeats(seconds: int | None) -> None:
    query = "($n: Int) { incidentUpdates(heartbeatSeconds: $n) { updateType } }"
    assert ask(query, n=seconds).heartbeat_seconds == seconds


@pytest.mark.parametrize("seconds", [-1, 0, 3601, 2**31 - 1])
def test_wrong_heartbeats(seconds: int) -> None:
    with pytest.raises(OperationRefused) as caught:
        ask(f"{{ incidentUpdates(heartbeatSeconds: {seconds}) {{ updateType }} }}")
    assert caught.value.errors == [
        {
            "message": f"heartbeatSeconds is {seconds}; it must be 1 to 3600.",
            "extensions": {"code": "BAD_USER_INPUT", "field": "heartbeatSeconds"},
        }
    ]


@pytest.mark.parametrize(
    ("query", "variables"),
    [
        ("($m: Int) { alerts(filter: {labels: {a: $m}}) { id } }", {"m": 1}),
        ("($no: Boolean = true) { alerts { id @skip(if: $no) } }", {"no": None}),
    ],
)
def test_what_only_shows_with_its_variables(query: str, variables: dict[str, object]) -> None:
    with pytest.raises(OperationRefused) as caught:
        ask(query, **variables)
    assert caught.value.code == "BAD_USER_INPUT"


@pytest.mark.parametrize(
    "inside",
    [
        "alerts(first: $n) { id }",
        "relatedIncidents { comments(first: $n) { totalCount } }",
        "...F @include(if: true)",
    ],
)
def test_a_relation_that_cannot_be_given_is_refused_at_once(inside: str) -> None:
    fragment = "fragment F on Incident { timeline(first: $n) { totalCount } }"
    query = f"($n: Int) {{ newIncidents {{ {inside} {'...F' if 'F' not in inside else ''} }} }} "
    for first in (None, 1, 100):
        assert ask(query + fragment, n=first).shape.deep
    for first in (0, 101):
        with pytest.raises(OperationRefused) as caught:
            ask(query + fragment, n=first)
        assert caught.value.code == "BAD_USER_INPUT"
        assert f"first is {first}" in str(caught.value)


def test_text_that_no_document_can_hold_is_refused_at_once() -> None:
    query = "($a: String) { newIncidents { comments(after: $a) { totalCount } } }"
    with pytest.raises(OperationRefused, match="'after' is not valid Unicode text"):
        ask(query, a="half of \ud800 a pair")
    assert ask(query, a="größer").shape.deep


def test_a_query_is_no_subscription() -> None:
    with pytest.raises(ValueError, match="query is no subscription"):
        subscribed(PREPARER.prepare("{ cursor }"), ())


# The contract's rule, said again from the GraphQL input, without any of the code under test.

IDS = [make_incident(number).id for number in (1, 2, 3)]
SOURCES = ["prometheus", "grafana"]
PEOPLE = ["rae", "kim"]


def some(values: Any, name: str) -> st.SearchStrategy[Any]:
    texts = [getattr(value, "value", value) for value in values]
    return st.none() | st.lists(st.sampled_from(texts), max_size=2)


FILTERS = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "incidentIds": some(IDS, "ids"),
        "severities": some(Severity, "severities"),
        "states": some(IncidentState, "states"),
        "sources": some(SOURCES, "sources"),
        "types": some(IncidentType, "types"),
        "labels": st.none() | st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy")),
        "assignedTo": st.none() | st.sampled_from(PEOPLE),
    },
)
ARGUMENTS: dict[StreamField, dict[str, tuple[str, st.SearchStrategy[Any]]]] = {
    StreamField.CRITICAL_INCIDENTS: {},
    StreamField.INCIDENT_UPDATES: {
        "incidentIds": ("[UUID!]", some(IDS, "ids")),
        "severities": ("[Severity!]", some(Severity, "severities")),
        "activeOnly": ("Boolean", st.none() | st.booleans()),
    },
    StreamField.NEW_INCIDENTS: {"severities": ("[Severity!]", some(Severity, "severities"))},
    StreamField.INCIDENT_STATE_CHANGES: {"incidentId": ("UUID", st.none() | st.sampled_from(IDS))},
    StreamField.ALERTS: {
        "sources": ("[String!]", some(SOURCES, "sources")),
        "severities": ("[Severity!]", some(Severity, "severities")),
    },
}


@st.composite
def requests(draw: st.DrawFn) -> tuple[StreamField, dict[str, Any]]:
    stream = draw(st.sampled_from(StreamField))
    named = {name: draw(values) for name, (_, values) in ARGUMENTS[stream].items()}
    return stream, {**named, "filter": draw(FILTERS)}


@st.composite
def incidents(draw: st.DrawFn, number: int) -> Incident:
    return make_incident(
        number,
        severity=draw(st.sampled_from(Severity)),
        state=draw(st.sampled_from(IncidentState)),
        source=draw(st.sampled_from(SOURCES)),
        incident_type=draw(st.sampled_from(IncidentType)),
        labels=draw(st.dictionaries(st.sampled_from("ab"), st.sampled_from("xy"))),
        assignees=tuple(draw(st.lists(st.sampled_from(PEOPLE), unique=True))),
    )


@st.composite
def records(draw: st.DrawFn) -> Record:
    after = draw(incidents(draw(st.integers(1, 3))))
    before = draw(st.none() | incidents(1).map(before_of))
    alert = None
    if draw(st.booleans()):
        incident = draw(incidents(1))
        alert = make_alert(
            1,
            after,
            severity=incident.severity,
            source=incident.source,
            incident_type=incident.incident_type,
            labels=incident.labels,
        )
        if draw(st.integers(0, 4)) == 0:  # a resolve for a key that nobody knows
            return evolve(
                make_record(1, alert=evolve(alert, incident_id=None)), incident=None, before=None
            )
    return make_record(1, after, before=before, alert=alert)


def naive(stream: StreamField, arguments: dict[str, Any], record: Record) -> bool:
    if not _in_stream(stream, record):
        return False
    wanted = arguments["filter"] or {}
    subject = record.alert if stream is StreamField.ALERTS else record.incident
    assert subject is not None
    incident_id = getattr(subject, "incident_id", None) if record.alert is subject else subject.id
    single = arguments.get("incidentId")
    fixed = [
        not arguments.get("incidentIds") or incident_id in arguments["incidentIds"],
        single is None or incident_id == single,
        not wanted.get("incidentIds") or incident_id in wanted["incidentIds"],
        not arguments.get("sources") or subject.source in arguments["sources"],
        not wanted.get("sources") or subject.source in wanted["sources"],
        not wanted.get("types") or subject.incident_type.value in wanted["types"],
        all(subject.labels.get(k) == v for k, v in (wanted.get("labels") or {}).items()),
    ]
    if not all(fixed):
        return False
    if stream is StreamField.ALERTS:
        incident = record.incident
        state = None if incident is None else incident.state
        people = () if incident is None else incident.assignees
        return _image(arguments, wanted, subject.severity, state, people)
    images = [record.incident, record.before]
    return any(
        _image(arguments, wanted, image.severity, image.state, image.assignees)
        for image in images
        if image is not None
    )


def _image(
    arguments: dict[str, Any],
    wanted: dict[str, Any],
    severity: Severity,
    state: IncidentState | None,
    people: tuple[str, ...],
) -> bool:
    return all(
        [
            not arguments.get("severities") or severity.value in arguments["severities"],
            not wanted.get("severities") or severity.value in wanted["severities"],
            not wanted.get("states") or state in wanted["states"],
            not arguments.get("activeOnly") or state not in ("RESOLVED", "CLOSED"),
            wanted.get("assignedTo") is None or wanted["assignedTo"] in people,
        ]
    )


def _in_stream(stream: StreamField, record: Record) -> bool:
    before, after = record.before, record.incident
    if stream is StreamField.ALERTS:
        return record.alert is not None
    if after is None:
        return False
    critical = after.severity in ("P0", "P1")
    return {
        StreamField.CRITICAL_INCIDENTS: critical
        and (before is None or before.severity not in ("P0", "P1")),
        StreamField.INCIDENT_UPDATES: True,
        StreamField.NEW_INCIDENTS: before is None,
        StreamField.INCIDENT_STATE_CHANGES: before is not None and before.state != after.state,
    }[stream]


@settings(max_examples=150, deadline=None)
@given(requests(), st.lists(records(), min_size=1, max_size=8))
def test_a_filter_is_its_naive_predicate(
    request: tuple[StreamField, dict[str, Any]], events: list[Record]
) -> None:
    stream, arguments = request
    kinds = {name: kind for name, (kind, _) in ARGUMENTS[stream].items()}
    kinds["filter"] = "StreamFilterInput"
    declared = ", ".join(f"${name}: {kind}" for name, kind in kinds.items())
    passed = ", ".join(f"{name}: ${name}" for name in kinds)
    query = f"({declared}) {{ {stream.value}({passed}) {{ __typename }} }}"
    found = ask(query, **arguments)
    assert found.field is stream
    for event in events:
        assert matches(stream, found.filter, event) is naive(stream, arguments, event)


def test_it_is_planned_once_for_all_of_the_same_selectors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("incident_manager.schema.subscription._MOST_PLANS", 2)
    operation = PREPARER.prepare("subscription { incidentUpdates { actor changedFields } }")
    plans = {each: subscribed(operation, each) for each in ((), (("a", "1"),))}
    for selectors, plan in plans.items():
        assert subscribed(operation, selectors) is plan
        assert plan.filter.selectors == selectors
        assert plan.shape.selectors == selectors
    assert subscribed(operation, (("a", "2"),)).filter.selectors == (("a", "2"),)
    assert subscribed(operation, ()) == plans[()]
    assert len(operation.plans) == 2
