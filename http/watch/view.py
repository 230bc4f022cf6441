"""The board as it is drawn: for any width and height, readable without colour."""

from typing import Final

from attrs import frozen
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from incident_manager.http.watch.link_state import LinkState
from incident_manager.http.watch.model import SEVERITIES, Board, Row, Update
from incident_manager.http.watch.words import age, clock, safe, short_state

__all__ = ["View", "table"]

_FRESH: Final = 4.0  # seconds that a change is marked
_FRAME: Final = 6  # lines: two of the head, a blank, two of the table's head, the footer
_RESUMED: Final = 60.0  # seconds that the footer tells of a resume

_BADGE: Final = {
    "P0": "bold bright_white on red3",
    "P1": "bold grey0 on dark_orange",
    "P2": "bold grey0 on gold3",
    "P3": "bold bright_white on dodger_blue3",
    "P4": "bright_white on grey35",
}
_STATE: Final = {
    "NEW": "bold red",
    "INVESTIGATING": "dark_orange",
    "IDENTIFIED": "gold3",
    "MONITORING": "cyan",
    "RESOLVED": "green",
    "CLOSED": "grey58",
}

# The width from which a column is worth its place.
_ALERTS, _SOURCE, _ASSIGNEE, _FULL_STATE, _ID = 56, 72, 96, 84, 150


@frozen
class View:
    """All that is shown at one moment; ``now`` in seconds since 1970. A rich renderable.

    ``printed``: it stays on paper, so all rows are there, and nothing of what is live.
    """

    url: str
    board: Board
    link: LinkState
    now: float
    last: Update | None = None
    loaded: bool = True
    unicode: bool = True
    printed: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = options.height or console.height
        width = options.max_width
        rows = self.board.ordered()
        body: RenderableType
        if not self.loaded:
            body = Text("\nWaiting for the server ...\n", style="dim", justify="center")
        elif not rows:
            body = self._quiet()
        else:
            shown = rows if self.printed else rows[: max(1, height - _FRAME)]
            body = table(shown, width, self.now, unicode=self.unicode)
        if self.printed:
            yield Group(self._counts(width), Text(), body)
        else:
            foot = self._foot(width, len(rows) - (height - _FRAME))
            yield Group(self._head(width), self._counts(width), Text(), body, foot)

    def _glyph(self, pretty: str, plain: str) -> str:
        return pretty if self.unicode else plain

    def _head(self, width: int) -> Table:
        line = Table.grid(expand=True)
        line.add_column(no_wrap=True, overflow="ellipsis", ratio=1)
        line.add_column(no_wrap=True, justify="right")
        place = Text("Incident Manager", style="bold")
        if width >= _SOURCE:
            place.append(f"  {self.url}", style="dim")
        line.add_row(place, self._badge(width))
        return line

    def _badge(self, width: int) -> Text:
        if self.link.live:
            return Text(f"{self._glyph('●', '*')} LIVE", style="bold green")
        dot = self._glyph("○", "o")
        if self.link.reason is None:
            return Text(f"{dot} CONNECTING", style="bold yellow")
        wait = max(0, round(self.link.again - self.now))
        text = Text(f"{dot} RECONNECTING", style="bold yellow")
        if width >= _ALERTS:
            text.append(f" in {wait} s, try {self.link.tries + 1}", style="not bold yellow")
        return text

    def _counts(self, width: int) -> Text:
        counts = self.board.counts()
        line = Text(no_wrap=True, overflow="ellipsis")
        for severity in SEVERITIES:
            if counts[severity]:
                line.append(f" {severity} ", style=_BADGE[severity])
                line.append(f" {counts[severity]}  ")
        total = sum(counts.values())
        more = "+" if self.board.more else ""
        kind = "active" if self.board.wanted.active_only else "in all"
        if self.loaded:
            line.append(f"{total}{more} {kind}", style="dim")
        if not self.link.live and self.link.reason is not None and width >= _ALERTS:
            as_of = f"as of {clock(self.link.since)}, " if self.loaded and self.link.since else ""
            line.append(f"  {as_of}{self.link.reason}", style="yellow")
        return line

    def _quiet(self) -> Text:
        kind = "active incidents" if self.board.wanted.active_only else "incidents"
        mark = self._glyph("✓ ", "")
        return Text(f"\n{mark}No {kind} that match.\n", style="green", justify="center")

    def _foot(self, width: int, hidden: int) -> Text:
        line = Text(no_wrap=True, overflow="ellipsis", style="dim")
        if hidden > 0:
            line.append(f"{self._glyph('…', '...')} and {hidden} more  ", style="bold")
        if self.link.resumed is not None and self.now - self.link.resumed < _RESUMED:
            ago = age(self.now - self.link.resumed)
            line.append(f"resumed {ago} ago, nothing was missed  ", style="not dim green")
        if self.last is not None and width >= _ALERTS:
            actor = f" by {safe(self.last.actor)}" if self.last.actor else ""
            line.append(f"{clock(self.last.at)} {self.last.kind} ")
            line.append(safe(self.last.row.title), style="italic")
            line.append(f"{actor}  ")
        if width >= _SOURCE:
            line.append("Ctrl-C ends")
        return line


def table(rows: list[Row], width: int, now: float, *, unicode: bool = True) -> Table:
    """A table of incidents, with as many columns as the width bears."""
    drawn = Table(
        box=box.SIMPLE_HEAD if unicode else box.ASCII2,
        expand=True,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        show_edge=False,
        header_style="dim",
        border_style="dim",
    )
    drawn.add_column(" SEV", no_wrap=True, width=5)
    drawn.add_column("STATE", no_wrap=True, width=13 if width >= _FULL_STATE else 8)
    drawn.add_column("AGE", no_wrap=True, justify="right", width=7)
    drawn.add_column("INCIDENT", no_wrap=True, overflow="ellipsis", ratio=1, min_width=8)
    if width >= _ALERTS:
        drawn.add_column("ALERTS", no_wrap=True, justify="right", width=6)
    if width >= _SOURCE:
        drawn.add_column("SOURCE", no_wrap=True, overflow="ellipsis", max_width=18)
    if width >= _ASSIGNEE:
        drawn.add_column("ASSIGNEE", no_wrap=True, overflow="ellipsis", max_width=16)
    if width >= _ID:
        drawn.add_column("ID", no_wrap=True, width=36, style="dim")
    for row in rows:
        cells = _cells(row, width, now, unicode=unicode)
        drawn.add_row(*cells[: len(drawn.columns)], style="" if row.left is None else "dim")
    return drawn


def _cells(row: Row, width: int, now: float, *, unicode: bool) -> list[Text]:
    fresh = row.changed is not None and now - row.changed < _FRESH
    mark = ("▌" if unicode else ">") if fresh else " "
    severity = Text(mark, style="bold cyan")
    severity.append(f" {row.severity} ", style=_BADGE[row.severity])
    state = row.state if width >= _FULL_STATE else short_state(row.state)
    times = "\N{MULTIPLICATION SIGN}" if unicode else "x"
    return [
        severity,
        Text(state, style=_STATE[row.state]),
        Text(age(now - row.created)),
        Text().append(safe(row.title), style=_title_style(row, fresh=fresh)),
        Text(f"{times}{row.alerts}" if row.alerts > 1 else str(row.alerts)),
        Text(safe(row.source)),
        Text(safe(", ".join(row.assignees)) or "-"),
        Text(row.id),
    ]


def _title_style(row: Row, *, fresh: bool) -> str:
    if row.left is not None:
        return "strike"
    return "bold" if fresh else ""
