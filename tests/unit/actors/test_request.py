"""A request: decided on a scratch state, without a journal, and answered once."""

import pytest

from incident_manager.actors import commands as c
from incident_manager.actors.answers import ANSWER_LIFETIME, Caller, IdempotencyKey
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.errors import IdempotencyMismatch, Refused, Unavailable
from incident_manager.actors.journal.base import Loaded, Needs
from incident_manager.actors.model import Ack
from incident_manager.actors.request import Answered, Request, settle
from incident_manager.actors.state import WorkingSet
from incident_manager.actors.vocabulary import AckStatus
from unit.actors.builders import START
from unit.actors.support import WINDOW, make_submit

CALLER = Caller("rae", "rae")
KEY = IdempotencyKey("once", "digest")
PLACE = Cursor("e", 1)
TOO_LONG = make_submit(title="x" * 100_000)


def knowing(needs: Needs) -> WorkingSet:
    """The state of an empty journal that was asked for this."""
    state = WorkingSet(0)
    state.learn(
        Loaded(
            dict.fromkeys(needs.incidents),
            dict.fromkeys(needs.fingerprints, ()),
            dict.fromkeys(needs.keys),
            {},
            dict.fromkeys(needs.answers),
        )
    )
    return state


def request(*commands: c.Command, key: IdempotencyKey | None = None) -> Request:
    return Request(commands, CALLER, key)


def test_it_needs_what_its_commands_and_its_key_do() -> None:
    alone = request(make_submit()).needs(START, WINDOW)
    assert len(alone.fingerprints) == 1
    keyed = request(make_submit(), TOO_LONG, key=KEY).needs(START, WINDOW)
    assert keyed == alone | Needs(answers=frozenset({"once"}))
    assert not request(TOO_LONG).needs(START, WINDOW)


def test_commands_are_decided_one_after_the_other() -> None:
    asked = request(make_submit(), TOO_LONG, make_submit())
    state = knowing(asked.needs(START, WINDOW))
    settled = settle(state, asked, START, WINDOW)
    assert isinstance(settled.results, tuple)
    first, refused, second = settled.results
    assert isinstance(first, Ack)
    assert isinstance(second, Ack)
    assert (first.status, second.status) == (AckStatus.ACCEPTED, AckStatus.DUPLICATE)
    assert isinstance(refused, Refused)
    assert [record.offset for record in settled.records] == [1, 2]
    assert (state.head, settled.stored, settled.replayed) == (2, None, False)
    assert settled.outcome(PLACE) == Answered(settled.results, PLACE)


def test_a_key_finds_the_answer_for_a_day_if_the_body_is_the_same() -> None:
    asked = request(make_submit(), key=KEY)
    state = knowing(asked.needs(START, WINDOW))
    first = settle(state, asked, START, WINDOW)
    assert first.stored is not None
    assert first.stored.expires_at == START + ANSWER_LIFETIME
    again = settle(state, request(make_submit(), key=KEY), START + ANSWER_LIFETIME - 1, WINDOW)
    assert (again.results, again.records, again.replayed) == (first.results, (), True)
    assert isinstance(first.results, tuple)
    assert again.outcome(PLACE) == Answered(first.results, PLACE, True)
    other = settle(state, request(key=IdempotencyKey("once", "other")), START, WINDOW)
    assert isinstance(other.outcome(PLACE), IdempotencyMismatch)
    later = settle(state, request(key=KEY), START + ANSWER_LIFETIME, WINDOW)
    assert not later.replayed


async def test_the_first_answer_counts() -> None:
    answered, asked = Answered((), PLACE), request()
    asked.answer(answered)
    asked.answer(Unavailable("unknown"))
    assert await asked.wait() is answered


async def test_an_answer_that_is_an_error_is_raised() -> None:
    asked = request()
    asked.answer(Unavailable("gone"))
    with pytest.raises(Unavailable, match="gone"):
        await asked.wait()
