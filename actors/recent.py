"""What incidents there have been of late, as far as can be said without asking the journal."""

from incident_manager.actors.model import Incident, Micros

__all__ = ["Recent"]

_MOST = 100_000  # fingerprints of one turn: some ten MB


class Recent:
    """Knows for certain of most fingerprints that no incident of the last ``window`` has them.

    Most alerts are new, and the journal would have to be asked only to hear so. Every incident that
    an event is about is noted; those of two turns, each ``window`` long, are remembered by a hash.
    A hash that two share, or one of a batch that was never written, costs no more than a look.

    ``blind`` is the time before which incidents may have been created that were never noted here;
    None: there are none. Nothing is certain until the window has passed since, nor for two turns
    when there were more than ``most`` fingerprints in one.
    """

    __slots__ = ("_blind", "_full", "_most", "_old", "_turn", "_window", "_young")

    def __init__(self, window: Micros, blind: Micros | None, *, most: int = _MOST) -> None:
        self._window = window
        self._blind = blind
        self._most = most
        self._turn: Micros | None = None  # when the young began
        self._young: set[int] = set()
        self._old: set[int] = set()
        self._full = 0  # turns for which nothing is certain

    def note(self, incident: Incident, now: Micros) -> None:
        """An event is about an incident."""
        self._turn_over(now)
        if len(self._young) < self._most:
            self._young.add(hash((incident.scope, incident.fingerprint)))
        else:
            self._full = 2

    def lacks(self, scope: str, fingerprint: str, now: Micros) -> bool:
        """Whether it is certain that no incident since ``now - window`` has a fingerprint."""
        self._turn_over(now)
        if self._full or (self._blind is not None and now - self._window <= self._blind):
            return False
        place = hash((scope, fingerprint))
        return place not in self._young and place not in self._old

    def _turn_over(self, now: Micros) -> None:
        if self._turn is None:
            self._turn = now
        elif now - self._turn > self._window:
            self._turn = now
            self._old, self._young = self._young, set()
            self._full = max(0, self._full - 1)
