"""What work costs as it grows, as curves: by the number of connections, of a real server; by those
of shapes, filters and events, in this process (see :mod:`load.inside`).
"""

import math
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from attrs import frozen

from load.client import Client, LoadClient, driving
from load.inside import filters_cost, journal_cost, shapes_cost
from load.measure import FAULTS, Say
from load.scenarios import Connect, Run
from load.server import Server, serving

__all__ = ["CURVES", "Curve", "measure_growth"]

Point = tuple[int, float]
# Pings go by the clock: what they cost is in the figure of idle connections, not in an event's.
_SETTINGS = (("--server-ping-interval", "0"),)


@frozen
class Curve:
    """What some work costs, in µs of CPU, by how much there is of something.

    ``lines`` have their points by ascending size; ``bad`` is what was lost, repeated or failed.
    """

    key: str
    title: str
    along: str
    lines: Mapping[str, tuple[Point, ...]]
    bad: int = 0

    def exponent(self, line: str) -> float:
        """How a line grows from its first point to its last: 0 not at all, 1 linearly."""
        (small, low), *_, (large, high) = self.lines[line]
        return math.log(high / low) / math.log(large / small)


def _lines(rows: Sequence[tuple[int, Mapping[str, float]]]) -> dict[str, tuple[Point, ...]]:
    names = list(rows[0][1])
    return {name: tuple((size, max(row[name], 0.1)) for size, row in rows) for name in names}


def _connections(client: Client, folder: Path, say: Say) -> Curve:
    rows, bad = [], 0
    with serving(folder, settings=_SETTINGS) as server, driving(client, server) as load:
        load.connect(Connect(count=100))
        load.run(Run(requests=20))
        for count in (1_000, 2_000, 5_000, 10_000):
            say(f"{count:,} connections")
            row, faults = _at(count, server, load)
            rows.append((count, row))
            bad += faults
        load.close()
    return Curve(
        "growth-connections", "Connections (without pings)", "connections", _lines(rows), bad
    )


def _at(count: int, server: Server, load: LoadClient) -> tuple[dict[str, float], int]:
    groups = count // 100
    before = server.usage().cpu
    opened = load.connect(Connect(count=count, groups=groups))
    connected = server.usage().cpu
    load.run(Run(requests=groups))
    start = server.usage().cpu
    ran = load.run(Run(requests=400, rate=100, senders=4, seconds=30))
    spent = server.usage().cpu - start
    row = {
        "a connection opened": (connected - before) / count * 1e6,
        "an alert and its 100 deliveries": spent / max(ran["events"], 1) * 1e6,
    }
    faults = sum(ran.get(name, 0) for name in FAULTS)
    return row, faults + count - int(opened["connected"])


def _shapes(client: Client, folder: Path, say: Say) -> Curve:
    rows = []
    for number in (1, 10, 100, 1_000):
        say(f"{number:,} shapes")
        rows.append((number, {"an event to 1,000 subscriptions": shapes_cost(folder, number)}))
    return Curve("growth-shapes", "Shapes", "shapes of 1,000 subscriptions", _lines(rows))


def _filters(client: Client, folder: Path, say: Say) -> Curve:
    rows = []
    for number in (1, 10, 100, 1_000, 10_000):
        say(f"{number:,} filters")
        rows.append((number, filters_cost(folder, number)))
    title = "Subscriptions with filters of their own"
    return Curve("growth-filters", title, "subscriptions, one of which wants it", _lines(rows))


def _journal(client: Client, folder: Path, say: Say) -> Curve:
    rows = []
    for number in (10_000, 100_000, 1_000_000):
        say(f"a journal of {number:,} events")
        rows.append((number, journal_cost(folder, number)))
    return Curve("growth-journal", "The journal", "events in the journal", _lines(rows))


CURVES: Mapping[str, Callable[[Client, Path, Say], Curve]] = {
    "growth-connections": _connections,
    "growth-shapes": _shapes,
    "growth-filters": _filters,
    "growth-journal": _journal,
}
"""What can be measured, by its key."""


def measure_growth(
    keys: Sequence[str], client: Client, data: Path | None, say: Say
) -> Iterator[Curve]:
    """Measure curves one after the other; files lie in a temporary folder inside ``data``.

    Raises:
        RuntimeError: the server or the load client failed.
    """
    for key in keys:
        with tempfile.TemporaryDirectory(prefix="bench-", dir=data) as folder:
            yield CURVES[key](client, Path(folder), say)
