"""What our parts of Hypercorn tell each other, besides its own events."""

from dataclasses import dataclass

from hypercorn.events import Event, RawData
from hypercorn.protocol.events import Event as StreamEvent
from hypercorn.typing import ConnectionState

from incident_manager.http.whole_upgrade import Upgrade

__all__ = ["Held", "Last", "Upgrading"]


@dataclass(frozen=True)
class Held(Event):
    """What the connection serves may last: no task is to wait for its end."""


@dataclass(frozen=True)
class Last(RawData):
    """Bytes to write, after which there is nothing to do but to read on: that is turn enough for
    others.
    """


@dataclass(frozen=True)
class Upgrading(StreamEvent):
    """A stream begins with a handshake that is known to be good: there is nothing to look at."""

    upgrade: Upgrade
    state: ConnectionState
