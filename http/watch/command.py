"""The command ``watch``: its options, and which screen it takes."""

import os
import signal
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import click
import trio

from incident_manager.http.watch.model import SEVERITIES, STATES, Wanted

__all__ = ["watch"]

_URL = "ws://localhost:8080/graphql/ws"
_ONCE_PATIENCE = 10.0  # seconds that --once waits for a server


def _words(known: tuple[str, ...]) -> Callable[[Any, Any, tuple[str, ...]], tuple[str, ...]]:
    """Read ``A,B`` (given once or more), in any case, each out of ``known`` (empty: any)."""

    def read(_context: object, _option: object, given: tuple[str, ...]) -> tuple[str, ...]:
        words = [word.strip() for text in given for word in text.split(",") if word.strip()]
        if not known:
            return tuple(words)
        for word in words:
            if word.upper() not in known:
                raise click.BadParameter(f"{word!r} is none of {', '.join(known)}")
        return tuple(word.upper() for word in words)

    return read


def _labels(_context: object, _option: object, given: tuple[str, ...]) -> dict[str, str]:
    pairs = [text.partition("=") for text in given]
    for name, equals, _ in pairs:
        if not name or not equals:
            raise click.BadParameter("a label is given as name=value")
    return {name: value for name, _, value in pairs}


def _endpoint(_context: object, _option: object, given: str) -> str:
    from incident_manager.http.client.endpoint import Endpoint

    scheme, _, rest = given.partition("://")
    url = f"{ {'http': 'ws', 'https': 'wss'}.get(scheme, scheme) }://{rest}" if rest else given
    if rest and rest.find("/") in (-1, len(rest) - 1):
        url = f"{url.rstrip('/')}/graphql/ws"
    try:
        Endpoint.parse(url)
    except ValueError as error:
        raise click.BadParameter(str(error)) from None
    return url


@click.command(short_help="Watch the incidents live.")
@click.option(
    "--url",
    default=_URL,
    show_default=True,
    callback=_endpoint,
    help="The server: ws://, wss://, http:// or https://.",
)
@click.option(
    "--token", metavar="TOKEN", envvar="LIM_TOKEN", help="Where the server wants one.  [LIM_TOKEN]"
)
@click.option(
    "--severity",
    metavar="P0,P1",
    multiple=True,
    callback=_words(SEVERITIES),
    help="Only incidents of these severities.",
)
@click.option(
    "--state", metavar="NEW,...", multiple=True, callback=_words(STATES), help="Only these states."
)
@click.option(
    "--source", metavar="A,B", multiple=True, callback=_words(()), help="Only from these sources."
)
@click.option(
    "--label",
    metavar="NAME=VALUE",
    multiple=True,
    callback=_labels,
    help="Only with this label; given more than once, with all of them.",
)
@click.option(
    "--active-only/--all",
    default=True,
    help="Leave out the resolved and closed ones, or not.  [active-only]",
)
@click.option("--once", is_flag=True, help="Print what there is, and end.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line.")
def watch(
    url: str,
    token: str | None,
    severity: tuple[str, ...],
    state: tuple[str, ...],
    source: tuple[str, ...],
    label: dict[str, str],
    active_only: bool,
    once: bool,
    as_json: bool,
) -> int:
    """Show the incidents, live, until Ctrl-C; through restarts of the server.

    In a terminal that is a table. Where the output goes elsewhere it is one line for each incident
    there is, then one for each update; with --json one JSON object a line.
    """
    wanted = Wanted(
        severities=severity,
        states=state,
        sources=source,
        labels=label,
        active_only=active_only and not set(state) & {"RESOLVED", "CLOSED"},
    )
    try:
        trio.run(partial(_watch, url, token, wanted, once=once, as_json=as_json))
    except BaseExceptionGroup as group:
        _translate(_innermost(group))
        raise
    return 0


def _innermost(group: BaseExceptionGroup[Any]) -> BaseException:
    """The exception of a group that holds one; of several, the group."""
    inner: BaseException = group
    while isinstance(inner, BaseExceptionGroup) and len(inner.exceptions) == 1:
        inner = inner.exceptions[0]
    return inner


def _translate(error: BaseException) -> None:
    """Raise what a command raises for what the user should read; other errors are let be."""
    from incident_manager.http.client import ClientError

    if isinstance(error, ClientError):
        raise click.ClickException(str(error)) from error
    if isinstance(error, BrokenPipeError):
        # Whoever read this has had enough (head). The interpreter's last flush must not say so.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise click.exceptions.Exit(0) from error


async def _watch(url: str, token: str | None, wanted: Wanted, *, once: bool, as_json: bool) -> None:
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_end_at_signal, nursery.cancel_scope)
        await _show(url, token, wanted, once=once, as_json=as_json)
        nursery.cancel_scope.cancel()


async def _end_at_signal(scope: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            scope.cancel()


async def _show(url: str, token: str | None, wanted: Wanted, *, once: bool, as_json: bool) -> None:
    from attrs import evolve
    from rich.console import Console

    from incident_manager.http.watch.follow import follow
    from incident_manager.http.watch.lines import JsonFormat, LineScreen, TextFormat
    from incident_manager.http.watch.terminal import TerminalScreen, open_terminal

    run = partial(follow, url, token, wanted, once=once, patience=_ONCE_PATIENCE if once else None)
    console = Console()
    if as_json or not console.is_terminal:
        form = JsonFormat() if as_json else TextFormat()
        await run(LineScreen(wanted, form, sys.stdout, sys.stderr))
    elif once:
        screen = TerminalScreen(console, url, wanted)
        await run(screen)
        console.print(evolve(screen.view, now=time.time(), printed=True))
    else:
        async with open_terminal(console, url, wanted) as screen:
            await run(screen)
