"""What the registry knows while it decides: a bounded cache of the journal's tables.

A batch of commands is decided on a scratch layer; :meth:`WorkingSet.adopt` keeps it after the
commit and :meth:`WorkingSet.discard` throws it away when the commit failed.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from incident_manager.actors.journal.base import Answer, Loaded, Needs
from incident_manager.actors.model import Incident, KeyState, Micros, Record, key_state
from incident_manager.actors.recent import Recent
from incident_manager.actors.selectors import bears
from incident_manager.actors.weight import incident_weight

__all__ = ["WorkingSet"]

_BUDGET = 64 * 1024 * 1024  # bytes of incidents, and of answers
K = TypeVar("K")
V = TypeVar("V")


def _answer_weight(answer: Answer | None) -> int:
    return 0 if answer is None else len(answer.body)


class _Layered(Generic[K, V]):
    """A map with a scratch layer over a cache that holds at most ``capacity`` entries, and at
    most ``_BUDGET`` bytes as ``weigh`` counts them.
    """

    __slots__ = ("_kept", "_scratch", "_weigh", "_weight", "capacity")

    def __init__(self, capacity: int, weigh: Callable[[V], int] = lambda _: 0) -> None:
        self.capacity = capacity
        self._weigh = weigh
        self._weight = 0
        self._kept: dict[K, V] = {}
        self._scratch: dict[K, V] = {}

    def __contains__(self, key: K) -> bool:
        return key in self._scratch or key in self._kept

    def __getitem__(self, key: K) -> V:
        if key in self._scratch:
            return self._scratch[key]
        return self._kept[key]

    def __setitem__(self, key: K, value: V) -> None:
        self._scratch[key] = value

    def forget(self, key: K) -> None:
        """Know nothing of a key: it must be loaded again before it is looked up."""
        self._scratch.pop(key, None)
        self._drop(key)

    def learn(self, key: K, value: V) -> None:
        """Keep what the journal says; what the scratch layer holds is newer and stays on top."""
        self._drop(key)  # so that the newest are at the end
        self._kept[key] = value
        self._weight += self._weigh(value)

    def _drop(self, key: K) -> None:
        if key in self._kept:
            self._weight -= self._weigh(self._kept.pop(key))

    def adopt(self) -> None:
        for key, value in self._scratch.items():
            self.learn(key, value)
        self.discard()

    def discard(self) -> None:
        self._scratch.clear()
        while len(self._kept) > self.capacity or self._weight > _BUDGET:
            self._drop(next(iter(self._kept)))


class WorkingSet:
    """Incidents, fingerprints, source keys and answers that decisions look at.

    What is not in it must be loaded first: :meth:`missing` says what. Looking up what was
    never loaded raises KeyError: that is a bug in the caller, never an answer.
    """

    def __init__(self, head: int, capacity: int = 20_000, recent: Recent | None = None) -> None:
        self._recent = recent
        self._kept_head = self.head = head
        self._incidents: _Layered[str, Incident | None] = _Layered(capacity, incident_weight)
        self._fingerprints: _Layered[tuple[str, str], tuple[str, ...]] = _Layered(capacity)
        self._keys: _Layered[tuple[str, str], KeyState | None] = _Layered(capacity)
        self._firing: _Layered[str, int] = _Layered(capacity)
        self._answers: _Layered[str, Answer | None] = _Layered(64, _answer_weight)
        self._layers: tuple[_Layered[Any, Any], ...] = (
            self._incidents,
            self._fingerprints,
            self._keys,
            self._firing,
            self._answers,
        )

    def incident(self, incident_id: str) -> Incident | None:
        """The incident as of the last event decided, or None if there is none."""
        return self._incidents[incident_id]

    def active(
        self, scope: str, fingerprint: str, labels: Mapping[str, str] | None = None
    ) -> Incident | None:
        """The newest active incident of a fingerprint that bears the labels, if it is as young as
        was asked for.
        """
        for each in self._fingerprints[scope, fingerprint]:
            incident = self._incidents[each]
            if incident is not None and bears(incident.labels, labels):
                return incident
        return None

    def key(self, scope: str, key: str) -> KeyState | None:
        """What is known of a source key."""
        return self._keys[scope, key]

    def firing(self, incident_id: str) -> int:
        """How many source keys of an incident fire."""
        return self._firing[incident_id]

    def answer(self, key: str) -> Answer | None:
        """The stored answer of an idempotency key."""
        return self._answers[key]

    def remember(self, answer: Answer) -> None:
        """Store an answer with this batch."""
        self._answers[answer.key] = answer

    def missing(self, needs: Needs, now: Micros | None = None) -> Needs:
        """The part of ``needs`` that the journal must be asked for, ``now``: what incidents of late
        certainly lack need not be.
        """
        if self._recent is not None and now is not None:
            for place in needs.fingerprints:
                if place not in self._fingerprints and self._recent.lacks(*place, now):
                    self._fingerprints.learn(place, ())
        return Needs(
            frozenset(i for i in needs.incidents if not self._knows(i)),
            frozenset(f for f in needs.fingerprints if not self._knows_fingerprint(f)),
            frozenset(k for k in needs.keys if not self._knows_key(k)),
            frozenset(a for a in needs.answers if a not in self._answers),
        )

    def _knows(self, incident_id: str) -> bool:
        return incident_id in self._incidents and incident_id in self._firing

    def _knows_fingerprint(self, key: tuple[str, str]) -> bool:
        return key in self._fingerprints and all(map(self._knows, self._fingerprints[key]))

    def _knows_key(self, key: tuple[str, str]) -> bool:
        if key not in self._keys:
            return False
        found = self._keys[key]
        return found is None or self._knows(found.incident_id)

    def learn(self, loaded: Loaded) -> None:
        """Take in what the journal answered."""
        for incident_id, incident in loaded.incidents.items():
            self._incidents.learn(incident_id, incident)
            self._firing.learn(incident_id, loaded.firing.get(incident_id, 0))
        for fingerprint, found in loaded.fingerprints.items():
            self._fingerprints.learn(fingerprint, found)
        for source_key, state in loaded.keys.items():
            self._keys.learn(source_key, state)
        for answer_key, answer in loaded.answers.items():
            self._answers.learn(answer_key, answer)

    def evolve(self, record: Record) -> None:
        """Follow one event on the scratch layer. Offsets must come without a hole."""
        if record.offset != self.head + 1:
            raise ValueError(f"event {record.offset} does not follow {self.head}")
        self.head = record.offset
        incident = record.incident
        if incident is None:
            return
        if record.created:
            self._firing[incident.id] = 0
        self._incidents[incident.id] = incident
        if self._recent is not None:
            self._recent.note(incident, record.time)
        self._evolve_fingerprint(incident)
        self._evolve_key(record)

    def _evolve_fingerprint(self, incident: Incident) -> None:
        place = (incident.scope, incident.fingerprint)
        if place not in self._fingerprints:
            return  # unknown stays unknown, until somebody needs it
        if not self._knows_fingerprint(place):
            # Its other incidents have given way, so nobody in this batch has asked for it.
            self._fingerprints.forget(place)
            return
        others = [i for i in self._fingerprints[place] if i != incident.id]
        if incident.is_active:
            others.append(incident.id)
            others.sort(key=self._age, reverse=True)
        self._fingerprints[place] = tuple(others)

    def _age(self, incident_id: str) -> tuple[int, str]:
        incident = self._incidents[incident_id]
        return (0 if incident is None else incident.created_at, incident_id)

    def _evolve_key(self, record: Record) -> None:
        state = key_state(record)
        if state is None:
            return
        place = (state.scope, state.key)
        old = self._keys[place]
        if old is not None and old.firing:
            self._firing[old.incident_id] = self._firing[old.incident_id] - 1
        if state.firing:
            self._firing[state.incident_id] = self._firing[state.incident_id] + 1
        self._keys[place] = state

    def adopt(self) -> None:
        """The batch is written: what was scratch is now what is known."""
        for layer in self._layers:
            layer.adopt()
        self._kept_head = self.head

    def discard(self) -> None:
        """The batch was not written: forget it."""
        for layer in self._layers:
            layer.discard()
        self.head = self._kept_head
