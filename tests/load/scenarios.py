"""What is measured: each scenario a value, so that another one, or another server, is a line."""

from attrs import evolve, field, frozen

__all__ = ["FULL", "QUICK", "SCENARIOS", "Connect", "Run", "Scenario", "for_peers", "quick"]


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

    ``tables`` are those that the row belongs to: ``connections``, ``delivery``, ``ingest``,
    ``slow`` or ``herd``.
    """

    key: str
    tables: tuple[str, ...]
    title: str
    connect: Connect
    run: Run
    rounds: int = field(default=2)
    """How often it is measured, each time on a fresh server; the medians are shown."""
    idle: float = 0.0
    """Seconds for which nothing is sent before, to see what the connections alone cost."""
    ramp: tuple[int, ...] = ()
    """Deliveries/s to go on with, one after the other, until p99 passes 10 ms."""
    stalled: int = 0
    """Of the connections, those that stop to read."""
    missed: int = 0
    """Alerts that everybody misses through a restart, and gets by its cursor."""
    peers: bool = False
    """Whether the peers do it too."""


def _connections(count: int, rounds: int) -> Scenario:
    return Scenario(
        key=f"connections-{count}",
        tables=("connections",),
        title=f"{count:,} connections, one live subscription each",
        connect=Connect(count=count, groups=count // 100),
        run=Run(requests=count // 100, rate=20, senders=2),
        rounds=rounds,
        idle=2.0,
        peers=True,
    )


def _burst(batch: int, requests: int) -> Scenario:
    what = "one event at a time" if batch == 1 else f"bursts of {batch} events"
    return Scenario(
        key=f"fan-out-{batch}",
        tables=("delivery",),
        title=f"{what} → 500 connections",
        connect=Connect(count=500),
        run=Run(requests=requests, batch=batch, seconds=10, lockstep=True),
        peers=True,
    )


def _steady(
    count: int, rate: int, batch: int, seconds: int = 60, ramp: tuple[int, ...] = ()
) -> Scenario:
    """Fan-outs of 100, at so many deliveries/s."""
    return Scenario(
        key=f"steady-{rate}",
        tables=("connections", "delivery") if ramp else ("delivery",),
        title=f"{count:,} connections, 100-wide fan-outs, {rate:,} deliveries/s asked for",
        connect=Connect(count=count, groups=count // 100),
        run=Run(
            requests=rate // 100 // batch * seconds,
            batch=batch,
            rate=rate / 100 / batch,
            seconds=seconds + 5,
            senders=16,
        ),
        rounds=1,
        idle=2.0,
        ramp=ramp,
        peers=rate >= 20_000,
    )


def _events(rate: int, width: int, seconds: int = 10) -> Scenario:
    batch = 10
    return Scenario(
        key=f"events-{rate}",
        tables=("delivery",),
        title=f"{rate:,} events/s asked for → {width} connections",
        connect=Connect(count=width),
        run=Run(
            requests=rate * seconds // batch,
            batch=batch,
            rate=rate / batch,
            seconds=seconds + 5,
            senders=8,
        ),
        rounds=1,
    )


def _ingest(batch: int, requests: int) -> Scenario:
    what = "single POSTs" if batch == 1 else f"batches of {batch}"
    return Scenario(
        key=f"ingest-{batch}",
        tables=("ingest",),
        title=f"{what}, 8 senders, nobody subscribed",
        connect=Connect(count=0),
        run=Run(requests=requests, batch=batch, senders=8, seconds=8),
        peers=True,
    )


def _slow(count: int, stalled: int, rate: int = 10_000, seconds: int = 10) -> Scenario:
    return Scenario(
        key=f"slow-readers-{count}",
        tables=("slow",),
        title=f"{stalled:,} of {count:,} connections do not read, {rate:,} deliveries/s asked for",
        connect=Connect(count=count, groups=count // 100),
        run=Run(requests=rate // 100 * seconds, rate=rate / 100, seconds=seconds + 5, senders=16),
        rounds=1,
        stalled=stalled,
    )


def _herd(count: int, missed: int) -> Scenario:
    return Scenario(
        key=f"herd-{count}",
        tables=("herd",),
        title=f"{count:,} clients come back after a restart, {missed} events missed each",
        connect=Connect(count=count, in_flight=512),
        run=Run(requests=1, batch=missed),
        rounds=1,
        missed=missed,
    )


SCENARIOS = (
    _connections(1_000, 2),
    _burst(1, 400),
    _burst(10, 100),
    _burst(100, 20),
    _steady(
        10_000,
        20_000,
        1,
        ramp=(30_000, 40_000, 60_000, 80_000, 100_000, 120_000, 150_000, 200_000, 300_000),
    ),
    _steady(1_000, 100_000, 5),
    _steady(1_000, 2_000, 1, seconds=10),
    _events(1_000, 2),
    _slow(1_000, 100),
    _slow(10_000, 1_000),
    _herd(1_000, 100),
    _herd(10_000, 100),
    _ingest(1, 40_000),
    _ingest(100, 4_000),
)

FULL = tuple(one.key for one in SCENARIOS if one.key not in ("slow-readers-1000", "herd-1000"))
"""The scenarios of a full run: each of the others is the small one of a large one."""

QUICK = (
    "connections-1000",
    "fan-out-1",
    "fan-out-10",
    "steady-2000",
    "slow-readers-1000",
    "herd-1000",
    "ingest-1",
    "ingest-100",
)
"""The scenarios of a quick run, each once and for a shorter time."""

_PEERS_SECONDS = 5.0
_PEERS_GRACE = 0.5


def quick(scenario: Scenario) -> Scenario:
    """The same work, less of it."""
    run = scenario.run
    least = 1 if scenario.tables == ("ingest",) or scenario.missed else scenario.connect.groups
    requests = max(run.requests // 4, least)
    return evolve(
        scenario,
        rounds=1,
        idle=scenario.idle / 2,
        run=evolve(run, requests=requests, seconds=run.seconds / 4),
    )


def for_peers(scenario: Scenario) -> Scenario:
    """The same work as a peer does it: once, and for a shorter time.

    One that cannot keep up is not waited for as long: what has not come by then counts as lost.
    """
    run = scenario.run
    seconds = min(run.seconds, _PEERS_SECONDS)
    requests = min(run.requests, int(run.rate * seconds)) if run.rate else run.requests
    return evolve(
        scenario,
        rounds=1,
        run=evolve(run, requests=requests, seconds=seconds, grace=_PEERS_GRACE),
    )
