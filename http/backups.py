"""The commands ``backup``, ``check`` and ``restore``: copies of the journal, and whether one is
whole. They work on files, so that they need neither the server nor its credentials.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from incident_manager.actors.journal.base import Bounds, JournalError, JournalUnavailable
from incident_manager.actors.journal.sqlite_backup import Progress, back_up
from incident_manager.actors.journal.sqlite_backup import restore as put_back
from incident_manager.actors.journal.sqlite_check import Report
from incident_manager.actors.journal.sqlite_check import check as look_through
from incident_manager.http.config import SettingsError, process_settings

__all__ = ["backup", "check", "restore"]

_file: Callable[[Any], Any] = click.argument("file", type=click.Path(path_type=Path))
_config: Callable[[Any], Any] = click.option(
    "--config", metavar="FILE", help="TOML file of settings.  [LIM_CONFIG]"
)
_state: Callable[[Any], Any] = click.option(
    "--state-url",
    metavar="TEXT",
    help="Where the journal lies, as the server has it.  [LIM_STATE_URL]",
)


@click.command(short_help="Copy the journal to a file, also while the server runs.")
@_file
@click.option("--force", is_flag=True, help="Replace FILE if it is there.")
@_state
@_config
def backup(file: Path, force: bool, state_url: str | None, config: str | None) -> None:
    """Copy the journal to FILE, also while the server runs: all of it, as of one moment.

    FILE is there when it is complete and on the disk, and only its owner may read it. The
    server's memory of deleted and redacted text is not in it, but what is in it stays there.
    """
    journal = _journal(config, state_url)
    with _told():
        bounds = back_up(journal, file, force=force, progress=_progress("backup"))
    click.echo(f"{file}: {_holds(bounds)}")


@click.command(short_help="Say whether a journal or a backup is whole.")
@_file
def check(file: Path) -> int:
    """Look whether FILE, a journal or a backup, is whole; it is not changed, and may be in use.

    Its pages, its offsets, and every table against the events: 0 if all of it fits together,
    else 1 and a line for each thing that does not.
    """
    with _told():
        report = look_through(file)
    click.echo("\n".join(_lines(file, report)))
    return 0 if report.whole else 1


@click.command(short_help="Put a backup in the journal's place.")
@_file
@click.option("--force", is_flag=True, help="Move a journal that is there aside.")
@click.option("--unchecked", is_flag=True, help="Take FILE as it is, without a look through it.")
@_state
@_config
def restore(
    file: Path, force: bool, unchecked: bool, state_url: str | None, config: str | None
) -> int:
    """Put a copy of FILE in the journal's place. The server must not run.

    The journal gets a new epoch: clients that come back with an older cursor are told that there
    is a gap, and read on from the oldest event in FILE. Nothing is deleted: a journal that is
    there is moved aside, with --force only.
    """
    journal = _journal(config, state_url)
    with _told():
        report = None if unchecked else look_through(file)
        if report is not None and not report.whole:
            click.echo("\n".join(_lines(file, report)), err=True)
            raise click.ClickException(f"{file} is not whole; --unchecked takes it as it is")
        found = put_back(file, journal, force=force, progress=_progress("restore"))
    if found.aside is not None:
        click.echo(f"{found.aside}: the journal that was there")
    click.echo(f"{journal}: {_holds(found.bounds)}")
    return 0


def _journal(config: str | None, state_url: str | None) -> Path:
    settings = process_settings({"config": config, "state.url": state_url}, serving=False)
    if settings.state.path is None:
        raise SettingsError("state.url is memory:, and that has no file")
    return settings.state.path


@contextmanager
def _told() -> Iterator[None]:
    """Say in one line what cannot be done."""
    try:
        yield
    except (JournalError, JournalUnavailable) as failure:
        raise click.ClickException(str(failure)) from failure


def _progress(what: str) -> Progress:
    """On a terminal, how far it is; else nothing."""
    shown = sys.stderr.isatty()

    def tell(left: int, all_: int) -> None:
        if shown:
            end = "\n" if left == 0 else ""
            click.echo(
                f"\r{what}: {100 * (all_ - left) // max(all_, 1)} %{end}", err=True, nl=False
            )

    return tell


def _holds(bounds: Bounds) -> str:
    return f"events {bounds.oldest} to {bounds.head} of epoch {bounds.epoch}"


def _lines(file: Path, report: Report) -> Iterator[str]:
    bounds = report.bounds
    yield f"{file}: {'whole' if report.whole else 'NOT whole'}"
    yield f"  version  {report.version}"
    if bounds is not None:
        yield f"  epoch    {bounds.epoch}"
        yield f"  events   {bounds.oldest} to {bounds.head}"
    for name, number in report.counts.items():
        yield f"  {name:<10} {number}"
    for problem in report.problems:
        yield f"  wrong    {problem}"
