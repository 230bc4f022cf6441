"""The place of one live subscription in the fan-out."""

from collections.abc import Callable
from typing import Protocol

from incident_manager.actors.ports import Shape, Sink
from incident_manager.actors.streams import StreamFilter

__all__ = ["Seat", "Seats"]


class Seats(Protocol):
    """Those who get the same as a seat."""

    def fallen_out(self, seat: "Seat") -> None:
        """One of them stands in a rank no more, and has its position for itself."""
        ...


class Seat:
    """Where the hub offers a subscription its events.

    ``position`` is the offset up to which everything has been offered or does not concern it,
    as long as it is ``taken`` also everything up to the hub's position.
    ``leave`` is called, at most once, when the hub takes the seat away, with the failure if its
    events cannot be projected; it must not block.

    It implements :class:`incident_manager.actors.ports.Listed`: while its sink stands in a rank,
    that has the position.
    """

    __slots__ = ("filter", "group", "leave", "position", "shape", "sink", "taken")

    def __init__(
        self,
        sink: Sink,
        shape: Shape,
        wanted: StreamFilter,
        position: int,
        leave: Callable[[Exception | None], None],
    ) -> None:
        self.sink = sink
        self.shape = shape
        self.filter = wanted
        self.position = position
        self.leave = leave
        self.taken = False
        self.group: Seats | None = None

    def fallen_out(self, position: int) -> None:
        """Its sink stands in a rank no more."""
        self.position = max(self.position, position)
        if self.group is not None:
            self.group.fallen_out(self)
