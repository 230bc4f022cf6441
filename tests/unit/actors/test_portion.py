"""Portions: which of the next events go to whom, and how many go together."""

from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.group import Group
from incident_manager.actors.portion import Bucket, Lanes, portions
from incident_manager.actors.seat import Seat
from incident_manager.actors.streams import FilterIndex, StreamField, StreamFilter, matches
from unit.actors.builders import make_history
from unit.actors.fakes import FakeShape, FakeSink

HISTORY = make_history(20)
FILTERS = (
    StreamFilter(),
    StreamFilter(active_only=True),
    StreamFilter(assigned_to="nobody"),
    StreamFilter(incident_ids=frozenset({HISTORY[3].incident.id if HISTORY[3].incident else ""})),
)


def _group(seats: list[Seat]) -> Group:
    group = Group()
    for seat in seats:
        group.add(seat)
    return group


def laid_out(seats: int) -> Lanes:
    """Every filter on every stream, with so many seats on each."""
    lanes: dict[StreamField, FilterIndex[Bucket]] = {}
    for stream in StreamField:
        lane = lanes[stream] = FilterIndex[Bucket](stream)
        for wanted in FILTERS:
            shape = FakeShape(stream)
            each = [Seat(FakeSink(), shape, wanted, 0, lambda _: None) for _ in range(seats)]
            lane.add(wanted, {shape: _group(each)})
    return lanes


@given(seats=st.integers(1, 5), most=st.integers(1, 60))
def test_every_event_is_in_one_portion_and_goes_to_each_bucket_that_wants_it(
    seats: int, most: int
) -> None:
    lanes = laid_out(seats)
    seen: list[int] = []
    for portion in portions(HISTORY, lanes, most):
        assert portion.records
        seen += [record.offset for record in portion.records]
        offers = 0
        for stream in StreamField:
            for wanted in FILTERS:
                due = [each for each in portion.records if matches(stream, wanted, each)]
                offers += len(due) * seats
                bucket = lanes[stream].get(wanted)
                got = [records for known, records in portion.wanted if known is bucket]
                assert got == ([due] if due else [])
        last = sum(
            seats
            for stream in StreamField
            for wanted in FILTERS
            if matches(stream, wanted, portion.records[-1])
        )
        assert offers - last < most  # without its last event there was room for more
    assert seen == [record.offset for record in HISTORY]


def test_where_nobody_listens_all_goes_together() -> None:
    empty = {stream: FilterIndex[Bucket](stream) for stream in StreamField}
    [portion] = portions(HISTORY, empty, 1)
    assert (len(portion.records), portion.wanted) == (20, ())


def test_of_nothing_there_is_no_portion() -> None:
    assert list(portions([], laid_out(1), 1)) == []
