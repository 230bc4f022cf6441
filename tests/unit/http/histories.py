"""Random histories of commands, random questions, and what a fold of the events answers."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import attrs
from attrs import define, field, frozen
from hypothesis import strategies as st

from incident_manager.actors import commands as c
from incident_manager.actors.classify import source_key
from incident_manager.actors.commands import Command
from incident_manager.actors.model import Alert, Comment, Incident, Micros, Record, Resolution
from incident_manager.actors.timeline import TimelineEntry, timeline_entries
from incident_manager.actors.vocabulary import (
    IncidentState,
    IncidentType,
    ResolutionMethod,
    Severity,
)
from unit.actors.builders import SECOND, START

__all__ = ["HISTORIES", "QUESTIONS", "Fold", "Question", "Step", "command_of", "plain", "written"]

SOURCES = ("prometheus", "grafana")
PEOPLE = ("kim", "rae")
TYPES = (IncidentType.UNKNOWN, IncidentType.CAPACITY)
WAITS = (0, 1, SECOND, 600 * SECOND)
"""Two steps in the same moment; in the window of deduplication, and out of it."""

_severities = st.sampled_from(Severity)
_labels = st.dictionaries(st.sampled_from("ab"), st.sampled_from("12"), max_size=2)
_people = st.lists(st.sampled_from(PEOPLE), max_size=2).map(tuple)


@frozen
class Step:
    """One command after some time; which incidents it is about, ``command_of`` finds out."""

    wait: Micros
    make: Callable[[str, str], Command]


def _alert(
    title: str, source: str, severity: Severity, labels: Mapping[str, str], key: str, resolved: bool
) -> Callable[[str, str], Command]:
    command = c.SubmitAlert(
        source=source,
        title=title,
        description="",
        severity=severity,
        labels=labels,
        external_id=key or None,
        source_key=source_key(source, key or None),
        resolved=resolved and bool(key),
    )
    return lambda _one, _other: command


_alerts = st.builds(
    _alert,
    st.sampled_from("AB"),
    st.sampled_from(SOURCES),
    _severities,
    _labels,
    st.sampled_from(("", "", "k1", "k2")),
    st.booleans(),
)
_created = st.builds(
    lambda *given: lambda _one, _other: c.CreateIncident("desk", *given),
    st.sampled_from("AB"),
    st.just("by hand"),
    _severities,
    st.sampled_from(TYPES),
    st.just(("db", "web")),
    _labels,
    _labels,
    _people,
)


def _about(kind: type, **given: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """A command on one incident."""
    return st.fixed_dictionaries(given).map(lambda given: lambda one, _other: kind(one, **given))


_changes = st.one_of(
    _about(
        c.UpdateIncident,
        severity=st.none() | _severities,
        state=st.none() | st.sampled_from(IncidentState),
        assignees=st.none() | _people,
        labels=st.none() | _labels,
        add_labels=st.none() | _labels,
        metadata=st.none() | _labels,
    ),
    _about(c.AcknowledgeIncident, expected_version=st.none() | st.just(1)),
    _about(c.AssignIncident, assignees=_people),
    _about(c.AddComment, content=st.sampled_from(("Seen", "Done"))),
    _about(c.EscalateIncident, severity=_severities, reason=st.just("worse")),
    _about(
        c.ResolveIncident,
        method=st.sampled_from(ResolutionMethod),
        notes=st.just("done"),
        root_cause=st.none() | st.just("a cause"),
    ),
    _about(c.CloseIncident),
    _about(c.ReopenIncident, reason=st.none() | st.just("again")),
    st.just(lambda one, other: c.LinkIncidents(one, other)),
)
_waits = st.sampled_from(WAITS)
_places = st.integers(0, 3)


def _taken(steps: st.SearchStrategy[Any], least: int, most: int) -> st.SearchStrategy[Any]:
    one = st.tuples(st.builds(Step, _waits, steps), _places, _places)
    return st.lists(one, min_size=least, max_size=most)


HISTORIES = st.builds(
    lambda begun, *rest: sum(rest, begun),
    _taken(_alerts | _created, 1, 4),
    _taken(_changes, 2, 8),
    _taken(_alerts | _created | _changes, 0, 6),
)
"""Steps, and the places (counted from the newest) of the incidents they are about."""


def command_of(step: Step, known: Sequence[str], one: int, other: int) -> Command:
    """The command of a step, where these incidents are there; one may be unknown."""
    known = known or ["00000000-0000-4000-8000-000000000000"]
    return step.make(known[-1 - one % len(known)], known[-1 - other % len(known)])


@frozen
class Question:
    """Which incidents, or alerts, in what order, how many at a time; empty is any."""

    states: tuple[IncidentState, ...] = ()
    severities: tuple[Severity, ...] = ()
    sources: tuple[str, ...] = ()
    types: tuple[IncidentType, ...] = ()
    active_only: bool = False
    assigned_to: str | None = None
    labels: Mapping[str, str] = field(factory=dict)
    since: Micros | None = None
    until: Micros | None = None
    sort: str = "CREATED_AT"
    order: str = "DESC"
    size: int = 2


def _some(values: Iterable[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(st.sampled_from(tuple(values)), min_size=1, max_size=3, unique=True).map(tuple)


_moments = st.integers(0, 3).map(lambda n: START + n * 600 * SECOND)
_CONDITIONS: Mapping[str, st.SearchStrategy[Any]] = {
    "states": _some(IncidentState),
    "severities": _some(Severity),
    "sources": _some((*SOURCES, "desk")),
    "types": _some(TYPES),
    "active_only": st.just(value=True),
    "assigned_to": st.sampled_from(PEOPLE),
    "labels": _labels,
    "since": _moments,
    "until": _moments,
}


@st.composite
def questions(draw: st.DrawFn) -> Question:
    """Questions of few conditions: most answers have something in them."""
    names = draw(st.sets(st.sampled_from(tuple(_CONDITIONS)), max_size=2))
    return Question(
        **{name: draw(_CONDITIONS[name]) for name in sorted(names)},
        sort=draw(st.sampled_from(("CREATED_AT", "UPDATED_AT", "SEVERITY", "STATE"))),
        order=draw(st.sampled_from(("ASC", "DESC"))),
        size=draw(st.integers(1, 3)),
    )


QUESTIONS = questions()


def plain(value: Any) -> Any:
    """A model as JSON shows it: worked out from the model's own fields."""
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, tuple | list):
        return [plain(each) for each in value]
    if not attrs.has(type(value)):
        return value
    names = [each.name for each in attrs.fields(type(value))]
    found = {name: plain(getattr(value, name)) for name in names}
    for name in found:
        if name.endswith("_at") or name == "timestamp":
            found[name] = written(found[name])
    for name in ("scope", "source_key"):
        found.pop(name, None)
    if isinstance(value, Incident):
        found["is_active"] = value.state.value not in ("RESOLVED", "CLOSED")
        found["is_critical"] = value.severity.value in ("P0", "P1")
        found["assigned_to"] = next(iter(value.assignees), None)
    if isinstance(value, Alert):
        found["deduplicated"] = value.status.value in ("DEDUPLICATED", "MERGED")
    if isinstance(value, Resolution):
        found["resolution_method"] = found.pop("method")
    return found


