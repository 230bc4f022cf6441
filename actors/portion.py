"""What goes where: the next events, put together by those who want them."""

from collections.abc import Iterator, Mapping, Sequence

from attrs import frozen

from incident_manager.actors.group import Group
from incident_manager.actors.model import Record
from incident_manager.actors.ports import Shape
from incident_manager.actors.streams import FilterIndex, StreamField, fields_of

__all__ = ["Bucket", "Lanes", "Portion", "portions"]

Bucket = dict[Shape, Group]
"""The seats of one filter, by their shapes."""
Lanes = Mapping[StreamField, FilterIndex[Bucket]]


@frozen
class Portion:
    """Events that are fanned out in one go; of each bucket that wants some, those that it wants.

    ``wanted`` is never empty of records, and in the order of the events for each bucket. As a seat
    is in one bucket only, it gets its events in order whichever bucket comes first.
    """

    records: Sequence[Record]
    wanted: Sequence[tuple[Bucket, Sequence[Record]]]

    def projections(self) -> Iterator[tuple[Shape, Record]]:
        """What must be projected for it, but for shapes that are deep."""
        for bucket, records in self.wanted:
            for shape in bucket:
                if not shape.deep:
                    for record in records:
                        yield shape, record


def portions(records: Sequence[Record], lanes: Lanes, most: int) -> Iterator[Portion]:
    """Portions of consecutive records, each with about ``most`` payloads to offer at the most, or
    of one record. Who wants what is looked up when a portion is asked for.
    """
    start = 0
    while start < len(records):
        wanted: dict[int, tuple[Bucket, list[Record]]] = {}
        offers, end = 0, start
        while end < len(records) and offers < most:
            record = records[end]
            end += 1
            for stream in fields_of(record):
                for bucket in lanes[stream].match(record):
                    offers += sum(map(len, bucket.values()))
                    entry = wanted.get(id(bucket))
                    if entry is None:
                        wanted[id(bucket)] = entry = (bucket, [])
                    entry[1].append(record)
        yield Portion(records[start:end], tuple(wanted.values()))
        start = end
