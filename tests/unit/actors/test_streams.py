"""Which events a subscription wants, against a plain reading of the contract's section 2."""

from collections import Counter
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors import streams
from incident_manager.actors.model import Record
from incident_manager.actors.streams import (
    FilterIndex,
    StreamField,
    StreamFilter,
    belongs,
    fields_of,
    matches,
)
from incident_manager.actors.vocabulary import IncidentState, IncidentType, Kind, Severity
from unit.actors.builders import before_of, make_alert, make_incident, make_record
from unit.actors.strategies import STREAMS, filters, records

CRITICAL = ("P0", "P1")


def plain_belongs(stream: StreamField, record: Record) -> bool:
    after, before = record.incident, record.before
    if stream == "alerts":
        return record.alert is not None
    if after is None:
        return False
    if stream == "newIncidents":
        return before is None
    if stream == "incidentStateChanges":
        return before is not None and before.state != after.state
    if stream == "criticalIncidents":
        created_so = before is None and after.severity in CRITICAL
        raised = (
            before is not None and before.severity not in CRITICAL and after.severity in CRITICAL
        )
        return created_so or raised
    return True


def images(stream: StreamField, record: Record) -> Iterator[dict[str, object]]:
    """What a filter looks at, as of the event, and as of before it."""
    if stream == "alerts":
        assert record.alert is not None
        incident = record.incident
        yield {
            "id": record.alert.incident_id,
            "severity": record.alert.severity,
            "state": incident and incident.state,
            "source": record.alert.source,
            "type": record.alert.incident_type,
            "labels": record.alert.labels,
            "assignees": incident.assignees if incident else (),
            "borne": incident.labels if incident else None,
        }
        return
    incident = record.incident
    assert incident is not None
    after: dict[str, object] = {
        "id": incident.id,
        "severity": incident.severity,
        "state": incident.state,
        "source": incident.source,
        "type": incident.incident_type,
        "labels": incident.labels,
        "assignees": incident.assignees,
        "borne": incident.labels,
    }
    yield after
    if (before := record.before) is not None:
        yield {
            **after,
            "severity": before.severity,
            "state": before.state,
            "assignees": before.assignees,
        }


def plain_matches(stream: StreamField, wanted: StreamFilter, record: Record) -> bool:
    def passes(image: dict[str, object]) -> bool:
        labels, assignees = image["labels"], image["assignees"]
        assert isinstance(labels, dict)
        assert isinstance(assignees, tuple)
        own = set(wanted.selectors)
        if not own <= labels.items():
            return False
        if isinstance(image["borne"], dict) and not own <= image["borne"].items():
            # One's own alert, as if it belonged to nothing.
            return passes({**image, "id": None, "state": None, "assignees": (), "borne": None})
        conditions = [
            wanted.incident_ids is None or image["id"] in wanted.incident_ids,
            wanted.severities is None or image["severity"] in wanted.severities,
            wanted.states is None or image["state"] in wanted.states,
            wanted.sources is None or image["source"] in wanted.sources,
            wanted.types is None or image["type"] in wanted.types,
            all(labels.get(key) == value for key, value in wanted.labels),
            wanted.assigned_to is None or wanted.assigned_to in assignees,
            not wanted.active_only or image["state"] not in (None, "RESOLVED", "CLOSED"),
        ]
        return all(conditions)

    return plain_belongs(stream, record) and any(map(passes, images(stream, record)))


@given(STREAMS, records())
def test_what_belongs_to_a_stream(stream: StreamField, record: Record) -> None:
    assert belongs(stream, record) is plain_belongs(stream, record)
    assert (stream in fields_of(record)) is plain_belongs(stream, record)


@given(STREAMS, filters(), records())
def test_what_matches(stream: StreamField, wanted: StreamFilter, record: Record) -> None:
    assert matches(stream, wanted, record) is plain_matches(stream, wanted, record)


@given(
    STREAMS,
    st.lists(filters(), min_size=3, max_size=12, unique=True),
    st.sets(st.integers(0, 11), max_size=3),
    st.lists(records(), min_size=1, max_size=4),
)
def test_the_index_finds_what_a_scan_finds(
    stream: StreamField, wanted: list[StreamFilter], gone: set[int], events: list[Record]
) -> None:
    index = FilterIndex[StreamFilter](stream)
    for each in wanted:
        index.add(each, each)
    kept = [each for number, each in enumerate(wanted) if number not in gone]
    for each in set(wanted) - set(kept):
        index.remove(each)
    assert len(index) == len(kept)
    assert set(index.values()) == set(kept)
    for record in events:
        found = Counter(index.match(record))
        assert found == Counter(each for each in kept if plain_matches(stream, each, record))
    for each in kept:
        assert index.get(each) == index[each] == each
        index.remove(each)
    assert not index._filed  # nothing is left of what went


