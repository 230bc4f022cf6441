"""A seat: where the hub offers a subscription its events."""

from incident_manager.actors.seat import Seat
from incident_manager.actors.streams import StreamFilter
from unit.actors.fakes import FakeShape, FakeSink


def test_it_is_not_taken_until_it_has_joined_and_has_slots_only() -> None:
    left: list[Exception | None] = []
    seat = Seat(FakeSink(), FakeShape(), StreamFilter(), 7, left.append)
    assert (seat.taken, seat.position, left) == (False, 7, [])
    assert not hasattr(seat, "__dict__")
