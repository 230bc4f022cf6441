"""Which events a subscription wants: the five streams, their filters, and an index of them.

All rules are those of the contract's section 2. An update passes where the incident matched
before *or* after it; what belongs together is asked of one and the same image.
"""

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum
from typing import Generic, TypeVar

from attrs import field, frozen

from incident_manager.actors.model import Alert, Incident, Record
from incident_manager.actors.selectors import Selectors, seen
from incident_manager.actors.vocabulary import (
    ACTIVE_STATES,
    CRITICAL,
    IncidentState,
    IncidentType,
    Severity,
)

__all__ = ["FilterIndex", "StreamField", "StreamFilter", "belongs", "fields_of", "matches"]


class StreamField(StrEnum):
    """The root fields of Subscription."""

    CRITICAL_INCIDENTS = "criticalIncidents"
    INCIDENT_UPDATES = "incidentUpdates"
    NEW_INCIDENTS = "newIncidents"
    INCIDENT_STATE_CHANGES = "incidentStateChanges"
    ALERTS = "alerts"


def _pairs(labels: Mapping[str, str] | Iterable[tuple[str, str]]) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(dict(labels).items()))


@frozen(cache_hash=True)  # it is looked up with every event
class StreamFilter:
    """Conditions that must all hold. None filters nothing; an empty set lets nothing through."""

    incident_ids: frozenset[str] | None = None
    severities: frozenset[Severity] | None = None
    states: frozenset[IncidentState] | None = None
    sources: frozenset[str] | None = None
    types: frozenset[IncidentType] | None = None
    labels: tuple[tuple[str, str], ...] = field(default=(), converter=_pairs)
    assigned_to: str | None = None
    active_only: bool = False
    selectors: Selectors = ()
    """What the subscriber is confined to: of an event it gets what is its own, or nothing."""


def fields_of(record: Record) -> tuple[StreamField, ...]:
    """The streams that an event belongs to, whatever their filters."""
    return tuple(stream for stream in StreamField if belongs(stream, record))


def belongs(stream: StreamField, record: Record) -> bool:
    """Whether an event is one of a stream's at all."""
    if stream is StreamField.ALERTS:
        return record.alert is not None
    after, before = record.incident, record.before
    if after is None:
        return False
    if stream is StreamField.INCIDENT_UPDATES:
        return True
    if stream is StreamField.NEW_INCIDENTS:
        return before is None
    if stream is StreamField.INCIDENT_STATE_CHANGES:
        return before is not None and before.state is not after.state
    raised = before is None or before.severity not in CRITICAL
    return raised and after.severity in CRITICAL


def matches(stream: StreamField, wanted: StreamFilter, record: Record) -> bool:
    """Whether a subscription to ``stream`` with this filter gets an event."""
    shown = seen(record, wanted.selectors)
    if shown is None or not belongs(stream, shown):
        return False
    record = shown
    subject: Alert | Incident | None
    subject = record.alert if stream is StreamField.ALERTS else record.incident
    if subject is None or not _fixed(wanted, subject):
        return False
    if isinstance(subject, Alert):
        incident = record.incident
        if incident is None:
            state, assignee = wanted.states is not None, wanted.assigned_to is not None
            bound = state or assignee or wanted.active_only  # to an incident, and it has none
            return not bound and _severity(wanted, subject.severity)
        return _moving(wanted, incident.state, subject.severity, incident.assignees)
    if _moving(wanted, subject.state, subject.severity, subject.assignees):
        return True
    before = record.before
    return before is not None and _moving(wanted, before.state, before.severity, before.assignees)


def _fixed(wanted: StreamFilter, subject: Alert | Incident) -> bool:
    """What an event does not change, or what counts as it is afterwards."""
    if wanted.incident_ids is not None:
        incident_id = subject.incident_id if isinstance(subject, Alert) else subject.id
        if incident_id not in wanted.incident_ids:
            return False
    if wanted.sources is not None and subject.source not in wanted.sources:
        return False
    if wanted.types is not None and subject.incident_type not in wanted.types:
        return False
    return all(subject.labels.get(name) == value for name, value in wanted.labels)


def _severity(wanted: StreamFilter, severity: Severity) -> bool:
    return wanted.severities is None or severity in wanted.severities


def _moving(
    wanted: StreamFilter, state: IncidentState, severity: Severity, assignees: tuple[str, ...]
) -> bool:
    """What an event may change, of one image."""
    return (
        _severity(wanted, severity)
        and (wanted.states is None or state in wanted.states)
        and (not wanted.active_only or state in ACTIVE_STATES)
        and (wanted.assigned_to is None or wanted.assigned_to in assignees)
    )