def test_a_filter_that_is_not_filed_cannot_be_removed() -> None:
    index = FilterIndex[int](StreamField.ALERTS)
    assert index.get(StreamFilter()) is None
    with pytest.raises(KeyError):
        index.remove(StreamFilter())
    with pytest.raises(KeyError):
        index[StreamFilter()]


def test_equal_filters_are_one() -> None:
    one = StreamFilter(labels={"b": "2", "a": "1"}, severities=frozenset({Severity.P0}))
    two = StreamFilter(labels=[("a", "1"), ("b", "2")], severities=frozenset({Severity.P0}))
    assert one == two
    assert hash(one) == hash(two)
    assert one.labels == (("a", "1"), ("b", "2"))


def count_looks(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the filters that an event is held against."""
    looked_at = [0]

    def counted(*args: object) -> bool:
        looked_at[0] += 1
        return matches(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(streams, "matches", counted)
    return looked_at


IDLE: dict[str, Callable[[int], StreamFilter]] = {
    "incident": lambda n: StreamFilter(incident_ids=frozenset({str(n), f"{n}a"})),
    "label": lambda n: StreamFilter(labels={"tenant": str(n)}),
    "label name": lambda n: StreamFilter(labels={str(n): "acme"}),
    "first label shared": lambda n: StreamFilter(labels={"tenant": "acme", "zone": str(n)}),
    "last label shared": lambda n: StreamFilter(labels={"tenant": str(n), "zone": "eu"}),
    "selector": lambda n: StreamFilter(selectors=(("tenant", str(n)),)),
    "label of one's own": lambda n: StreamFilter(
        labels={"tenant": str(n)}, selectors=(("zone", "eu"),)
    ),
    "assignee": lambda n: StreamFilter(assigned_to=str(n)),
    "assignee of one team": lambda n: StreamFilter(assigned_to=str(n), labels={"zone": "eu"}),
    "source": lambda n: StreamFilter(sources=frozenset({str(n), f"{n}a"})),
    "source of one label": lambda n: StreamFilter(
        sources=frozenset({str(n)}), labels={"tenant": "acme"}, severities=frozenset(Severity)
    ),
    "label of one source": lambda n: StreamFilter(
        sources=frozenset({"Datadog"}), labels={"shard": str(n)}, active_only=True
    ),
}
LOOKED_AT = 4  # at the most: those that everybody wants, and one that is filed where many would be


@pytest.mark.parametrize("kind", IDLE)
@pytest.mark.parametrize("number", [1, 10_000])
def test_work_is_for_those_who_want_an_event_however_many_do_not(
    kind: str, number: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    labels = {"tenant": "acme", "zone": "eu"}
    record = make_record(
        1, make_incident(labels=labels, assignees=("kim",), source="Datadog", id="mine")
    )
    looked_at = count_looks(monkeypatch)
    index = FilterIndex[str](StreamField.INCIDENT_UPDATES)
    index.add(StreamFilter(), "all")
    index.add(StreamFilter(incident_ids=frozenset({"mine"})), "mine")
    for wanted in map(IDLE[kind], range(number)):
        index.add(wanted, "idle")
    assert sorted(index.match(record)) == ["all", "mine"]
    assert looked_at[0] <= LOOKED_AT


FEW = {
    "severity": [StreamFilter(severities=frozenset({each})) for each in Severity],
    "state": [StreamFilter(states=frozenset({each})) for each in IncidentState],
    "type": [StreamFilter(types=frozenset({each})) for each in IncidentType],
    "states of a severity": [
        StreamFilter(severities=frozenset({Severity.P4}), states=frozenset({state}))
        for state in IncidentState
    ],
    "types of a severity": [
        StreamFilter(severities=frozenset({Severity.P4}), types=frozenset({each}))
        for each in IncidentType
    ],
    "nothing": [StreamFilter(incident_ids=frozenset()), StreamFilter(severities=frozenset())],
}


@pytest.mark.parametrize("kind", FEW)
def test_of_the_values_that_there_are_those_of_the_event_are_looked_at(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    record = make_record(1, make_incident(severity=Severity.P2))
    looked_at = count_looks(monkeypatch)
    index = FilterIndex[StreamFilter](StreamField.INCIDENT_UPDATES)
    for wanted in FEW[kind]:
        index.add(wanted, wanted)
    found = [*index.match(record)]
    assert found == [wanted for wanted in FEW[kind] if plain_matches(index._stream, wanted, record)]
    assert looked_at[0] <= 1


def test_events_of_other_streams_cost_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    index = FilterIndex[str](StreamField.ALERTS)
    index.add(StreamFilter(), "all")

    def never(*args: object) -> bool:
        raise AssertionError(args)

    monkeypatch.setattr(streams, "matches", never)
    assert not [*index.match(make_record(1))]


# --- examples of the contract's words ---


def test_an_update_passes_where_the_incident_matched_before_or_after() -> None:
    new = make_incident(severity=Severity.P3)
    closed = make_incident(severity=Severity.P1, state=IncidentState.CLOSED)
    record = make_record(2, closed, before=before_of(new), kind=Kind.UPDATE)
    stream = StreamField.INCIDENT_UPDATES

    def passes(**conditions: object) -> bool:
        return matches(stream, StreamFilter(**conditions), record)  # type: ignore[arg-type]

    assert passes(severities=frozenset({Severity.P3}))
    assert passes(severities=frozenset({Severity.P1}))
    assert not passes(severities=frozenset({Severity.P2}))
    assert passes(states=frozenset({IncidentState.NEW}))
    assert passes(states=frozenset({IncidentState.CLOSED}))
    assert passes(active_only=True)
    # Conditions that belong together are asked of one image: it never was active as a P1.
    assert not passes(active_only=True, severities=frozenset({Severity.P1}))


def test_critical_is_said_once_on_the_way_up() -> None:
    stream = StreamField.CRITICAL_INCIDENTS
    low = make_incident(severity=Severity.P2)
    high = make_incident(severity=Severity.P1)
    top = make_incident(severity=Severity.P0)
    assert belongs(stream, make_record(1, high))
    assert not belongs(stream, make_record(1, low))
    assert belongs(stream, make_record(2, high, before=before_of(low)))
    assert not belongs(stream, make_record(3, top, before=before_of(high)))
    assert not belongs(stream, make_record(4, low, before=before_of(top)))


def test_an_alert_that_belongs_to_nothing_is_still_an_alert() -> None:
    alone = Record(1, 1, "rae", "rae", Kind.ALERT, None, alert=make_alert(severity=Severity.P0))
    stream = StreamField.ALERTS
    assert fields_of(alone) == (stream,)
    assert matches(stream, StreamFilter(), alone)
    assert matches(stream, StreamFilter(severities=frozenset({Severity.P0})), alone)
    assert not matches(stream, StreamFilter(severities=frozenset({Severity.P1})), alone)
    assert not matches(stream, StreamFilter(states=frozenset(IncidentState)), alone)
    assert not matches(stream, StreamFilter(active_only=True), alone)
    assert not matches(stream, StreamFilter(assigned_to="kim"), alone)


def test_the_index_finds_who_wants_an_alert_that_belongs_to_nothing() -> None:
    alone = Record(1, 1, "rae", "rae", Kind.ALERT, None, alert=make_alert(severity=Severity.P0))
    index = FilterIndex[str](StreamField.ALERTS)
    index.add(StreamFilter(severities=frozenset({Severity.P0})), "severe")
    index.add(StreamFilter(incident_ids=frozenset({"1"})), "bound")
    assert [*index.match(alone)] == ["severe"]


def test_the_index_finds_who_wants_what_an_incident_was_before() -> None:
    before = before_of(make_incident(severity=Severity.P3, assignees=("kim",)))
    record = make_record(2, make_incident(severity=Severity.P1, assignees=("rae",)), before=before)
    index = FilterIndex[str](StreamField.INCIDENT_UPDATES)
    for severity in Severity:
        index.add(StreamFilter(severities=frozenset({severity})), severity.value)
    for name in ("kim", "rae", "lou"):
        index.add(StreamFilter(assigned_to=name), name)
    assert sorted(index.match(record)) == ["P1", "P3", "kim", "rae"]
