"""``make bench``: measure the server and, with ``--write``, put the figures into the document."""

import json
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import click
from attrs import asdict, frozen
from rich.console import Console
from rich.status import Status

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load import charts, rivals
from load.absence import measure_absence
from load.client import Client, build
from load.growth import CURVES, Curve, measure_growth
from load.machine import machine, wait_for_quiet
from load.measure import Measured, Say, measure, middle
from load.report import NAMES, beside, growing, place, summary, tables
from load.rivals import OURS, RIVALS, Rival
from load.scenarios import FULL, QUICK, SCENARIOS, Scenario, for_peers, quick

_ROOT = Path(__file__).resolve().parent.parent.parent
_DOCUMENT = _ROOT / "docs" / "PERFORMANCE.md"
_IMAGES = _ROOT / "docs" / "images"
_KEYS = [*(scenario.key for scenario in SCENARIOS), *CURVES]


@click.command()
@click.option("--quick", "short", is_flag=True, help="Fewer and shorter: under three minutes.")
@click.option("--only", multiple=True, type=click.Choice(_KEYS), help="This scenario; repeatable.")
@click.option("--rounds", type=click.IntRange(1, 20), help="How often each is measured.")
@click.option(
    "--wait",
    default=0.0,
    metavar="SECONDS",
    help="Before each round wait, so long at most, until no other program keeps the CPU busy.",
)
@click.option(
    "--scrape",
    default=0.0,
    metavar="SECONDS",
    help="Scrape /metrics so often while alerts are sent.",
)
@click.option(
    "--peers/--no-peers", "peers", default=True, help="The same work by the peers that are built."
)
@click.option("--build", "only_build", is_flag=True, help="Build the peers, and measure nothing.")
@click.option(
    "--server", multiple=True, type=click.Choice(list(NAMES)), help="This server; repeatable."
)
@click.option("--charts", "images", type=click.Path(file_okay=False), help="Folder for charts.")
@click.option("--write", is_flag=True, help="Write the figures of a full run into the document.")
@click.option("--json", "raw", type=click.Path(dir_okay=False), help="Append all rounds as JSON.")
@click.option("--client", type=click.Choice(["auto", "c", "python"]), default="auto")
@click.option("--data", type=click.Path(exists=True, file_okay=False), help="Folder for journals.")
@click.option("--profile", type=click.Path(dir_okay=False), help="cProfile the server, into FILE.")
def main(
    *,
    short: bool,
    only: tuple[str, ...],
    rounds: int | None,
    wait: float,
    scrape: float,
    peers: bool,
    only_build: bool,
    server: tuple[str, ...],
    images: str | None,
    write: bool,
    raw: str | None,
    client: str,
    data: str | None,
    profile: str | None,
) -> None:
    """Measure the server on this machine; ends with 1 when an event was lost or repeated."""
    if write and (short or only or profile or scrape or server or images or not peers):
        raise click.UsageError("--write takes the figures of a full run only")
    console = Console(stderr=True)
    _raise_file_limit(console)
    # A bench that is told to end takes its server and its load client with it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    wanted = [one for one in RIVALS if peers and (not server or one.key in server)]
    beside_us = _build(wanted, console, new=only_build or not short)
    if only_build:
        return
    began = time.monotonic()
    bench = _Bench(console, rounds, wait, scrape, data, raw, profile)
    results: list[Measured] = []
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        loader = build(Path(folder), client)
        console.print(f"Load client: {loader.name}")
        for scenario in _chosen(short=short, only=only):
            console.print(f"[bold]{scenario.key}[/]  {scenario.title}")
            if (scenario.stalled or scenario.missed) and not loader.compiled:
                console.print("  [yellow]left out: it needs the compiled load client")
                continue
            if not server or OURS in server:
                results.append(bench.repeat(scenario, loader))
            if scenario.peers:
                results += [bench.repeat(for_peers(scenario), loader, rival) for rival in beside_us]
        grown = [] if server and OURS not in server else only or (() if short else tuple(CURVES))
        curves = bench.grow([key for key in CURVES if key in grown], loader)
    words = {"--quick": short, "--no-peers": not peers, "--rounds": rounds, "--wait": wait}
    command = _command({**words, "--scrape": scrape}, {"--only": only, "--server": server})
    where = Path(data or tempfile.gettempdir())
    about = "\n".join(
        f"- {rival.name}: {rivals.versions(rival)} ({rival.cores})" for rival in beside_us
    )
    texts = (machine(loader.name, where, command), about, beside(results), tables(results),
             growing(curves))  # fmt: skip
    block = "\n\n".join(text for text in texts if text)
    click.echo(block)
    folder = Path(images or _IMAGES)
    drawn = charts.draw(results, folder, curves) if write or images else []
    if write:
        block = "\n\n".join(text for text in (block, charts.gallery(drawn)) if text)
        _DOCUMENT.write_text(place(_DOCUMENT.read_text(), block))
    console.print(f"{time.monotonic() - began:.0f} s")
    bad: dict[str, object] = {
        one.scenario.key: one.faults for one in results if one.faults and one.server == OURS
    }
    bad.update({one.key: one.bad for one in curves if one.bad})
    if bad:
        console.print(f"[red]Not as it should be: {bad}")
        sys.exit(1)


