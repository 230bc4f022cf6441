"""What our parts of Hypercorn tell each other, besides its own events."""

from dataclasses import dataclass

from hypercorn.events import Event, RawData

__all__ = ["Held", "Last"]


@dataclass(frozen=True)
class Held(Event):
    """What the connection serves may last: no task is to wait for its end."""


@dataclass(frozen=True)
class Last(RawData):
    """Bytes to write, after which there is nothing to do but to read on: that is turn enough for
    others.
    """
