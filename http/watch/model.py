"""What is on the board: the incidents that are watched, and what an update makes of them.

Values in, values out; time is given, in seconds since 1970.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from attrs import evolve, field, frozen

__all__ = ["LIMIT", "LINGER", "SEVERITIES", "STATES", "Board", "Row", "Update", "Wanted"]

SEVERITIES: Final = ("P0", "P1", "P2", "P3", "P4")
STATES: Final = ("NEW", "INVESTIGATING", "IDENTIFIED", "MONITORING", "RESOLVED", "CLOSED")

LIMIT: Final = 1000
"""The most rows of a board; of more, the least severe and oldest are left out."""

LINGER: Final = 10.0
"""Seconds that an incident which matches no more stays on the board, marked as such."""

_INACTIVE: Final = frozenset({"RESOLVED", "CLOSED"})


@frozen
class Row:
    """One incident. ``changed`` is when it last changed under the watcher's eyes, ``left`` when it
    ceased to match; None for not (yet).
    """

    id: str
    title: str
    severity: str
    state: str
    source: str
    assignees: tuple[str, ...]
    labels: Mapping[str, str]
    alerts: int
    version: int
    created: float
    changed: float | None = None
    left: float | None = None

    @classmethod
    def read(cls, incident: Mapping[str, Any]) -> "Row":
        """Read an incident as the queries of this package select it."""
        return cls(
            id=incident["id"],
            title=incident["title"],
            severity=incident["severity"],
            state=incident["state"],
            source=incident["source"],
            assignees=tuple(incident["assignees"]),
            labels=incident["labels"],
            alerts=incident["alertCount"],
            version=incident["version"],
            created=datetime.fromisoformat(incident["createdAt"]).timestamp(),
        )

    @property
    def active(self) -> bool:
        """Neither resolved nor closed."""
        return self.state not in _INACTIVE


@frozen
class Update:
    """One event of the stream: an IncidentUpdate with an incident in it."""

    kind: str
    row: Row
    at: float
    actor: str | None

    @classmethod
    def read(cls, update: Mapping[str, Any]) -> "Update | None":
        """Read an IncidentUpdate; None for a heartbeat."""
        if update["incident"] is None:
            return None
        at = datetime.fromisoformat(update["timestamp"]).timestamp()
        return cls(update["updateType"], Row.read(update["incident"]), at, update["actor"])


@frozen
class Wanted:
    """What is watched. An empty condition asks nothing; all that are given must hold."""

    severities: tuple[str, ...] = ()
    states: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    labels: Mapping[str, str] = field(factory=dict)
    active_only: bool = True

    def matches(self, row: Row) -> bool:
        """Whether an incident belongs on the board."""
        return (
            (not self.severities or row.severity in self.severities)
            and (not self.states or row.state in self.states)
            and (not self.sources or row.source in self.sources)
            and all(row.labels.get(name) == value for name, value in self.labels.items())
            and (row.active or not self.active_only)
        )

    def of_snapshot(self) -> dict[str, Any]:
        """The IncidentFilterInput of the first look."""
        return {
            "severities": list(self.severities),
            "states": list(self.states),
            "sources": list(self.sources),
            "labels": dict(self.labels),
            "activeOnly": self.active_only,
        }

    def of_stream(self) -> dict[str, Any]:
        """The arguments of ``incidentUpdates``.

        Not the labels: an update passes the server's filter by the labels that the incident has
        now, so one that loses a label would stay on the board for ever.
        """
        return {
            "severities": list(self.severities),
            "activeOnly": self.active_only,
            "filter": {"states": list(self.states), "sources": list(self.sources)},
        }


@frozen
class Board:
    """The rows by their id. ``more`` says that some were left out (:data:`LIMIT`)."""

    wanted: Wanted
    rows: Mapping[str, Row] = field(factory=dict)
    more: bool = False

    def load(self, rows: Iterable[Row], *, more: bool = False) -> "Board":
        """A fresh snapshot in place of what was known."""
        return self._bounded({row.id: row for row in rows if self.wanted.matches(row)}, more=more)

    def apply(self, update: Update, now: float) -> "Board":
        """What an update makes of the board; the same board where it is old news.

        A page read later than the snapshot's cursor may know more than the stream does at first:
        a lower version than the held one says nothing new. An alert that joins leaves the version
        as it is, so of an equal one the alerts count: they only ever become more.
        """
        new, held = update.row, self.rows.get(update.row.id)
        if held is not None and new.version < held.version:
            return self
        if held is not None and new.version == held.version:
            if new.alerts <= held.alerts:
                return self
            new = evolve(held, alerts=new.alerts)
        left = None
        if not self.wanted.matches(new):
            if held is None:
                return self
            left = now if held.left is None else held.left
        row = evolve(new, changed=now, left=left)
        return self._bounded({**self.rows, row.id: row}, more=self.more)

    def settle(self, now: float) -> "Board":
        """Without the rows that have lingered long enough; the same board if there are none."""
        gone = [
            row.id for row in self.rows.values() if row.left is not None and now - row.left > LINGER
        ]
        if not gone:
            return self
        return evolve(self, rows={key: row for key, row in self.rows.items() if key not in gone})

    def ordered(self) -> list[Row]:
        """Active before the others, the severest first, of equal ones the newest."""
        return sorted(self.rows.values(), key=_rank)

    def counts(self) -> dict[str, int]:
        """How many match, by severity: all five of them."""
        found: dict[str, int] = {severity: 0 for severity in SEVERITIES}  # noqa: C420
        for row in self.rows.values():
            if row.left is None:
                found[row.severity] += 1
        return found

    def _bounded(self, rows: Mapping[str, Row], *, more: bool) -> "Board":
        if len(rows) > LIMIT:
            more = True
            rows = {row.id: row for row in sorted(rows.values(), key=_rank)[:LIMIT]}
        return evolve(self, rows=rows, more=more)


def _rank(row: Row) -> tuple[bool, str, float, str]:
    return not row.active, row.severity, -row.created, row.id
