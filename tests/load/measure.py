"""One scenario, measured: a fresh server, its connections, its alerts, and the figures."""

import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from statistics import median
from typing import Any

from attrs import evolve, frozen

from load.client import Client, LoadClient, driving
from load.machine import Neighbours
from load.rivals import OURS, Rival
from load.scenarios import Run, Scenario
from load.scraper import scraping
from load.server import Server, Usage, serving, serving_rival

__all__ = ["FAULTS", "P99", "Measured", "Say", "delivery", "measure", "middle", "opening"]

Figures = Mapping[str, float]
Say = Callable[[str], None]

FAULTS = ("lost", "repeated", "disordered", "foreign", "failed", "errors", "dropped", "missing")
"""What must be 0: events lost, repeated, out of order, of another group; alerts not accepted;
protocol errors; connections the server dropped, and those it did not take."""

P99 = 10.0
"""Milliseconds from an alert's acceptance to the client's read that a step of a ramp may take."""
_STEP = 4.0  # seconds of each
_STEP_BATCH = 5
_SETTLE = 8.0  # seconds at most between two
_ENOUGH = 0.97  # of the deliveries asked for


@frozen
class Measured:
    """The figures of a scenario by name: one round's, or the medians of several.

    Times are in milliseconds, memory in bytes, CPU in cores. Faults are sums, not medians.
    ``steps`` are those of the ramp: deliveries/s asked for, and p99 from acceptance to read.
    """

    scenario: Scenario
    figures: Figures
    rounds: int = 1
    server: str = OURS
    steps: tuple[tuple[float, float], ...] = ()

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
    return evolve(first, figures=figures, rounds=len(rounds))


def measure(
    scenario: Scenario,
    client: Client,
    data: Path | None,
    say: Say,
    profile: Path | None = None,
    *,
    scrape: float = 0.0,
    rival: Rival | None = None,
) -> Measured:
    """Measure a scenario once; its journal lies in a temporary folder inside ``data``.

    ``scrape`` is how often, in seconds, ``/metrics`` is scraped meanwhile; 0: never. With
    ``rival`` that peer is measured, which has no journal.

    Raises:
        RuntimeError: the server or the load client failed.
    """
    neighbours = Neighbours()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=data) as folder:
        running: AbstractContextManager[Server] = (
            serving(Path(folder), profile=profile) if rival is None else serving_rival(rival)
        )
        with running as server, driving(client, server) as load:
            figures, steps = _measure(scenario, server, load, say, scrape)
    # Now that they have ended, what the server and its client used is known to be ours.
    figures["other_cores"] = neighbours.cores()
    name = OURS if rival is None else rival.key
    return Measured(scenario, figures, server=name, steps=steps)


def _measure(
    scenario: Scenario, server: Server, load: LoadClient, say: Say, scrape: float
) -> tuple[dict[str, float], tuple[tuple[float, float], ...]]:
    wanted = scenario.connect
    # The first connection and the first alert pay for what is made once: they are not measured.
    load.connect(evolve(wanted, count=min(wanted.count, 1), groups=1))
    warm = [load.run(evolve(scenario.run, requests=20, batch=1, senders=1, rate=0))]
    before = server.usage()
    say(f"connecting {wanted.count:,}" if wanted.count else "sending")
    opened = load.connect(wanted)
    between = server.usage()
    idle = _idle(server, scenario.idle, say)
    # Every subscriber has had an event before the clock starts.
    warm.append(load.run(evolve(scenario.run, requests=wanted.groups, batch=1, rate=0)))
    start = server.usage()
    incidents = server.incidents() if server.ours else 0
    say(f"sending {scenario.run.requests * scenario.run.batch:,} alerts at most")
    with scraping(server, scrape) as scraper:
        ran = load.run(scenario.run)
    end = server.usage()
    figures = {
        **opening(opened, before, between, wanted.count),
        "idle_cores": idle,
        **delivery(ran, start, end),
        **{name: sum(one.get(name, 0) for one in (*warm, ran)) for name in FAULTS},
    }
    figures["missing"] = wanted.count - opened["connected"]
    if server.ours:  # the journal itself is asked, as nobody may have been subscribed
        kept = server.incidents() - incidents
        figures["lost"] += max(0, ran["acked"] - kept)
        figures["repeated"] += max(0, kept - ran["acked"] - ran["failed"])
    if scraper.seconds:
        figures["scrapes"] = len(scraper.seconds)
        figures["scrape_p50"] = median(scraper.seconds) * 1e3
    steps = _climb(scenario, load, figures, say)
    figures["limit"] = max((rate for rate, p99 in steps if p99 <= P99), default=0)
    load.close()
    return figures, steps


