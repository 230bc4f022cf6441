"""A desk at which commands are decided one by one, and a plain reading of what a journal holds."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import count

from attrs import Factory, define, field, frozen

from incident_manager.actors.commands import Command, CreateIncident, SubmitAlert
from incident_manager.actors.decision import Context, Decision, Outcome
from incident_manager.actors.journal.base import Answer, Loaded, Needs
from incident_manager.actors.lifecycle import decide, needs
from incident_manager.actors.model import Ack, Incident, KeyState, Micros, Record
from incident_manager.actors.state import WorkingSet
from incident_manager.actors.vocabulary import AlertStatus, IncidentType, Severity
from unit.actors.builders import SECOND, START

WINDOW = 900 * SECOND


@frozen
class Tables:
    """What follows from events: written out again here, as simply as can be."""

    incidents: Mapping[str, Incident]
    keys: Mapping[tuple[str, str], KeyState]

    def firing(self, incident_id: str) -> int:
        return sum(k.firing and k.incident_id == incident_id for k in self.keys.values())

    def active(self, scope: str, fingerprint: str, since: Micros) -> tuple[str, ...]:
        found = [
            (i.created_at, i.id)
            for i in self.incidents.values()
            if (i.scope, i.fingerprint) == (scope, fingerprint)
            and i.state not in ("RESOLVED", "CLOSED")
            and i.created_at >= since
        ]
        return tuple(incident_id for _, incident_id in sorted(found, reverse=True))


def fold(records: Iterable[Record]) -> Tables:
    incidents: dict[str, Incident] = {}
    keys: dict[tuple[str, str], KeyState] = {}
    for record in records:
        if record.incident is None:
            continue
        incidents[record.incident.id] = record.incident
        alert = record.alert
        if alert is not None and alert.source_key is not None:
            firing = alert.status is not AlertStatus.RESOLVED
            place = alert.scope, alert.source_key
            keys[place] = KeyState(*place, record.incident.id, firing)
    return Tables(incidents, keys)


def load(
    records: Sequence[Record],
    wanted: Needs,
    now: Micros,
    since: Micros,
    answers: Mapping[str, Answer] | None = None,
) -> Loaded:
    """What any journal with these events answers."""
    tables = fold(records)
    fingerprints = {place: tables.active(*place, since) for place in wanted.fingerprints}
    keys = {place: tables.keys.get(place) for place in wanted.keys}
    ids = set(wanted.incidents)
    ids.update(i for found in fingerprints.values() for i in found)
    ids.update(known.incident_id for known in keys.values() if known is not None)
    stored = answers or {}
    return Loaded(
        incidents={i: tables.incidents.get(i) for i in ids},
        fingerprints=fingerprints,
        keys=keys,
        firing={i: tables.firing(i) for i in ids},
        answers={a: stored.get(a) for a in wanted.answers},
    )


@define
class Desk:
    """Every command is decided on a state read afresh from the events so far."""

    now: Micros = START
    records: list[Record] = Factory(list)
    _serial: "count[int]" = field(factory=count)

    def context(
        self,
        actor: str = "rae",
        selectors: Mapping[str, str] | None = None,
        trace: str | None = None,
        window: Micros = WINDOW,
    ) -> Context:
        ids = (self._id(), self._id())
        return Context(self.now, actor, actor, ids, window, trace, selectors or {})

    def _id(self) -> str:
        return f"00000000-0000-7000-8000-{next(self._serial):012}"

    def decide(self, command: Command, **ctx: object) -> Decision:
        context = self.context(**ctx)  # type: ignore[arg-type]
        state = WorkingSet(len(self.records))
        wanted = needs(command, context)
        state.learn(load(self.records, wanted, self.now, self.now - context.window))
        return decide(state, command, context)

    def do(self, command: Command, **ctx: object) -> Outcome:
        decision = self.decide(command, **ctx)
        self.records += decision.records
        return decision.outcome

    def alert(self, command: SubmitAlert, **ctx: object) -> Ack:
        outcome = self.do(command, **ctx)
        assert isinstance(outcome, Ack)
        return outcome

    def open(self, **fields: object) -> Incident:
        """An incident made by hand."""
        outcome = self.do(make_create(**fields))
        assert isinstance(outcome, Incident)
        return outcome

    def incident(self, incident_id: str | None) -> Incident:
        assert incident_id is not None
        return fold(self.records).incidents[incident_id]

    @property
    def last(self) -> Record:
        return self.records[-1]

    def wait(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


def make_submit(**fields: object) -> SubmitAlert:
    defaults: dict[str, object] = {
        "source": "prometheus",
        "title": "Checkout is slow",
        "description": "p99 above 2 s",
        "severity": Severity.P2,
    }
    return SubmitAlert(**{**defaults, **fields})  # type: ignore[arg-type]


def make_create(**fields: object) -> CreateIncident:
    defaults: dict[str, object] = {
        "source": "desk",
        "title": "Checkout is down",
        "description": "nobody can pay",
        "severity": Severity.P2,
        "incident_type": IncidentType.AVAILABILITY,
    }
    return CreateIncident(**{**defaults, **fields})  # type: ignore[arg-type]
