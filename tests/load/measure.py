"""One scenario, measured: a fresh server, its connections, its alerts, and the figures."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from attrs import evolve, frozen

from load.client import Client, LoadClient, driving
from load.machine import Neighbours
from load.scenarios import Scenario
from load.scraper import scraping
from load.server import Server, Usage, serving

__all__ = ["FAULTS", "Measured", "measure", "middle"]

Figures = Mapping[str, float]
Say = Callable[[str], None]

FAULTS = ("lost", "repeated", "disordered", "foreign", "failed", "errors", "dropped", "missing")
"""What must be 0: events lost, repeated, out of order, of another group; alerts not accepted;
protocol errors; connections the server dropped, and those it did not take."""


@frozen
class Measured:
    """The figures of a scenario by name: one round's, or the medians of several.

    Times are in milliseconds, memory in bytes, CPU in cores. Faults are sums, not medians.
    """

    scenario: Scenario
    figures: Figures
    rounds: int = 1

    @property
    def faults(self) -> dict[str, int]:
        """What was not 0 and ought to be."""
        return {name: int(self.figures[name]) for name in FAULTS if self.figures[name]}


def middle(rounds: Sequence[Measured]) -> Measured:
    """The medians of several rounds of one scenario; what must be 0 is added up."""
    first = rounds[0]
    figures = {
        name: sum(one.figures[name] for one in rounds)
        if name in FAULTS
        else median(one.figures[name] for one in rounds)
        for name in first.figures
    }
    return Measured(first.scenario, figures, len(rounds))


def measure(
    scenario: Scenario,
    client: Client,
    data: Path | None,
    say: Say,
    profile: Path | None = None,
    *,
    scrape: float = 0.0,
) -> Measured:
    """Measure a scenario once; its journal lies in a temporary folder inside ``data``.

    ``scrape`` is how often, in seconds, ``/metrics`` is scraped meanwhile; 0: never.

    Raises:
        RuntimeError: the server or the load client failed.
    """
    neighbours = Neighbours()
    with (
        tempfile.TemporaryDirectory(prefix="bench-", dir=data) as folder,
        serving(Path(folder), profile=profile) as server,
        driving(client, server) as load,
    ):
        figures = _measure(scenario, server, load, say, scrape)
    # Now that they have ended, what the server and its client used is known to be ours.
    figures["other_cores"] = neighbours.cores()
    return Measured(scenario, figures)


def _measure(
    scenario: Scenario, server: Server, load: LoadClient, say: Say, scrape: float
) -> dict[str, float]:
    wanted = scenario.connect
    # The first connection and the first alert pay for what is made once: they are not measured.
    load.connect(evolve(wanted, count=min(wanted.count, 1), groups=1))
    warm = [load.run(evolve(scenario.run, requests=20, senders=1, rate=0))]
    before = server.usage()
    say(f"connecting {wanted.count:,}" if wanted.count else "sending")
    opened = load.connect(wanted)
    between = server.usage()
    # Every subscriber has had an event before the clock starts.
    warm.append(load.run(evolve(scenario.run, requests=wanted.groups, batch=1, rate=0)))
    start, incidents = server.usage(), server.incidents()
    say(f"sending {scenario.run.requests * scenario.run.batch:,} alerts at most")
    with scraping(server, scrape) as scraper:
        ran = load.run(scenario.run)
    end = server.usage()
    figures = {
        **_opening(opened, before, between, wanted.count),
        **_delivery(ran, start, end),
        **{name: sum(one.get(name, 0) for one in (*warm, ran)) for name in FAULTS},
    }
    figures["missing"] = wanted.count - opened["connected"]
    # The journal itself is asked, as nobody may have been subscribed.
    kept = server.incidents() - incidents
    figures["lost"] += max(0, ran["acked"] - kept)
    figures["repeated"] += max(0, kept - ran["acked"] - ran["failed"])
    if scraper.seconds:
        figures["scrapes"] = len(scraper.seconds)
        figures["scrape_p50"] = median(scraper.seconds) * 1e3
    load.close()
    return figures


def _opening(
    opened: Mapping[str, Any], before: Usage, after: Usage, count: int
) -> dict[str, float]:
    each = max(count, 1)
    return {
        "connections": opened["connected"],
        "connects_per_second": opened["connected"] / max(opened["seconds"], 1e-9),
        "connect_p50": opened["opening"]["p50"] / 1e3,
        "connect_p99": opened["opening"]["p99"] / 1e3,
        "rss": after.rss,
        "rss_each": (after.rss - before.rss) / each,
        "tcp_each": max(0, after.tcp - before.tcp) / each,
    }


def _delivery(ran: Mapping[str, Any], start: Usage, end: Usage) -> dict[str, float]:
    seconds = max(ran["seconds"], 1e-9)
    return {
        "events": ran["events"],
        "deliveries": ran["deliveries"],
        "deliveries_per_second": ran["deliveries"] / seconds,
        "round_p50": ran["round"]["p50"] / 1e3,
        "delivery_p50": ran["delivery"]["p50"] / 1e3,
        "delivery_p99": ran["delivery"]["p99"] / 1e3,
        "delivery_max": ran["delivery"]["max"] / 1e3,
        "alerts_per_second": ran["acked"] / seconds,
        "post_p50": ran["post"]["p50"] / 1e3,
        "post_p99": ran["post"]["p99"] / 1e3,
        "server_cpu": (end.cpu - start.cpu) / seconds,
        "client_cpu": ran["cpu"] / seconds,
    }
