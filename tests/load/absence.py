"""Clients that do not read, and clients that come back after a restart."""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from attrs import evolve

from load.client import WIDE_QUERY, Client, driving
from load.machine import Neighbours
from load.measure import FAULTS, Measured, Say, delivery, opening
from load.scenarios import Run, Scenario
from load.server import serving

__all__ = ["measure_absence"]

_PATIENCE = 180.0  # seconds until everybody has everything
# A small outbox is full the sooner; nobody is cut off for not reading while this is measured.
# Pings go by the clock, and would fall into one of the two runs that are compared.
_SETTINGS = (
    ("--limits-outbox-bytes", "65536"),
    ("--limits-stall-timeout", "300s"),
    ("--server-ping-interval", "0"),
)
_WIDE = 8_000  # bytes of a description
_FLOOD = 60  # of them to each: more than the kernel and the outbox hold


def measure_absence(
    scenario: Scenario, client: Client, data: Path | None, say: Say, profile: Path | None = None
) -> Measured:
    """Measure a scenario with ``stalled`` or ``missed`` once.

    With ``profile`` the server (of a herd: the one that it comes back to) is under cProfile.

    Raises:
        RuntimeError: the server or the load client failed, or the latter is not the compiled one.
    """
    if not client.compiled:
        raise RuntimeError(f"{scenario.key} needs the compiled load client")
    neighbours = Neighbours()
    with tempfile.TemporaryDirectory(prefix="bench-", dir=data) as folder:
        work = _slow if scenario.stalled else _herd
        figures = work(scenario, client, Path(folder), say, profile)
    figures["other_cores"] = neighbours.cores()
    return Measured(scenario, figures)


def _slow(
    scenario: Scenario, client: Client, folder: Path, say: Say, profile: Path | None
) -> dict[str, float]:
    wanted = scenario.connect
    with (
        serving(folder, settings=_SETTINGS, profile=profile) as server,
        driving(client, server) as load,
    ):
        load.prepare(WIDE_QUERY)
        say(f"connecting {wanted.count:,}")
        opened = load.connect(wanted)
        warm = load.run(evolve(scenario.run, requests=wanted.groups, batch=1, rate=0))
        say("everybody reads")
        first = server.usage()
        all_read = load.run(scenario.run)
        second = server.usage()
        load.stall(scenario.stalled)
        say(f"{scenario.stalled:,} do not read: filling their buffers")
        flood = Run(requests=_FLOOD * wanted.groups // 20, batch=20, senders=2, seconds=120)
        flooded = load.prepare(WIDE_QUERY, "x" * _WIDE).run(flood)
        say(f"{scenario.stalled:,} do not read")
        start = server.usage()
        ran = load.prepare(WIDE_QUERY).run(scenario.run)
        end = server.usage()
        say(f"{scenario.stalled:,} read again")
        load.stall(0)
        settled = load.settle(_PATIENCE)
        peak = server.usage().peak
        load.close()
    # What the flood still owed to those that did not read comes later, under an older number.
    runs = (warm, all_read, flooded, ran)
    figures = {
        **delivery(ran, start, end),
        "p99_before": all_read["accepted"]["p99"] / 1e3,
        "p99_meanwhile": ran["accepted"]["p99"] / 1e3,
        # Of an event, and not of a delivery: those that do not read are to cost nothing.
        "cpu_before": (second.cpu - first.cpu) / max(all_read["events"], 1) * 1e6,
        "cpu_meanwhile": (end.cpu - start.cpu) / max(ran["events"], 1) * 1e6,
        "settled": settled["seconds"],
        "peak": peak,
        **{name: sum(one.get(name, 0) for one in runs) for name in FAULTS},
    }
    figures["lost"] += settled["lost"]
    figures["repeated"] += settled["repeated"] - ran["repeated"]
    figures["disordered"] += settled["disordered"] - ran["disordered"]
    figures["dropped"] = settled["dropped"]
    figures["missing"] = wanted.count - opened["connected"]
    return figures


def _herd(
    scenario: Scenario, client: Client, folder: Path, say: Say, profile: Path | None
) -> dict[str, float]:
    wanted = scenario.connect
    with ExitStack() as life:
        with serving(folder) as server:
            load = life.enter_context(driving(client, server))
            say(f"connecting {wanted.count:,}")
            fresh = server.usage()
            opened = load.connect(wanted)
            connecting = server.usage().cpu - fresh.cpu
            first = load.run(Run(requests=1))
            load.leave()
            missed = load.run(scenario.run)
        say("restarting the server")
        with serving(folder, port=server.port, profile=profile) as server:
            before = server.usage()
            say(f"{wanted.count:,} come back")
            back = load.come_back(wanted.in_flight, _PATIENCE)
            settled = load.settle(_PATIENCE)
            after = server.usage()
            load.close()
    figures = {
        **opening(back, before, after, wanted.count),
        "until_live": back["seconds"],
        "until_last": back["seconds"] + settled["seconds"],
        "deliveries": settled["deliveries"],
        "peak": after.peak,
        # Beyond what it takes to connect as many that have missed nothing.
        "cpu_replay": after.cpu - before.cpu - connecting,
        "server_cpu": (after.cpu - before.cpu) / max(back["seconds"] + settled["seconds"], 1e-9),
        **{name: first.get(name, 0) + settled.get(name, 0) for name in FAULTS},
    }
    figures["failed"] += missed["failed"]
    figures["missing"] = wanted.count - min(opened["connected"], back["connected"])
    return figures
