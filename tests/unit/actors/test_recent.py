"""What is certain of fingerprints: never that one is not there which is."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors.model import Incident
from incident_manager.actors.recent import Recent
from unit.actors.builders import make_incident

WINDOW = 100
steps = st.tuples(st.integers(0, 90), st.booleans(), st.integers(0, 5))


def named(number: int, scope: str = "") -> Incident:
    return evolve(make_incident(1), fingerprint=f"{number:064x}", scope=scope)


@given(st.lists(steps, max_size=60), st.sampled_from([None, 50]), st.integers(1, 4))
def test_what_was_noted_within_the_window_is_never_lacking(
    asked: list[tuple[int, bool, int]], blind: int | None, most: int
) -> None:
    recent = Recent(WINDOW, blind, most=most)
    noted: list[tuple[int, int]] = []
    now = 60
    for later, notes, number in asked:
        now += later
        if notes:
            recent.note(named(number), now)
            noted.append((now, number))
        elif recent.lacks("", named(number).fingerprint, now):
            assert blind is None or now - WINDOW > blind
            assert not [at for at, each in noted if each == number and at >= now - WINDOW]


def test_in_an_empty_journal_all_is_new_and_after_a_start_when_the_window_has_passed() -> None:
    one = named(1).fingerprint
    assert Recent(WINDOW, None).lacks("", one, 5)
    started = Recent(WINDOW, 1_000)
    assert not started.lacks("", one, 1_000)
    assert not started.lacks("", one, 1_100)
    assert started.lacks("", one, 1_101)


def test_scopes_are_apart() -> None:
    recent = Recent(WINDOW, None)
    recent.note(named(1, "tenant"), 5)
    assert not recent.lacks("tenant", named(1).fingerprint, 5)
    assert recent.lacks("", named(1).fingerprint, 5)


def test_what_is_old_is_forgotten() -> None:
    recent = Recent(WINDOW, None)
    recent.note(named(1), 5)
    recent.note(named(2), 110)  # the next turn
    assert not recent.lacks("", named(1).fingerprint, 110)
    recent.note(named(3), 220)
    assert recent.lacks("", named(1).fingerprint, 220)
    assert not recent.lacks("", named(2).fingerprint, 220)


def test_with_too_many_nothing_is_certain_until_they_are_old() -> None:
    recent = Recent(WINDOW, None, most=2)
    for number in range(3):
        recent.note(named(number), 5)
    assert not recent.lacks("", named(9).fingerprint, 5)
    assert not recent.lacks("", named(9).fingerprint, 110)
    assert recent.lacks("", named(9).fingerprint, 215)