Key = tuple[str, ...]
_ALL: Key = ("*",)


def _filter_keys(wanted: StreamFilter) -> Iterator[tuple[Key, ...]]:
    """Under what a filter can be filed: each of its conditions, once for each value."""
    if wanted.incident_ids is not None:
        yield tuple(("incident", i) for i in wanted.incident_ids)
    for pair in (*wanted.labels, *wanted.selectors):
        yield (("label", *pair),)
    if wanted.assigned_to is not None:
        yield (("assignee", wanted.assigned_to),)
    if wanted.sources is not None:
        yield tuple(("source", s) for s in wanted.sources)
    if wanted.types is not None:
        yield tuple(("type", t.value) for t in wanted.types)
    if wanted.severities is not None:
        yield tuple(("severity", s.value) for s in wanted.severities)
    if wanted.states is not None:
        yield tuple(("state", s.value) for s in wanted.states)
    yield (_ALL,)


def _record_keys(stream: StreamField, record: Record) -> Iterator[Key]:
    """Under what the filters are filed that may let an event through."""
    subject: Alert | Incident | None
    subject = record.alert if stream is StreamField.ALERTS else record.incident
    if subject is None:
        return
    yield _ALL
    yield "severity", subject.severity.value
    yield "source", subject.source
    yield "type", subject.incident_type.value
    incident_id = subject.incident_id if isinstance(subject, Alert) else subject.id
    if incident_id is not None:
        yield "incident", incident_id
    for name, value in subject.labels.items():
        yield "label", name, value
    incident, before = record.incident, record.before
    assignees = () if incident is None else incident.assignees
    if incident is not None:
        yield "state", incident.state.value
    if before is not None:
        if incident is None or before.state is not incident.state:
            yield "state", before.state.value
        assignees = tuple({*assignees, *before.assignees})
        if before.severity is not subject.severity:
            yield "severity", before.severity.value
    for name in assignees:
        yield "assignee", name


T = TypeVar("T")


class FilterIndex(Generic[T]):
    """Filters of one stream, and what is filed under each; equal filters share one bucket.

    Finding the buckets that let an event through costs work for the filters that come into
    question, not for those that do not, however many there are: a filter is filed under the one
    of its conditions that is shared with the fewest others.
    """

    __slots__ = ("_buckets", "_filed", "_keys", "_stream")

    def __init__(self, stream: StreamField) -> None:
        self._stream = stream
        self._buckets: dict[StreamFilter, T] = {}
        self._keys: dict[StreamFilter, tuple[Key, ...]] = {}
        self._filed: dict[Key, dict[StreamFilter, None]] = {}

    def __len__(self) -> int:
        return len(self._buckets)

    def __getitem__(self, wanted: StreamFilter) -> T:
        return self._buckets[wanted]

    def get(self, wanted: StreamFilter) -> T | None:
        """The bucket of a filter, if there is one."""
        return self._buckets.get(wanted)

    def add(self, wanted: StreamFilter, bucket: T) -> T:
        """File a bucket under a new filter."""
        self._buckets[wanted] = bucket
        self._keys[wanted] = keys = min(_filter_keys(wanted), key=self._crowd)
        for key in keys:
            self._filed.setdefault(key, {})[wanted] = None
        return bucket

    def remove(self, wanted: StreamFilter) -> None:
        """Forget a filter; KeyError if it is not filed."""
        del self._buckets[wanted]
        for key in self._keys.pop(wanted):
            filed = self._filed[key]
            del filed[wanted]
            if not filed:
                del self._filed[key]

    def _crowd(self, keys: tuple[Key, ...]) -> int:
        """How many filters are looked at, at the most, for an event that one of the keys fits."""
        filed = self._filed
        return max((len(filed[key]) for key in keys if key in filed), default=0)

    def values(self) -> Iterable[T]:
        """Every bucket."""
        return self._buckets.values()

    def match(self, record: Record) -> Iterator[T]:
        """The buckets whose filter lets the event through, each once."""
        if not self._buckets or not belongs(self._stream, record):
            return
        seen: set[StreamFilter] = set()
        for key in _record_keys(self._stream, record):
            filed = self._filed.get(key)
            if filed is None:
                continue
            for wanted in filed:
                if wanted not in seen and matches(self._stream, wanted, record):
                    seen.add(wanted)
                    yield self._buckets[wanted]
