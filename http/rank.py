"""Subscriptions whose frames are of one size and leave at the same time: fed as one.

What is the same for all of them is done once for an event, and what differs is done for all of
them by a few operations on arrays, in C. Nothing is written to an outbox or a wire of theirs.
"""

from array import array
from collections.abc import Iterator
from typing import Final, Protocol

from incident_manager.actors.batch import Batch
from incident_manager.actors.deliveries import Deliveries
from incident_manager.actors.ports import Listed
from incident_manager.http.counters import Counters
from incident_manager.http.frame_writer import Drilled
from incident_manager.http.io_uring import Ring
from incident_manager.http.squad import Squad
from incident_manager.http.volley import Volley
from incident_manager.http.wire import SMALL, Wire

__all__ = ["Place", "Rank"]

_TOGETHER: Final = 256  # frames that are made at a time, where clients chose different ids


class Place:
    """One sink in a rank: what stands before its payloads, and where its frames leave.

    ``at`` is where it stands in the rank, ``since`` what each in the rank had been sent before it
    came. It is the :class:`incident_manager.http.wire.Member` of its wire.
    """

    __slots__ = ("at", "leave", "listed", "prefix", "rank", "since", "wire", "writer")

    def __init__(
        self, rank: "Rank", prefix: bytes, writer: Drilled, wire: Wire, listed: Listed,
        leave: "Leave",
    ) -> None:  # fmt: skip
        self.rank = rank
        self.prefix = prefix
        self.writer = writer
        self.wire = wire
        self.listed = listed
        self.leave = leave
        self.at = -1
        self.since = rank.total

    @property
    def sent(self) -> int:
        """Bytes that it has been sent by the rank."""
        return self.rank.total - self.since

    @property
    def aloft(self) -> bool:
        """Whether something is on its way."""
        return self.rank.aloft > 0

    def fall_out(self) -> None:
        """Stand in the rank no more."""
        self.rank.remove(self)

    def settle(self) -> None:
        """Wait until nothing is on its way, and stand in the rank no more."""
        self.rank.settle()
        if self.at >= 0:
            self.rank.remove(self)


class Leave(Protocol):
    """What has a place in a rank."""

    def left(self, place: Place) -> None:
        """It has it no more."""
        ...


class Rank:
    """Implements :class:`incident_manager.actors.ports.Rank`.

    ``total`` is how many bytes each has been sent that has stood in it from the first; ``aloft``
    how many frames are on their way.
    """

    __slots__ = (
        "_counters", "_heads", "_late", "_latency", "_limit", "_places", "_position", "_prefixes",
        "_volley", "aloft", "total",
    )  # fmt: skip

    def __init__(self, volley: Volley, counters: Counters, latency: Deliveries, limit: int) -> None:
        self._volley = volley
        self._counters = counters
        self._latency = latency
        self._limit = min(SMALL, limit)
        self._places: list[Place] = []
        self._heads = array("Q")
        self._prefixes: dict[bytes, int] = {}
        self._late: list[Wire] = []
        self._position = -1
        self.total = 0
        self.aloft = 0

    def __len__(self) -> int:
        return len(self._places)

    def add(self, place: Place) -> None:
        """One whose wire is clear."""
        place.at = len(self._places)
        self._places.append(place)
        self._heads.append(Ring.head(place.wire.descriptor))
        self._prefixes[place.prefix] = self._prefixes.get(place.prefix, 0) + 1
        place.wire.enlist(place)

    def remove(self, place: Place) -> None:
        """Who is not in it any more; what is on its way to it lands."""
        at, places = place.at, self._places
        last, head = places.pop(), self._heads.pop()
        if last is not place:
            places[at], self._heads[at] = last, head
            last.at = at
        left = self._prefixes[place.prefix] - 1
        if left:
            self._prefixes[place.prefix] = left
        else:
            del self._prefixes[place.prefix]
        place.at = -1
        place.wire.dismiss(late=self.aloft > 0)
        if self.aloft:
            self._late.append(place.wire)
        place.leave.left(place)
        place.listed.fallen_out(self._position)

    def settle(self) -> None:
        """Wait, and have everybody else wait, until nothing is on its way."""
        self._volley.settle()

    def disband(self) -> None:
        """All of them fall out."""
        while self._places:
            self.remove(self._places[-1])

    def offer_all(self, batch: Batch, position: int) -> int:
        """Frame all payloads for each, and send them on; how many there are. 0 where that is too
        much to send in one go.
        """
        places, volley = self._places, self._volley
        if not places:
            return 0
        length = len(places[0].prefix)
        joints = places[0].writer.joints(length, batch)
        size = sum(map(len, joints)) + length * (len(joints) - 1)
        if size > self._limit or not volley.ready:
            return 0
        if self.aloft:
            volley.settle()  # some may fall out: nothing that is one's own is taken before
        count, frames = len(places), len(batch)
        if not count:
            return 0
        if len(self._prefixes) == 1:
            sends = [(places[0].prefix.join(joints), places[:], self._heads[:])]
        else:
            sends = [
                (b"".join([each.prefix.join(joints) for each in some]), some, heads)
                for some, heads in _parts(places, self._heads)
            ]
        # From here on all of them have it, whatever becomes of it.
        self._position = position
        self.total += size
        for data, some, heads in sends:
            self.aloft += len(some)
            self._volley.send_all(Squad(_Sent(self, some), heads, data, size))
        self._counters.messages_out += frames * count
        self._counters.bytes_out += size * count
        subject = self._latency.subject
        if subject is not None:
            self._latency.sent(subject, frames * count)
        return count


def _parts(places: list[Place], heads: "array[int]") -> Iterator[tuple[list[Place], "array[int]"]]:
    for begin in range(0, len(places), _TOGETHER):
        end = begin + _TOGETHER
        yield places[begin:end], heads[begin:end]


class _Sent:
    """What was sent to some in a rank; implements :class:`incident_manager.http.volley.Targets`."""

    __slots__ = ("_places", "_rank")

    def __init__(self, rank: Rank, places: list[Place]) -> None:
        self._rank = rank
        self._places = places

    def write_now(self, at: int, data: bytes) -> None:
        self.failed(at, data, self._places[at].wire.try_now(data))

    def failed(self, at: int, data: bytes, taken: int) -> None:
        if taken == len(data):
            return
        place = self._places[at]
        if place.at >= 0:
            place.fall_out()
        place.wire.undone(data, taken)

    def landed(self, count: int) -> None:
        rank = self._rank
        rank.aloft -= count
        if not rank.aloft and rank._late:
            late, rank._late = rank._late, []
            for wire in late:
                wire.landed(b"", 0)
