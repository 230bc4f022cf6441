"""Those who get the same payloads: the seats of one filter and one shape."""

from collections.abc import Iterator

from incident_manager.actors.batch import Batch
from incident_manager.actors.ports import Ranks
from incident_manager.actors.seat import Seat

__all__ = ["Group"]


class Group:
    """Seats, in the order in which they were taken.

    Most sinks that only listen can be fed in one go: they stand in ``ranks``, which have
    their position. The others are ``afoot``, and are offered everything one by one.
    """

    __slots__ = ("_seats", "afoot", "ranks")

    def __init__(self) -> None:
        self._seats: dict[Seat, None] = {}
        self.afoot: dict[Seat, None] = {}
        self.ranks: Ranks = {}

    def __len__(self) -> int:
        return len(self._seats)

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats)

    def add(self, seat: Seat) -> None:
        """A seat that is taken now."""
        self._seats[seat] = self.afoot[seat] = None
        seat.group = self

    def remove(self, seat: Seat) -> None:
        """One that is given back; its position is its own then."""
        if seat not in self.afoot:
            seat.sink.fall_out()
        del self._seats[seat], self.afoot[seat]
        seat.group = None

    def fallen_out(self, seat: Seat) -> None:
        """It stands in a rank no more."""
        self.afoot[seat] = None

    def offer(self, batch: Batch, first: int, last: int) -> int:
        """Offer a batch of the events from ``first`` to ``last`` to all who can stand in a rank.

        How many have taken it; all others are :attr:`afoot` then.
        """
        for seat in tuple(self.afoot):
            sink = seat.sink
            if sink.drilled and seat.position < first and sink.fall_in(self.ranks, batch, seat):
                del self.afoot[seat]
        taken = 0
        for rank in tuple(self.ranks.values()):
            took = rank.offer_all(batch, last)
            if not took:
                rank.disband()
            taken += took
        return taken
