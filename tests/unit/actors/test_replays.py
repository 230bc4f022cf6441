"""Passages: what many read is matched, projected and put together once."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.batch import Batch
from incident_manager.actors.model import Record
from incident_manager.actors.projections import Projections
from incident_manager.actors.replays import CHUNK, Passage, Replays
from incident_manager.actors.streams import StreamFilter
from incident_manager.actors.vocabulary import Severity
from unit.actors.builders import make_history
from unit.actors.fakes import FakeProjector, FakeShape, Unprojectable

FLAT, OTHER = FakeShape(), FakeShape(name="other")
ALL, NONE = StreamFilter(), StreamFilter(severities=frozenset())
HISTORY = make_history(3 * CHUNK)


def some(first: int, last: int) -> tuple[Record, ...]:
    return HISTORY[first - 1 : last]


class Taker:
    """Takes so many payloads, in batches of so many at the most."""

    def __init__(self, room: int, most: int) -> None:
        self.room = room
        self.most = most
        self.taken: list[bytes] = []
        self.subjects: list[tuple[int, int]] = []

    def offer(self, first: int, what: bytes | Batch) -> bool:
        payloads = list(what.payloads) if isinstance(what, Batch) else [what]
        batch = isinstance(what, Batch)
        if len(self.taken) + len(payloads) > self.room or (batch and len(payloads) > self.most):
            return False
        self.taken += payloads
        self.subjects.append((first, len(payloads)))
        return True


def test_each_event_is_looked_at_and_projected_once_for_all_who_want_the_same() -> None:
    projector = FakeProjector()
    replays = Replays(Projections(projector))
    passage = replays.of(FLAT, ALL, some(1, 20), "e")
    assert replays.of(FakeShape(), StreamFilter(), some(10, 20), "e") is passage
    assert replays.of(FLAT, ALL, some(5, 30), "e") is passage
    assert passage.offsets == [*range(1, 31)]
    assert passage.between(10, 20) == range(9, 20)
    assert replays.looked_at == 30
    assert projector.made == {(FLAT, offset): 1 for offset in range(1, 31)}


def test_other_filters_shapes_and_chunks_are_other_passages() -> None:
    replays = Replays(Projections(FakeProjector()))
    passage = replays.of(FLAT, ALL, some(1, 9), "e")
    assert replays.of(OTHER, ALL, some(1, 9), "e") is not passage
    assert replays.of(FLAT, NONE, some(1, 9), "e").payloads == []
    later = replays.of(FLAT, ALL, some(CHUNK + 1, CHUNK + 9), "e")
    assert later.offsets == [*range(CHUNK + 1, CHUNK + 10)]
    assert replays.of(FLAT, ALL, some(1, 9), "e") is passage


@pytest.mark.parametrize("first", [1, 22])
def test_one_that_begins_before_it_or_beyond_it_is_a_new_one(first: int) -> None:
    replays = Replays(Projections(FakeProjector()))
    passage = replays.of(FLAT, ALL, some(10, 20), "e")
    wider = replays.of(FLAT, ALL, some(first, 30), "e")
    assert wider is not passage
    assert wider.offsets == [*range(first, 31)]
    assert replays.of(FLAT, ALL, some(25, 30), "e") is wider


def test_all_get_one_and_the_same_batch() -> None:
    passage = Replays(Projections(FakeProjector())).of(FLAT, ALL, some(1, 9), "e")
    seen: list[bytes | Batch] = []
    for _ in range(2):
        assert passage.offer(passage.between(3, 9), 0, lambda _, what: bool(seen.append(what))) == 2
        assert passage.offer(passage.between(3, 9), 0, lambda _, what: not seen.append(what)) == 9
    assert len({id(batch) for batch in seen if isinstance(batch, Batch)}) == 1


def test_the_batch_that_others_share_outlives_those_of_slow_readers_at_odd_places() -> None:
    passage = Replays(Projections(FakeProjector())).of(FLAT, ALL, some(1, 9), "e")
    whole: list[bytes | Batch] = []
    for odd in range(2, 9):
        passage.offer(passage.between(1, 9), 0, lambda _, what: not whole.append(what))
        passage.offer(passage.between(odd, 9), 0, lambda _, what: True)
    assert len({id(batch) for batch in whole}) == 1


def test_what_takers_make_of_a_batch_is_not_kept_without_end() -> None:
    passage = Replays(Projections(FakeProjector())).of(FLAT, ALL, some(1, 9), "e")
    batches: list[Batch] = []

    def take(_: int, what: bytes | Batch) -> bool:
        assert isinstance(what, Batch)
        what.memo[len(batches)] = b"made for a prefix of another length"
        batches.append(what)
        return True

    for _ in range(100):
        assert passage.offer(passage.between(1, 9), 0, take) == 9
    assert batches[1] is batches[0]
    assert max(len(batch.memo) for batch in batches) < 10
    assert all(batch.payloads == passage.payloads for batch in batches)


def test_nothing_wanted_is_nothing_offered() -> None:
    passage = Replays(Projections(FakeProjector())).of(FLAT, NONE, some(1, 9), "e")
    taker = Taker(9, 9)
    assert passage.offer(passage.between(1, 9), 0, taker.offer) == 0
    assert taker.subjects == []


@given(
    st.integers(1, 20),
    st.integers(0, 20),
    st.integers(0, 25),
    st.integers(0, 25),
    st.integers(1, 25),
)
def test_what_is_taken_is_the_beginning_in_order_and_news_is_never_with_what_is_old(
    first: int, more: int, fresh_after: int, room: int, most: int
) -> None:
    passage = Replays(Projections(FakeProjector())).of(FLAT, ALL, some(1, 40), "e")
    places = passage.between(first, first + more)
    taker = Taker(room, most)
    upto = passage.offer(places, fresh_after, taker.offer)
    assert taker.taken == passage.payloads[places.start : upto]
    assert upto - places.start == min(room, len(places))
    for offset, number in taker.subjects:
        assert offset > fresh_after or offset + number - 1 <= fresh_after


def test_one_that_cannot_be_projected_ends_it_and_is_tried_again() -> None:
    projector = FakeProjector()
    replays = Replays(Projections(projector))
    projector.broken.add(("plain", 4))
    passage = replays.of(FLAT, ALL, some(1, 9), "e")
    assert isinstance(passage.failure, Unprojectable)
    assert (passage.last, passage.offsets) == (3, [1, 2, 3])
    projector.broken.clear()
    assert replays.of(FLAT, ALL, some(1, 9), "e").failure is None


def test_what_the_journal_has_changed_is_made_anew_and_kept_again() -> None:
    projector = FakeProjector()
    projections = Projections(projector)
    replays = Replays(projections)
    old = replays.of(FLAT, ALL, some(1, 9), "e")
    projections.forget()
    changed = tuple(evolve(record, actor="[redacted]") for record in some(1, 9))
    passages = [replays.of(FLAT, ALL, changed, "e") for _ in range(2)]
    assert passages[0] is passages[1] is not old
    assert projector.made == {(FLAT, offset): 2 for offset in range(1, 10)}


def test_only_so_many_bytes_are_kept_those_used_last_longest() -> None:
    size = Replays(Projections(FakeProjector())).of(FLAT, ALL, some(1, CHUNK), "e").size
    replays = Replays(Projections(FakeProjector()), budget=2 * size + size // 2)
    chunks = [some(start + 1, start + CHUNK) for start in (0, CHUNK, 2 * CHUNK)]
    one, two = (replays.of(FLAT, ALL, records, "e") for records in chunks[:2])
    assert replays.of(FLAT, ALL, chunks[0], "e") is one
    replays.of(FLAT, ALL, chunks[2], "e")
    assert replays.of(FLAT, ALL, chunks[0], "e") is one
    assert replays.of(FLAT, ALL, chunks[1], "e") is not two


def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("incident_manager.actors.replays._MOST", 2)
    replays = Replays(Projections(FakeProjector()))
    filters = [StreamFilter(severities=frozenset({each})) for each in list(Severity)[:3]]
    first = replays.of(FLAT, filters[0], some(1, 9), "e")
    for wanted in filters[1:]:
        replays.of(FLAT, wanted, some(1, 9), "e")
    assert replays.of(FLAT, filters[0], some(1, 9), "e") is not first


def test_an_empty_passage_has_nothing() -> None:
    passage = Passage(7)
    assert (passage.first, passage.last, passage.size) == (7, 6, 0)
    assert not passage.between(1, 99)
