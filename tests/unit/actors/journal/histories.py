"""Random histories, and random questions to the journal that holds one."""

from typing import Any

from attrs import evolve
from hypothesis import strategies as st

from incident_manager.actors.journal.base import Needs
from incident_manager.actors.journal.reads import (
    AlertQuery,
    IncidentQuery,
    SearchQuery,
    SortField,
)
from incident_manager.actors.model import Incident, Record
from incident_manager.actors.vocabulary import (
    AlertStatus,
    IncidentState,
    IncidentType,
    Kind,
    Severity,
)
from unit.actors.builders import (
    before_of,
    make_alert,
    make_comment,
    make_incident,
    make_record,
)

few = st.integers(0, 3)
names = st.sampled_from(["", "a", "b", "é"])
texts = st.lists(
    st.sampled_from(
        ["disk", "Disk,", "DISKS", "full", "a", "é", "É\u0301", "e", "-", '"', "*", "(", "OR"]
    ),
    max_size=4,
).map(" ".join) | st.text(max_size=8)
label_maps = st.dictionaries(names, names, max_size=2)


def some(enum: Any) -> st.SearchStrategy[frozenset[Any]]:
    return st.just(frozenset()) | st.frozensets(st.sampled_from(enum), max_size=3)


images = st.fixed_dictionaries(
    {
        "number": few,
        "state": st.sampled_from(IncidentState),
        "severity": st.sampled_from(Severity),
        "incident_type": st.sampled_from([IncidentType.COST, IncidentType.OTHER]),
        "source": names,
        "fingerprint": names,
        "scope": st.sampled_from(["", "s"]),
        "created_at": few,
        "updated_at": few,
        "labels": label_maps,
        "assignees": st.lists(names, max_size=2).map(tuple),
        "key": st.none() | names,
        "status": st.sampled_from([AlertStatus.DEDUPLICATED, AlertStatus.RESOLVED]),
        "title": texts,
        "description": texts,
        "alert": st.integers(1, 12),
        "said": st.integers(0, 2),
        "related": st.none() | few,
    }
)
queries = st.builds(
    IncidentQuery,
    states=some(IncidentState),
    severities=some(Severity),
    sources=st.just(frozenset()) | st.frozensets(names, max_size=2),
    types=some([IncidentType.COST, IncidentType.OTHER]),
    active_only=st.booleans(),
    assigned_to=st.none() | names,
    labels=st.just({}) | label_maps,
    created_after=st.none() | few,
    created_before=st.none() | few,
    sort=st.sampled_from(SortField),
    descending=st.booleans(),
    page=st.integers(0, 4),
    size=st.integers(1, 3),
    selectors=st.just({}) | label_maps,
)
alert_queries = st.builds(
    AlertQuery,
    sources=st.just(frozenset()) | st.frozensets(names, max_size=2),
    severities=some(Severity),
    incident_id=st.none() | few.map(lambda number: make_incident(number).id),
    labels=st.just({}) | label_maps,
    received_after=st.none() | few,
    page=st.integers(0, 4),
    size=st.integers(1, 3),
    selectors=st.just({}) | label_maps,
)
search_queries = st.builds(
    SearchQuery,
    text=texts,
    labels=st.just({}) | label_maps,
    page=st.integers(0, 4),
    size=st.integers(1, 3),
)
needs = Needs(
    frozenset(make_incident(n).id for n in range(5)),
    frozenset((scope, name) for scope in ("", "s") for name in ("", "a", "b", "é")),
    frozenset((scope, name) for scope in ("", "s") for name in ("", "a", "b", "é")),
)


def history_of(drawn: list[dict[str, Any]]) -> tuple[Record, ...]:
    """A history in which each drawn image is an alert that makes or joins its incident; some
    come again, some events bring a comment or a link (also to what is not there) besides.
    """
    records: list[Record] = []
    known: dict[int, Incident] = {}
    for offset, image in enumerate(drawn, start=1):
        fields = dict(image)
        number, key, status, sent, said, related = (
            fields.pop(name) for name in ("number", "key", "status", "alert", "said", "related")
        )
        old = known.get(number)
        incident = known[number] = make_incident(number, **fields)
        alert = make_alert(
            sent,
            incident,
            source_key=key,
            status=status,
            source=incident.source,
            severity=incident.severity,
            labels=incident.labels,
            received_at=incident.updated_at,
        )
        record = make_record(
            offset,
            incident,
            kind=Kind.ALERT,
            alert=alert,
            before=None if old is None else before_of(old),
            related_id=None if related is None else make_incident(related).id,
        )
        if said:
            comment = make_comment(offset, created_at=said, content=incident.title)
            record = evolve(record, comment=comment)
        records.append(record)
    return tuple(records)
