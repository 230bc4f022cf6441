import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.cursor import Cursor
from incident_manager.actors.journal.place import INT64
from incident_manager.actors.journal.reads import Bounds
from incident_manager.actors.veil import SECRET_BYTES, Veil, VeiledBounds, Veils

SECRET = bytes(range(SECRET_BYTES))
ACME, CORP = (("tenant", "acme"),), (("tenant", "corp"),)
VEIL = Veil(SECRET, ACME)
EPOCH = "0123456789abcdef0123456789abcdef"
offsets = st.integers(0, INT64)


@given(offsets)
def test_what_is_sealed_is_opened(offset: int) -> None:
    for cursor in (VEIL.event(EPOCH, offset), VEIL.place(EPOCH, offset)):
        read = Cursor.parse(str(cursor))
        assert read == cursor
        assert VEIL.open(read, EPOCH) == Cursor(EPOCH, offset)


@given(offsets, offsets)
def test_an_event_has_one_cursor_and_a_place_never_two_alike(one: int, other: int) -> None:
    assert (VEIL.event(EPOCH, one) == VEIL.event(EPOCH, other)) is (one == other)
    assert len({str(VEIL.place(EPOCH, one)) for _ in range(20)}) == 20


@given(offsets)
def test_the_length_says_nothing(offset: int) -> None:
    assert len(VEIL.event(EPOCH, offset).epoch) == len(VEIL.place(EPOCH, offset).epoch) == 32
    assert VEIL.event(EPOCH, offset).offset == 0


@given(offsets)
def test_only_those_of_the_same_selectors_journal_and_epoch_can_use_it(offset: int) -> None:
    for cursor in (VEIL.event(EPOCH, offset), VEIL.place(EPOCH, offset)):
        for veil, epoch in (
            (Veil(SECRET, CORP), EPOCH),
            (Veil(os.urandom(SECRET_BYTES), ACME), EPOCH),
            (VEIL, "another"),
        ):
            assert veil.open(cursor, epoch).epoch != epoch


@given(st.from_regex(r"[0-9A-Za-z_-]{1,64}", fullmatch=True), st.integers(0, 10**18 - 1))
def test_what_others_wrote_is_of_no_epoch(epoch: str, number: int) -> None:
    assert VEIL.open(Cursor(epoch, number), EPOCH).epoch != EPOCH
    assert VEIL.open(Cursor(EPOCH, number), EPOCH).epoch != EPOCH


@given(offsets, st.integers(0, 31), st.integers(1, 63))
def test_a_changed_cursor_is_of_no_epoch(offset: int, place: int, by: int) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    cursor = VEIL.event(EPOCH, offset)
    letter = letters[(letters.index(cursor.epoch[place]) + by) % 64]
    changed = cursor.epoch[:place] + letter + cursor.epoch[place + 1 :]
    assert VEIL.open(Cursor(changed, 0), EPOCH).epoch != EPOCH
    assert VEIL.open(Cursor(cursor.epoch, 1), EPOCH).epoch != EPOCH


@given(st.from_regex(r"[0-9A-Za-z_-]{0,200}", fullmatch=True))
def test_places_in_lists(place: str) -> None:
    hidden = VEIL.hide(place)
    assert VEIL.hide(place) == hidden
    assert VEIL.show(hidden) == place
    assert place not in hidden or len(place) < 4


def test_a_place_does_not_tell_how_many_digits_it_has() -> None:
    assert len({len(VEIL.hide(f'["SEARCH",1,{10**n}]')) for n in range(19)}) == 1


@pytest.mark.parametrize("text", ["", "x", "é", "A" * 43, VEIL.hide("a")[:-2], "a:1"])
def test_what_is_no_place_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="after is not a cursor of this list"):
        VEIL.show(text)
    with pytest.raises(ValueError, match="after is not a cursor of this list"):
        Veil(SECRET, CORP).show(VEIL.hide("a"))


def test_bounds_behind_a_veil() -> None:
    bounds = Bounds(EPOCH, 3, 9)
    veiled = Veils(SECRET).bounds(ACME, bounds)
    assert isinstance(veiled, VeiledBounds)
    assert (veiled.epoch, veiled.oldest, veiled.head) == (EPOCH, 3, 9)
    assert veiled.event(4) == VEIL.event(EPOCH, 4)
    for cursor, offset in ((veiled.cursor, 9), (veiled.place(5), 5), (veiled.event(4), 4)):
        assert veiled.open(cursor) == Cursor(EPOCH, offset)
    assert Veils().bounds((), bounds) is bounds
    assert bounds.open(Cursor("x", 1)) == Cursor("x", 1)
    assert (bounds.cursor, bounds.event(4)) == (Cursor(EPOCH, 9), Cursor(EPOCH, 4))


def test_veils_are_kept_for_a_while() -> None:
    veils = Veils(SECRET)
    first = veils.of(ACME)
    assert veils.of(ACME) is first
    for number in range(1024):
        veils.of((("tenant", str(number)),))
    assert veils.of(ACME) is not first
    assert veils.of(ACME).event(EPOCH, 1) == first.event(EPOCH, 1)
    with pytest.raises(RuntimeError):
        Veils().of(ACME)
