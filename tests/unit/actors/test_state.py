"""A small working set decides as one that knows everything, commit or not."""

import pytest
from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from incident_manager.actors import commands as c
from incident_manager.actors.commands import Command
from incident_manager.actors.decision import Context
from incident_manager.actors.errors import Refused
from incident_manager.actors.journal.base import Answer, Loaded, Needs
from incident_manager.actors.lifecycle import decide, needs
from incident_manager.actors.model import Incident, Record
from incident_manager.actors.state import WorkingSet
from incident_manager.actors.vocabulary import IncidentState, ResolutionMethod
from unit.actors.builders import SECOND, make_incident, make_record
from unit.actors.support import WINDOW, Desk, load, make_create, make_submit

KEYS = st.none() | st.sampled_from(["k1", "k2", "k3"])
TITLES = st.sampled_from(["one", "two", "three"])
NUMBERS = st.integers(0, 5)


@st.composite
def steps(draw: st.DrawFn) -> tuple[str, object, object]:
    """What to do, with which incident or title, how."""
    what = draw(
        st.sampled_from(["alert", "alert", "alert", "create", "resolve", "reopen", "close", "say"])
    )
    if what == "alert":
        return what, draw(TITLES), (draw(KEYS), draw(st.booleans()))
    if what == "create":
        return what, draw(TITLES), None
    return what, draw(NUMBERS), None


def command_of(step: tuple[str, object, object], ids: list[str]) -> Command:
    what, which, how = step
    if what == "alert":
        assert isinstance(how, tuple)
        return make_submit(title=which, source_key=how[0], resolved=how[1])
    if what == "create":
        fields = {"source": "prometheus", "incident_type": make_submit().incident_type}
        return make_create(title=which, **fields)
    assert isinstance(which, int)
    target = ids[which] if which < len(ids) else f"no-{which}"
    if what == "resolve":
        return c.ResolveIncident(target, ResolutionMethod.MANUAL, "")
    if what == "reopen":
        return c.ReopenIncident(target)
    if what == "close":
        return c.CloseIncident(target)
    return c.AddComment(target, "hello")


def carry_out(
    state: WorkingSet, command: Command, ctx: Context
) -> tuple[tuple[Record, ...], object]:
    try:
        decision = decide(state, command, ctx)
    except Refused as refusal:
        return (), (refusal.code, refusal.field)
    return decision.records, decision.outcome


BATCHES = st.lists(
    st.tuples(
        st.lists(steps(), min_size=1, max_size=4), st.booleans(), st.sampled_from([0, 1, 500, 950])
    ),
    max_size=12,
)


@given(BATCHES, st.integers(1, 4))
def test_a_small_cache_is_as_good_as_the_journal(
    batches: list[tuple[list[tuple[str, object, object]], bool, int]], capacity: int
) -> None:
    desk = Desk()
    state = WorkingSet(0, capacity)
    for batch, committed, pause in batches:
        desk.wait(pause)
        ids = list(dict.fromkeys(r.incident.id for r in desk.records if r.incident))
        commands = [(command_of(step, ids), desk.context()) for step in batch]
        wanted = Needs()
        for command, ctx in commands:
            wanted |= needs(command, ctx)
        since = desk.now - WINDOW
        state.learn(load(desk.records, state.missing(wanted), desk.now, since))
        so_far = [*desk.records]
        for command, ctx in commands:
            fresh = WorkingSet(len(so_far))
            fresh.learn(load(so_far, needs(command, ctx), desk.now, since))
            expected = carry_out(fresh, command, ctx)
            assert carry_out(state, command, ctx) == expected
            for record in expected[0]:
                state.evolve(record)
            so_far += expected[0]
        assert state.head == len(so_far)
        if committed:
            state.adopt()
            desk.records = so_far
        else:
            state.discard()
        assert state.head == len(desk.records)


