"""A request to the registry: what must be known for it, what comes of it, and its answer."""

from collections.abc import Iterable

import trio
from attrs import frozen

from incident_manager.actors import answers
from incident_manager.actors.answers import ANSWER_LIFETIME, Caller, IdempotencyKey, Result
from incident_manager.actors.commands import Command
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.decision import Context
from incident_manager.actors.errors import IdempotencyMismatch, Refused, Unavailable
from incident_manager.actors.ids import new_id
from incident_manager.actors.journal.base import Answer, Needs
from incident_manager.actors.lifecycle import decide, needs
from incident_manager.actors.limits import check
from incident_manager.actors.model import Micros, Record
from incident_manager.actors.redaction import Redaction
from incident_manager.actors.state import WorkingSet

__all__ = ["Answered", "Request", "Settled", "settle"]


@frozen
class Answered:
    """The results of a request, in the order of its commands, and the journal's place then.

    ``replayed`` is True where an idempotency key found the answer of an earlier request.
    """

    results: tuple[Result, ...]
    cursor: Cursor
    replayed: bool = False


class Request:
    """One ask: its commands (or why one cannot be taken), and the place for its answer.

    ``abandoned`` is to be set by who asks and does not wait any more.
    """

    __slots__ = ("_done", "_outcome", "abandoned", "caller", "commands", "key")

    def __init__(
        self, commands: Iterable[Command], caller: Caller, key: IdempotencyKey | None
    ) -> None:
        self.commands = tuple(_checked(command) for command in commands)
        self.caller = caller
        self.key = key
        self.abandoned = False
        self._done = trio.Event()
        self._outcome: Answered | Refused | Unavailable | None = None

    def needs(self, now: Micros, window: Micros) -> Needs:
        """What must be known when it is settled."""
        found = Needs() if self.key is None else Needs(answers=frozenset({self.key.name}))
        ctx = _context(self.caller, now, window, ("", ""))
        for command in self.commands:
            if not isinstance(command, Refused):
                found |= needs(command, ctx)
        return found

    def answer(self, outcome: Answered | Refused | Unavailable) -> None:
        """Answer it; the first answer counts."""
        if self._outcome is None:
            self._outcome = outcome
            self._done.set()

    async def wait(self) -> Answered:
        """Wait for the answer, and raise it where it is an error."""
        await self._done.wait()
        if isinstance(self._outcome, Answered):
            return self._outcome
        assert self._outcome is not None  # noqa: S101 -- set before the event
        raise self._outcome


def _checked(command: Command) -> Command | Refused:
    try:
        check(command)
    except Refused as refusal:
        return refusal
    return command


@frozen
class Settled:
    """A request whose commands are decided but not yet written."""

    request: Request
    results: tuple[Result, ...] | Refused
    records: tuple[Record, ...] = ()
    stored: Answer | None = None
    redactions: tuple[Redaction, ...] = ()
    replayed: bool = False

    def outcome(self, cursor: Cursor) -> Answered | Refused:
        """What the request is answered with after the commit."""
        if isinstance(self.results, Refused):
            return self.results
        return Answered(self.results, cursor, self.replayed)


def settle(state: WorkingSet, request: Request, now: Micros, window: Micros) -> Settled:
    """Decide a request on the scratch layer of a state that knows what it needs."""
    key = request.key
    if key is not None:
        kept = state.answer(key.name)
        if kept is not None and kept.expires_at > now:
            if kept.digest != key.digest:
                return Settled(request, IdempotencyMismatch())
            return Settled(request, answers.decode(kept.body), replayed=True)
    results: list[Result] = []
    records: list[Record] = []
    redactions: list[Redaction] = []
    for command in request.commands:
        if isinstance(command, Refused):
            results.append(command)
            continue
        ctx = _context(request.caller, now, window, (new_id(now), new_id(now)))
        try:
            decision = decide(state, command, ctx)
        except Refused as refusal:
            results.append(refusal)
            continue
        for record in decision.records:
            state.evolve(record)
        records += decision.records
        redactions += decision.redactions
        results.append(decision.outcome)
    stored = None
    if key is not None:
        body = answers.encode(tuple(results))
        stored = Answer(key.name, key.digest, body, now + ANSWER_LIFETIME)
        state.remember(stored)
    return Settled(request, tuple(results), tuple(records), stored, tuple(redactions))


def _context(caller: Caller, now: Micros, window: Micros, ids: tuple[str, str]) -> Context:
    return Context(
        now=now,
        actor=caller.actor,
        principal=caller.principal,
        ids=ids,
        window=window,
        trace=caller.trace,
        selectors=caller.selectors,
    )
