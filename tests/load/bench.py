"""``make bench``: measure the server and, with ``--write``, put the figures into the document."""

import json
import resource
import signal
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import click
from attrs import asdict
from rich.console import Console
from rich.status import Status

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load.client import Client, build
from load.machine import machine, wait_for_quiet
from load.measure import Measured, measure, middle
from load.report import place, summary, tables
from load.scenarios import QUICK, SCENARIOS, Scenario, quick

_ROOT = Path(__file__).resolve().parent.parent.parent
_DOCUMENT = _ROOT / "docs" / "PERFORMANCE.md"
_KEYS = [scenario.key for scenario in SCENARIOS]


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
    write: bool,
    raw: str | None,
    client: str,
    data: str | None,
    profile: str | None,
) -> None:
    """Measure the server on this machine; ends with 1 when an event was lost or repeated."""
    if write and (short or only or profile or scrape):
        raise click.UsageError("--write takes the figures of a full run only")
    console = Console(stderr=True)
    _raise_file_limit(console)
    # A bench that is told to end takes its server and its load client with it.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        loader = build(Path(folder), client)
        console.print(f"Load client: {loader.name}")
        results = []
        for scenario in _chosen(short=short, only=only):
            count = rounds or scenario.rounds
            results.append(
                _repeat(scenario, count, loader, console, data, raw, profile, wait, scrape)
            )
    command = _command(short=short, only=only, rounds=rounds, wait=wait, scrape=scrape)
    where = Path(data or tempfile.gettempdir())
    block = f"{machine(loader.name, where, command)}\n\n{tables(results)}"
    click.echo(block)
    if write:
        _DOCUMENT.write_text(place(_DOCUMENT.read_text(), block))
    console.print(f"{time.monotonic() - began:.0f} s")
    bad = {one.scenario.key: one.faults for one in results if one.faults}
    if bad:
        console.print(f"[red]Not as it should be: {bad}")
        sys.exit(1)


def _command(
    *, short: bool, only: tuple[str, ...], rounds: int | None, wait: float, scrape: float
) -> str:
    """The command that measures this again: what goes elsewhere than to the screen is left out."""
    words = ["--quick"] if short else []
    words += [f"--only {key}" for key in only]
    words += [f"--rounds {rounds}"] if rounds else []
    words += [f"--wait {wait:g}"] if wait else []
    words += [f"--scrape {scrape:g}"] if scrape else []
    return f'make bench ARGS="{" ".join(words)}"' if words else "make bench"


def _chosen(*, short: bool, only: tuple[str, ...]) -> list[Scenario]:
    keys = only or (QUICK if short else _KEYS)
    chosen = [scenario for scenario in SCENARIOS if scenario.key in keys]
    return [quick(scenario) for scenario in chosen] if short else chosen


def _repeat(
    scenario: Scenario,
    rounds: int,
    client: Client,
    console: Console,
    data: str | None,
    raw: str | None,
    profile: str | None,
    wait: float,
    scrape: float,
) -> Measured:
    console.print(f"[bold]{scenario.key}[/]  {scenario.title}")
    done = []
    for number in range(1, rounds + 1):
        step = f"{number}/{rounds}"
        with console.status(f"{step}  starting the server") as status:
            if wait:
                status.update(f"{step}  waiting for a quiet machine")
                wait_for_quiet(wait)
            say = partial(_say, status, step)
            where = None if data is None else Path(data)
            stats = None if profile is None else Path(profile).resolve()
            try:
                one = measure(scenario, client, where, say, stats, scrape=scrape)
            except RuntimeError as error:
                raise click.ClickException(str(error)) from error
        console.print(f"  {step}  {summary(one)}", highlight=False)
        if one.faults:
            console.print(f"  [red]{one.faults}")
        if raw is not None:
            with Path(raw).open("a") as file:
                file.write(json.dumps(asdict(one)) + "\n")
        done.append(one)
    return middle(done)


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