def written(at: Micros | None) -> str | None:
    """A time as JSON shows it."""
    if at is None:
        return None
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=at)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@define
class Fold:
    """What the events make, one after the other, and the answers to questions about it."""

    incidents: dict[str, Incident] = field(factory=dict)
    alerts: dict[str, Alert] = field(factory=dict)
    said: dict[str, list[Comment]] = field(factory=dict)
    lines: dict[str, list[TimelineEntry]] = field(factory=dict)
    linked: dict[str, dict[str, int]] = field(factory=dict)

    @classmethod
    def of(cls, records: Iterable[Record]) -> "Fold":
        """The fold of these events."""
        fold = cls()
        for record in records:
            fold.take(record)
        return fold

    def take(self, record: Record) -> None:
        if record.alert is not None:
            self.alerts[record.alert.id] = record.alert
        if record.incident is None:
            return
        name = record.incident.id
        self.incidents[name] = record.incident
        self.lines.setdefault(name, []).extend(timeline_entries(record))
        if record.comment is not None:
            self.said.setdefault(name, []).append(record.comment)
        if record.related_id is not None:
            for one, other in ((name, record.related_id), (record.related_id, name)):
                self.linked.setdefault(one, {}).setdefault(other, record.offset)

    def wanted(self, asked: Question) -> list[Incident]:
        """The incidents that are asked for, in order."""
        found = [
            each
            for each in self.incidents.values()
            if each.state in (asked.states or (each.state,))
            and each.severity in (asked.severities or (each.severity,))
            and each.source in (asked.sources or (each.source,))
            and each.incident_type in (asked.types or (each.incident_type,))
            and not (asked.active_only and each.state.value in ("RESOLVED", "CLOSED"))
            and (asked.assigned_to is None or asked.assigned_to in each.assignees)
            and asked.labels.items() <= each.labels.items()
            and (asked.since is None or each.created_at > asked.since)
            and (asked.until is None or each.created_at < asked.until)
        ]
        firsts: Mapping[str, Callable[[Incident], int]] = {
            "CREATED_AT": lambda each: each.created_at,
            "UPDATED_AT": lambda each: each.updated_at,
            "SEVERITY": lambda each: -list(Severity).index(each.severity),  # P0 is the highest
            "STATE": lambda each: list(IncidentState).index(each.state),
        }
        first = firsts[asked.sort]
        return sorted(
            found,
            key=lambda each: (first(each), each.created_at, each.id),
            reverse=asked.order == "DESC",
        )

    def wanted_alerts(self, asked: Question) -> list[Alert]:
        """The alerts that are asked for, the newest first."""
        found = [
            each
            for each in self.alerts.values()
            if each.severity in (asked.severities or (each.severity,))
            and each.source in (asked.sources or (each.source,))
            and asked.labels.items() <= each.labels.items()
            and (asked.since is None or each.received_at > asked.since)
        ]
        return _newest_first(found)

    def alerts_of(self, incident_id: str) -> list[Alert]:
        """Those of one incident, the newest first."""
        return _newest_first(
            [each for each in self.alerts.values() if each.incident_id == incident_id]
        )

    def comments_of(self, incident_id: str) -> list[Comment]:
        """What was said about one incident, the oldest first."""
        return sorted(self.said.get(incident_id, []), key=lambda each: (each.created_at, each.id))

    def related(self, incident_id: str) -> list[str]:
        """The incidents that are linked to one, the last linked first."""
        links = self.linked.get(incident_id, {})
        return sorted(links, key=lambda each: (links[each], each), reverse=True)


def _newest_first(found: Iterable[Alert]) -> list[Alert]:
    return sorted(found, key=lambda each: (each.received_at, each.id), reverse=True)
