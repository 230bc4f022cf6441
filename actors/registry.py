"""The central incident registry: the only writer of incident state.

It drains its mailbox, decides every command on a scratch state, writes all events of the batch
in one transaction, and only then adopts the state, answers, and tells the hub.
"""

import time
from collections.abc import Callable, Iterable, Sequence

import trio

from incident_manager.actors.answers import Caller, IdempotencyKey
from incident_manager.actors.commands import Command
from incident_manager.actors.cursor import Cursor
from incident_manager.actors.errors import Unavailable
from incident_manager.actors.journal.base import (
    Append,
    Journal,
    JournalUnavailable,
    Needs,
    StaleHead,
)
from incident_manager.actors.journal.reads import IncidentQuery
from incident_manager.actors.mailbox import Mailbox
from incident_manager.actors.model import Micros, Record
from incident_manager.actors.recent import Recent
from incident_manager.actors.request import Answered, Request, settle
from incident_manager.actors.state import WorkingSet
from incident_manager.supervision import Child

__all__ = ["Answered", "Registry", "wall_clock"]


def wall_clock() -> Micros:
    """The time now."""
    return time.time_ns() // 1000


class _Reload(Exception):
    """What is in the journal is no longer certain: read it again."""


class Registry:
    """The handle of the registry: it outlives the actor, and so does its mailbox.

    ``announce`` is called with every batch that is durably written, and with no records and the
    head after a (re)start; ``foretell`` with those that are being written. ``forget`` is called
    where stored events were redacted, or may have been.
    """

    def __init__(
        self,
        journal: Journal,
        announce: Callable[[int, Sequence[Record]], None],
        *,
        window: Micros,
        forget: Callable[[], None] = lambda: None,
        foretell: Callable[[Sequence[Record]], None] = lambda _: None,
        clock: Callable[[], Micros] = wall_clock,
        mailbox: int = 1024,
        batch: int = 512,
    ) -> None:
        self._journal = journal
        self._announce = announce
        self._window = window
        self._forget = forget
        self._foretell = foretell
        self._clock = clock
        self._batch = batch
        self._mailbox = Mailbox[Request](mailbox)
        self.running = False

    async def ask(
        self,
        commands: Iterable[Command],
        caller: Caller,
        *,
        key: IdempotencyKey | None = None,
    ) -> Answered:
        """Have commands carried out, all in one transaction; the answer comes after the commit.

        A refused command gets its :class:`Refused` as its result, and the others go on. Raises
        :class:`IdempotencyMismatch` if the key came before with another body, and
        :class:`Unavailable` if the journal did not take it or the registry crashed meanwhile.
        """
        request = Request(commands, caller, key)
        try:
            try:
                self._mailbox.put_nowait(request)
            except trio.WouldBlock:
                await self._mailbox.put(request)
            answered = await request.wait()
        except trio.Cancelled:
            request.abandoned = True
            raise
        # What has come of it was announced before: its subscribers are told first.
        await trio.lowlevel.cancel_shielded_checkpoint()
        return answered

    async def run(
        self, child: Child, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """The actor: serves the mailbox until it is cancelled."""
        child.observe(self._statistics)
        started = False
        while True:
            bounds = await self._journal.bounds()
            self._announce(bounds.head, ())
            if not started:
                task_status.started()
                started = True
            self.running = True
            try:
                recent = Recent(self._window, await self._blind(bounds.head))
                await self._serve(WorkingSet(bounds.head, recent=recent), bounds.epoch)
            except _Reload:
                continue
            finally:
                self.running = False

    async def _blind(self, head: int) -> Micros | None:
        """The time before which incidents of the journal were created; None: there are none.

        It is later than now if the clock was set back since.
        """
        if not head:
            return None
        now = self._clock()
        newer = await self._journal.incidents(IncidentQuery(created_after=now, size=1))
        return max([now, *(incident.created_at for incident in newer.incidents)])

    def _statistics(self) -> dict[str, object]:
        mailbox = self._mailbox.statistics()
        return {
            "mailbox_depth": mailbox.depth,
            "mailbox_capacity": mailbox.capacity,
            "oldest_message_seconds": mailbox.oldest,
            "messages_handled": mailbox.handled,
        }

    async def _serve(self, state: WorkingSet, epoch: str) -> None:
        while True:
            batch = [await self._mailbox.get()]
            try:
                self._drain(batch)
                await self._transact(state, batch, epoch)
            finally:
                # Whatever has no answer by now was in flight when this actor failed.
                for request in batch:
                    request.answer(Unavailable("The outcome of this change is unknown."))

    def _drain(self, batch: list[Request]) -> None:
        size = len(batch[0].commands)
        while size < self._batch:
            try:
                request = self._mailbox.get_nowait()
            except trio.WouldBlock:
                return
            batch.append(request)
            size += len(request.commands)

    async def _transact(self, state: WorkingSet, batch: list[Request], epoch: str) -> None:
        now = self._clock()
        try:
            await self._learn(state, batch, now)
            settled = [settle(state, r, now, self._window) for r in batch if not r.abandoned]
            records = tuple(record for one in settled for record in one.records)
            stored = tuple(one.stored for one in settled if one.stored is not None)
            redactions = tuple(each for one in settled for each in one.redactions)
            if records or stored:
                head = state.head - len(records)
                await self._append(Append(head, records, stored, redactions))
        except JournalUnavailable as failure:
            known = failure.written is False
            for request in batch:
                request.answer(Unavailable(str(failure), known=known))
            state.discard()
            if not known:
                raise _Reload from failure
            return
        except StaleHead as failure:
            for request in batch:
                request.answer(Unavailable("Another writer was faster.", known=True))
            raise _Reload from failure
        state.adopt()
        if redactions:
            self._announce(state.head, ())
        elif records:
            self._announce(state.head, records)
        cursor = Cursor(epoch, state.head)
        for one in settled:
            one.request.answer(one.outcome(cursor))
        if redactions:
            raise _Reload

    async def _append(self, batch: Append) -> None:
        stands = False  # for certain, what was to be redacted
        try:
            await self._journal.append(batch, lambda: self._foretell(batch.records))
        except (JournalUnavailable, StaleHead) as failure:
            stands = isinstance(failure, StaleHead) or failure.written is False
            raise
        finally:
            if batch.redactions and not stands:
                # Nobody shall find the old text in memory: what is needed comes from the journal.
                self._forget()

    async def _learn(self, state: WorkingSet, batch: list[Request], now: Micros) -> None:
        """Load what the batch needs and the working set does not hold."""
        wanted = Needs()
        for request in batch:
            wanted |= request.needs(now, self._window)
        missing = state.missing(wanted, now)
        if missing:
            state.learn(await self._journal.load(missing, now, now - self._window))
