"""Texts for a terminal: made safe, and as short as a column wants them."""

from datetime import UTC, datetime
from typing import Final

from incident_manager.http.watch.model import Row, Update

__all__ = ["age", "clock", "line_of", "line_of_row", "safe", "short_state"]

_SHORT: Final = {"INVESTIGATING": "INVEST", "IDENTIFIED": "IDENT", "MONITORING": "MONITOR"}


def safe(text: str) -> str:
    """Return `text` without anything that a terminal would obey: titles come from outside."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def age(seconds: float) -> str:
    """How long, in its two largest units: ``42s``, ``3m 07s``, ``5h 12m``, ``12d 04h``."""
    whole = max(0, int(seconds))
    minutes, second = divmod(whole, 60)
    hours, minute = divmod(minutes, 60)
    days, hour = divmod(hours, 24)
    if days:
        return f"{days}d {hour:02}h"
    if hours:
        return f"{hours}h {minute:02}m"
    return f"{minutes}m {second:02}s" if minutes else f"{second}s"


def clock(moment: float) -> str:
    """A time of day, UTC: ``12:00:09Z``."""
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%SZ")


def short_state(state: str) -> str:
    """A state in at most eight letters."""
    return _SHORT.get(state, state)


def line_of(update: Update) -> str:
    """One line for an update, for where there is no screen."""
    actor = f" by {safe(update.actor)}" if update.actor else ""
    return f"{clock(update.at)} {update.kind:<13} {_about(update.row)}{actor}"


def line_of_row(row: Row) -> str:
    """One line for an incident that was there when watching began."""
    return f"{clock(row.created)} {'PRESENT':<13} {_about(row)}"


def _about(row: Row) -> str:
    assigned = f" -> {', '.join(map(safe, row.assignees))}" if row.assignees else ""
    alerts = f" ({row.alerts} alerts)" if row.alerts > 1 else ""
    return (
        f"{row.severity} {row.state:<13} {safe(row.title)}{alerts} [{safe(row.source)}]"
        f"{assigned} {row.id}"
    )