def _build(wanted: list[Rival], console: Console, *, new: bool) -> list[Rival]:
    """Those that stand, after those that do not have been built if ``new``."""
    ready = []
    for rival in wanted:
        absent = rivals.missing(rival)
        if absent:
            console.print(f"[yellow]{rival.name}: left out, as there is no {', '.join(absent)}")
        elif not new and not rivals.built(rival):
            console.print(f"[yellow]{rival.name}: left out, as it is not built (--build)")
        else:
            with console.status(f"building {rival.name}") as status:
                began = time.monotonic()
                try:
                    rivals.build(rival, partial(_say, status, f"building {rival.name}"))
                except RuntimeError as error:
                    raise click.ClickException(str(error)) from error
            if time.monotonic() - began > 1:
                console.print(f"{rival.name}: built in {time.monotonic() - began:.0f} s")
            ready.append(rival)
    return ready


def _command(options: dict[str, object], lists: dict[str, tuple[str, ...]]) -> str:
    """The command that measures this again: what goes elsewhere than to the screen is left out."""
    words = [f"{name} {one}" for name, given in lists.items() for one in given]
    for name, value in options.items():
        if value:
            words.append(name if value is True else f"{name} {value:g}")
    return f'make bench ARGS="{" ".join(words)}"' if words else "make bench"


def _chosen(*, short: bool, only: tuple[str, ...]) -> list[Scenario]:
    keys = only or (QUICK if short else FULL)
    chosen = [scenario for scenario in SCENARIOS if scenario.key in keys]
    return [quick(scenario) for scenario in chosen] if short else chosen


@frozen
class _Bench:
    """How everything is measured in this run."""

    console: Console
    rounds: int | None
    wait: float
    scrape: float
    data: str | None
    raw: str | None
    profile: str | None

    def repeat(self, scenario: Scenario, client: Client, rival: Rival | None = None) -> Measured:
        """Measure one scenario on one server, as often as it ought to be."""
        rounds = scenario.rounds if rival is not None else self.rounds or scenario.rounds
        name = NAMES[OURS if rival is None else rival.key]
        done = []
        for number in range(1, rounds + 1):
            step = f"{name} {number}/{rounds}"
            with self.console.status(f"{step}  starting the server") as status:
                if self.wait:
                    status.update(f"{step}  waiting for a quiet machine")
                    wait_for_quiet(self.wait)
                try:
                    one = self._once(scenario, client, rival, partial(_say, status, step))
                except RuntimeError as error:
                    raise click.ClickException(str(error)) from error
            self.console.print(f"  {step}  {summary(one)}", highlight=False)
            if one.faults:
                self.console.print(f"  [red]{one.faults}")
            if self.raw is not None:
                with Path(self.raw).open("a") as file:
                    file.write(json.dumps(asdict(one)) + "\n")
            done.append(one)
        return middle(done)

    def grow(self, keys: Sequence[str], client: Client) -> list[Curve]:
        """Measure how costs grow."""
        where = None if self.data is None else Path(self.data)
        done = []
        with self.console.status("cost as work grows") as status:
            for one in measure_growth(keys, client, where, partial(_say, status, "growth")):
                self.console.print(f"[bold]{one.key}[/]  {one.title}")
                for name in one.lines:
                    last = one.lines[name][-1]
                    text = (
                        f"  {name}: {last[1]:,.0f} µs at {last[0]:,}, as n^{one.exponent(name):.2f}"
                    )
                    self.console.print(text, highlight=False)
                done.append(one)
        return done

    def _once(self, scenario: Scenario, client: Client, rival: Rival | None, say: Say) -> Measured:
        where = None if self.data is None else Path(self.data)
        stats = None if self.profile is None or rival else Path(self.profile).resolve()
        if scenario.stalled or scenario.missed:
            return measure_absence(scenario, client, where, say, stats)
        scrape = 0.0 if rival else self.scrape
        return measure(scenario, client, where, say, stats, scrape=scrape, rival=rival)


def _say(status: Status, step: str, what: str) -> None:
    status.update(f"{step}  {what}")


def _raise_file_limit(console: Console) -> None:
    """Let the server and the load client have as many files open as this user may."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and hard < 11_000:
        console.print(f"[yellow]Only {hard} open files: 10,000 connections need more (ulimit -n).")


if __name__ == "__main__":
    main()
