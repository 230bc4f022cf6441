"""The screen that is a terminal: a live table, drawn at each change and each second."""

import signal
import time
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager
from typing import Any

import trio
from attrs import evolve
from rich.console import Console
from rich.live import Live

from incident_manager.http.client import ClientEvent
from incident_manager.http.watch.follow import Snapshot
from incident_manager.http.watch.link_state import LinkState
from incident_manager.http.watch.model import Board, Row, Update, Wanted
from incident_manager.http.watch.view import View

__all__ = ["TerminalScreen", "open_terminal"]

_AT_MOST = 0.1  # seconds between two drawings: a storm of updates is drawn ten times a second


class TerminalScreen:
    """Keeps the :class:`View`; made by :func:`open_terminal`."""

    def __init__(self, console: Console, url: str, wanted: Wanted) -> None:
        encoding = console.encoding.lower()
        self.view = View(
            url,
            Board(wanted),
            LinkState(),
            time.time(),
            loaded=False,
            unicode=encoding.startswith("utf"),
        )
        self._changed = trio.Event()

    def _show(self, view: View) -> None:
        self.view = view
        self._changed.set()

    def connection(self, event: ClientEvent) -> None:
        """The connection has come or gone."""
        self._show(evolve(self.view, link=self.view.link.after(event, time.time())))

    async def snapshot(self, snapshot: Snapshot) -> None:
        """Everything anew."""
        rows = map(Row.read, snapshot.incidents)
        board = self.view.board.load(rows, more=snapshot.more)
        self._show(evolve(self.view, board=board, loaded=True))

    async def update(self, update: Mapping[str, Any], cursor: str | None) -> None:
        """One update."""
        del cursor
        read = Update.read(update)
        if read is None:
            return
        board = self.view.board.apply(read, time.time())
        if board is not self.view.board:
            self._show(evolve(self.view, board=board, last=read))

    async def gap(self, since: str, until: str) -> None:
        """A snapshot follows: it says all there is to say."""
        del since, until
        link = evolve(self.view.link, resumed=None)  # this time something was missed
        self._show(evolve(self.view, link=link))

    def resized(self) -> None:
        """The terminal has another size now."""
        self._changed.set()

    async def run(self, live: Live) -> None:
        """Draw for ever: at each change, at least each second (ages count), not too often."""
        while True:
            self._changed = trio.Event()
            now = time.time()
            self.view = evolve(self.view, now=now, board=self.view.board.settle(now))
            live.update(self.view, refresh=True)
            await trio.sleep(_AT_MOST)
            with trio.move_on_after(1 - _AT_MOST):
                await self._changed.wait()


@asynccontextmanager
async def open_terminal(
    console: Console, url: str, wanted: Wanted
) -> AsyncGenerator[TerminalScreen]:
    """Take over the terminal; it is as it was when the block is left."""
    screen = TerminalScreen(console, url, wanted)
    with Live(screen.view, console=console, screen=True, auto_refresh=False) as live:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(screen.run, live)
            nursery.start_soon(_resizes, screen)
            yield screen
            nursery.cancel_scope.cancel()


async def _resizes(screen: TerminalScreen) -> None:
    with trio.open_signal_receiver(signal.SIGWINCH) as signals:
        async for _ in signals:
            screen.resized()
