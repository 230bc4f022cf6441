"""What is measured: each scenario a value, so that another one, or another server, is a line."""

from attrs import evolve, field, frozen

__all__ = ["QUICK", "SCENARIOS", "Connect", "Run", "Scenario", "quick"]


@frozen(kw_only=True)
class Connect:
    """WebSockets to open, with one subscription each.

    Connection ``i`` is in group ``i % groups`` and gets the alerts of that group alone, so an
    alert is a fan-out to ``count / groups`` of them.
    """

    count: int
    groups: int = 1
    in_flight: int = 64
    seconds: float = 120.0
    """Longest time for all of them."""


@frozen(kw_only=True)
class Run:
    """Alerts to POST, round robin over the groups.

    Up to ``requests`` requests of ``batch`` alerts, begun within ``seconds``, from ``senders``
    keep-alive connections: at ``rate`` requests/s, or without one as fast as answers come; with
    ``lockstep`` one at a time, the next when the one before has been delivered everywhere.
    """

    requests: int
    senders: int = 1
    batch: int = 1
    seconds: float = 60.0
    rate: float = 0.0
    lockstep: bool = False
    grace: float = 15.0
    """At the end, the longest time without anything coming of what is still on its way."""


@frozen(kw_only=True)
class Scenario:
    """One row of the results: a fresh server, ``connect``, then ``run``.

    ``table`` is the table that the row belongs to: ``connections``, ``delivery`` or ``ingest``.
    """

    key: str
    table: str
    title: str
    connect: Connect
    run: Run
    rounds: int = field(default=3)
    """How often it is measured, each time on a fresh server; the medians are shown."""


def _connections(count: int, rounds: int) -> Scenario:
    return Scenario(
        key=f"connections-{count}",
        table="connections",
        title=f"{count:,} connections, one live subscription each",
        connect=Connect(count=count, groups=count // 100),
        run=Run(requests=count // 100, rate=20, senders=2),
        rounds=rounds,
    )


def _burst(batch: int, requests: int) -> Scenario:
    what = "one event at a time" if batch == 1 else f"bursts of {batch} events"
    return Scenario(
        key=f"fan-out-{batch}",
        table="delivery",
        title=f"{what} → 500 connections",
        connect=Connect(count=500),
        run=Run(requests=requests, batch=batch, lockstep=True),
    )


def _paced(rate: int, seconds: int = 20) -> Scenario:
    return Scenario(
        key=f"paced-{rate * 100}",
        table="delivery",
        title=f"1,000 connections, 100-wide fan-outs, {rate * 100:,} deliveries/s asked for",
        connect=Connect(count=1000, groups=10),
        run=Run(requests=rate * seconds, rate=rate, seconds=seconds + 5, senders=16),
    )


def _events(rate: int, width: int, seconds: int = 20) -> Scenario:
    batch = 10
    return Scenario(
        key=f"events-{rate}",
        table="delivery",
        title=f"{rate:,} events/s asked for → {width} connections",
        connect=Connect(count=width),
        run=Run(
            requests=rate * seconds // batch,
            batch=batch,
            rate=rate / batch,
            seconds=seconds + 5,
            senders=8,
        ),
    )


def _ingest(batch: int, requests: int) -> Scenario:
    what = "single POSTs" if batch == 1 else f"batches of {batch}"
    return Scenario(
        key=f"ingest-{batch}",
        table="ingest",
        title=f"{what}, 8 senders, nobody subscribed",
        connect=Connect(count=0),
        run=Run(requests=requests, batch=batch, senders=8, seconds=10),
    )


SCENARIOS = (
    _connections(1_000, 3),
    _connections(10_000, 3),
    _burst(1, 200),
    _burst(10, 50),
    _burst(100, 10),
    _paced(10),
    _paced(20),
    _paced(40),
    _events(1_000, 2),
    _ingest(1, 20_000),
    _ingest(100, 1_000),
)

QUICK = ("connections-1000", "fan-out-1", "fan-out-10", "paced-2000", "ingest-1", "ingest-100")
"""The scenarios of a quick run, each once and for a shorter time."""


def quick(scenario: Scenario) -> Scenario:
    """The same work, less of it."""
    run = scenario.run
    least = 1 if scenario.table == "ingest" else scenario.connect.groups
    requests = max(run.requests // 4, least)
    return evolve(scenario, rounds=1, run=evolve(run, requests=requests, seconds=run.seconds / 3))
