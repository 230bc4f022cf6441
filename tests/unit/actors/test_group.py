"""A group: who of it is fed as one, and up to where each has everything."""

from incident_manager.actors.batch import Batch
from incident_manager.actors.group import Group
from incident_manager.actors.seat import Seat
from incident_manager.actors.streams import StreamFilter
from unit.actors.fakes import FakeShape, FakeSink

PAYLOAD = b'{"data":{"shape":"plain","offset":%d},"extensions":{"cursor":"e:1"}}'


def batch(*offsets: int) -> Batch:
    return Batch([PAYLOAD % each for each in offsets])


def seated(group: Group, *sinks: FakeSink, position: int = 0) -> list[Seat]:
    seats = [Seat(sink, FakeShape(), StreamFilter(), position, lambda _: None) for sink in sinks]
    for seat in seats:
        group.add(seat)
    return seats


def test_who_can_stands_in_a_rank_and_the_others_are_afoot() -> None:
    group = Group()
    able, unable, owing = FakeSink(drilled=9), FakeSink(), FakeSink(drilled=9)
    owing.recovered()
    seats = seated(group, able, unable, owing)
    assert group.offer(batch(1, 2), 1, 2) == 1
    assert list(group.afoot) == seats[1:]
    assert list(group) == seats
    assert len(group) == 3
    able.read()
    assert able.offsets == [1, 2]


def test_who_is_ahead_is_not_fed_with_the_others() -> None:
    group = Group()
    ahead = FakeSink(drilled=9)
    [seat] = seated(group, ahead, position=5)
    assert group.offer(batch(4, 5), 4, 5) == 0
    assert list(group.afoot) == [seat]
    assert seat.position == 5
    assert group.offer(batch(6), 6, 6) == 1


def test_who_falls_out_has_had_what_the_others_had() -> None:
    group = Group()
    slow, quick = FakeSink(room=2, drilled=9), FakeSink(drilled=9)
    falls, stays = seated(group, slow, quick)
    assert group.offer(batch(1), 1, 1) == 2
    assert group.offer(batch(2), 2, 2) == 2
    assert list(group.afoot) == [falls]
    assert (falls.position, stays.position) == (2, 0)
    group.remove(stays)
    assert stays.position == 2
    assert quick.rank is None
    group.remove(falls)
    assert not group


def test_a_rank_that_does_not_take_it_is_disbanded_and_has_not_had_it() -> None:
    group = Group()
    some, more = FakeSink(drilled=1), FakeSink(drilled=9)
    one, two = seated(group, some, more)
    assert group.offer(batch(1), 1, 1) == 2
    assert group.offer(batch(2, 3), 2, 3) == 1
    assert list(group.afoot) == [one]
    assert one.position == 1
    for rank in group.ranks.values():
        rank.disband()
    assert list(group.afoot) == [one, two]
    assert two.position == 3