def _idle(server: Server, seconds: float, say: Say) -> float:
    """The cores that the server uses while nothing is sent."""
    if not seconds:
        return 0.0
    say("idle")
    before, began = server.usage().cpu, time.monotonic()
    time.sleep(seconds)
    return (server.usage().cpu - before) / (time.monotonic() - began)


def _climb(
    scenario: Scenario, load: LoadClient, figures: Figures, say: Say
) -> tuple[tuple[float, float], ...]:
    """Raise the rate until p99 passes its bound, or not all that was asked for comes in time.

    Where it does so from the beginning, lower the rate until it does not.
    """
    if not scenario.ramp:
        return ()
    width = scenario.connect.count / scenario.connect.groups
    first = scenario.run.rate * scenario.run.batch * width
    steps = [(first, _judged(first, figures))]
    above = steps[0][1] > P99
    for rate in (first / 2, first / 5) if above else scenario.ramp:
        say(f"{rate:,.0f} deliveries/s")
        load.settle(_SETTLE)  # what the step before still owes does not count against this one
        per_second = rate / width / _STEP_BATCH
        ran = load.run(
            Run(
                requests=int(per_second * _STEP),
                batch=_STEP_BATCH,
                rate=per_second,
                seconds=_STEP + 1,
                senders=scenario.run.senders,
                grace=0.5,
            )
        )
        faults = {name: ran.get(name, 0) for name in FAULTS}
        steps.append((rate, _judged(rate, {**delivery(ran, None, None), **faults})))
        if (steps[-1][1] > P99) != above:
            break
    return tuple(sorted(steps))


def _judged(rate: float, figures: Figures) -> float:
    """The p99 of a step; beyond every bound where it did not do what was asked for."""
    done = figures["deliveries_per_second"] >= rate * _ENOUGH and not figures["lost"]
    return figures["accepted_p99"] if done else float("inf")


def opening(opened: Mapping[str, Any], before: Usage, after: Usage, count: int) -> dict[str, float]:
    """What ``count`` connections took."""
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


def delivery(ran: Mapping[str, Any], start: Usage | None, end: Usage | None) -> dict[str, float]:
    """What one run came to, and the cores it took."""
    seconds = max(ran["seconds"], 1e-9)
    spent = end.cpu - start.cpu if start is not None and end is not None else 0.0
    times = {
        f"{name}_{share}": ran[name][share] / 1e3
        for name in ("delivery", "accepted")
        for share in ("p50", "p99", "p999", "max")
    }
    return {
        "events": ran["events"],
        "deliveries": ran["deliveries"],
        "deliveries_per_second": ran["deliveries"] / seconds,
        "round_p50": ran["round"]["p50"] / 1e3,
        **times,
        "alerts_per_second": ran["acked"] / seconds,
        "post_p50": ran["post"]["p50"] / 1e3,
        "post_p99": ran["post"]["p99"] / 1e3,
        "server_cpu": spent / seconds,
        "client_cpu": ran["cpu"] / seconds,
        # What the load client would do with all of a core: it must be more than what it did.
        "client_limit": ran["deliveries"] / max(ran["cpu"], 1e-9),
    }