def test_an_incident_outlives_the_others_of_its_fingerprint_in_a_small_cache() -> None:
    one, two = (make_incident(n, fingerprint="f") for n in (1, 2))
    state = WorkingSet(0, capacity=1)
    place = ("", "f")
    both = {two.id: two, one.id: one}
    state.learn(Loaded(incidents=both, fingerprints={place: (two.id, one.id)}))
    state.adopt()  # the cache keeps the one
    state.evolve(make_record(1, evolve(one, version=2)))
    wanted = Needs(fingerprints=frozenset({place}))
    assert state.missing(wanted) == wanted
    assert state.incident(one.id) == evolve(one, version=2)


def test_what_was_never_loaded_is_an_error_not_an_answer() -> None:
    state = WorkingSet(0)
    for look in (
        lambda: state.incident("1"),
        lambda: state.active("", "f"),
        lambda: state.key("", "k"),
        lambda: state.firing("1"),
        lambda: state.answer("a"),
    ):
        with pytest.raises(KeyError):
            look()


def test_what_is_missing_is_what_was_not_loaded() -> None:
    wanted = Needs(
        incidents=frozenset({"1"}),
        fingerprints=frozenset({("", "f")}),
        keys=frozenset({("", "k")}),
        answers=frozenset({"a"}),
    )
    state = WorkingSet(0)
    assert state.missing(wanted) == wanted
    state.learn(load([], wanted, 0, 0))
    assert not state.missing(wanted)
    assert state.incident("1") is None
    assert state.active("", "f") is None
    assert state.key("", "k") is None
    assert state.answer("a") is None


def test_events_come_without_a_hole() -> None:
    state = WorkingSet(4)
    for offset in (4, 6):
        with pytest.raises(ValueError, match=f"event {offset} does not follow 4"):
            state.evolve(make_record(offset))
    state.evolve(make_record(5))
    assert state.head == 5


def known(*incidents: Incident) -> WorkingSet:
    state = WorkingSet(0)
    place = ("", "f")
    newest_first = sorted(incidents, key=lambda i: (i.created_at, i.id), reverse=True)
    state.learn(
        Loaded(
            incidents={incident.id: incident for incident in incidents},
            fingerprints={place: tuple(incident.id for incident in newest_first)},
        )
    )
    return state


def test_the_newest_active_incident_of_a_fingerprint_is_the_one() -> None:
    one, two, three = (make_incident(n, fingerprint="f") for n in (1, 2, 3))
    state = known(one, two)
    assert state.active("", "f") == two
    state.evolve(make_record(1, three))
    assert state.active("", "f") == three
    state.evolve(make_record(2, evolve(three, state=IncidentState.RESOLVED)))
    assert state.active("", "f") == two
    state.evolve(make_record(3, evolve(two, state=IncidentState.CLOSED)))
    assert state.active("", "f") == one
    state.evolve(make_record(4, evolve(three, state=IncidentState.INVESTIGATING)))
    assert state.active("", "f") == evolve(three, state=IncidentState.INVESTIGATING)
    state.discard()
    assert state.active("", "f") == two


def test_of_one_moment_the_greater_id_counts_as_the_newer() -> None:
    one, two = (make_incident(n, fingerprint="f", created_at=SECOND) for n in (1, 2))
    state = known(two)
    state.evolve(make_record(1, one))
    assert state.active("", "f") == two


def test_an_answer_is_there_from_its_batch_on_and_gone_with_it() -> None:
    state = WorkingSet(0)
    state.learn(Loaded(answers={"a": None, "b": None}))
    answer = Answer("a", "d", b"x", 1)
    state.remember(answer)
    assert state.answer("a") == answer
    state.discard()
    assert state.answer("a") is None
    state.remember(answer)
    state.adopt()
    assert state.answer("a") == answer


def test_only_so_many_are_kept_the_newest_longest() -> None:
    state = WorkingSet(0, capacity=2)
    for number in range(1, 5):
        state.evolve(make_record(number, make_incident(number)))
    state.adopt()
    ids = [make_incident(number).id for number in range(1, 5)]
    assert state.missing(Needs(incidents=frozenset(ids))).incidents == {*ids[:2]}
