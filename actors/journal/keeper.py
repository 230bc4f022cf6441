"""The journal's actor: opens the journal, keeps it trimmed and probed, and lends it out.

The :class:`Keeper` is a :class:`~incident_manager.actors.journal.base.Journal` itself, one that
outlives a crash: reads wait until the journal is open again, writes are refused meanwhile.
"""

import logging
import time
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress

import trio
from attrs import frozen

from incident_manager.actors.audit import Refusals
from incident_manager.actors.histogram import Histogram
from incident_manager.actors.journal.base import (
    Append,
    Bounds,
    Journal,
    JournalError,
    JournalUnavailable,
    OpenJournal,
    nothing,
)
from incident_manager.actors.journal.lent import Lent
from incident_manager.actors.journal.shared import Shared
from incident_manager.actors.model import Micros, Record
from incident_manager.actors.vocabulary import IncidentState, Severity
from incident_manager.supervision import Child

__all__ = ["Keeper", "Retention"]

_log = logging.getLogger(__name__)
_TRIM_STEP = 1_000
_UNTIDY = 256  # events or probes, after which there is something to tidy up: some 20 MB of a WAL


@frozen
class Retention:
    """How long events are kept: by age in days and by number; and the audit, by its age. 0 is
    without a bound.
    """

    days: float = 30.0
    events: int = 1_000_000
    audit_days: float = 365.0


class Keeper(Lent):
    """The handle of the journal actor, and the port through which everybody uses the journal.

    ``append_seconds`` are the times of the transactions, ``entered`` how often an incident has come
    into a state (with the severity that it had then), ``joined`` the alerts that joined one.
    Refused sign-ins are counted in ``refusals``, and come into the audit with the next round.
    ``shared`` is for those who read the same events at about the same time.
    """

    def __init__(
        self,
        opener: Callable[[], OpenJournal],
        *,
        retention: Retention,
        clock: Callable[[], Micros],
        interval: float = 5.0,
    ) -> None:
        super().__init__()
        self._opener = opener
        self._retention = retention
        self._clock = clock
        self._interval = interval
        self._failure: str | None = None
        self._epoch: str | None = None
        self._head = 0
        self._appends = 0
        self._untidied = 0
        self._untidy = trio.Event()
        self._records = 0
        self.append_seconds = Histogram()
        self.entered: Counter[tuple[Severity, IncidentState]] = Counter()
        self.joined = 0
        self.refusals = Refusals()
        self.shared = Shared(self.read_after)

    async def run(
        self, child: Child, *, task_status: trio.TaskStatus[object] = trio.TASK_STATUS_IGNORED
    ) -> None:
        """The actor: the journal is open while it runs. Raises JournalError if it cannot be."""
        child.observe(self._statistics)
        async with self._opener() as journal:
            bounds = await journal.bounds()
            self._check_same(bounds)
            self.shared.forget()
            self.shared.bounds = bounds
            self._lend(journal)
            try:
                task_status.started()
                while True:
                    await self._keep_house(journal)
                    await self._wait(journal)
            finally:
                try:
                    with trio.CancelScope(shield=True), suppress(JournalUnavailable):
                        await self._note_refusals(journal)
                finally:
                    self._take_back()

    async def _wait(self, journal: Journal) -> None:
        """Wait for the next round; tidy up meanwhile whenever enough has come together."""
        until = trio.current_time() + self._interval
        while True:
            with trio.move_on_at(until) as waited:
                await self._untidy.wait()
            if waited.cancelled_caught:
                return
            self._untidy = trio.Event()
            self._untidied = 0
            try:
                await journal.tidy()
            except JournalUnavailable as failure:
                self._failed(failure)

    def _check_same(self, bounds: Bounds) -> None:
        """A journal that was opened again must hold what was read and acknowledged before."""
        if self._epoch is not None and (bounds.epoch != self._epoch or bounds.head < self._head):
            raise JournalError("the journal's file was replaced while it was in use")
        self._epoch, self._head = bounds.epoch, bounds.head

    async def _keep_house(self, journal: Journal) -> None:
        try:
            await journal.probe()
            self._wrote(1)  # about as much as an event is
            await self._trim(journal)
            await self._note_refusals(journal)
        except JournalUnavailable as failure:
            self._failed(failure)
        else:
            self._works()

    async def _trim(self, journal: Journal) -> None:
        before = self._before(self._retention.days)
        while await journal.trim(
            keep=self._retention.events, before=before, limit=_TRIM_STEP, expired=self._clock()
        ):
            self.shared.forget()
            await trio.lowlevel.checkpoint()
        before = self._before(self._retention.audit_days)
        while before and await journal.trim_audit(before=before, limit=_TRIM_STEP):
            await trio.lowlevel.checkpoint()

    def _before(self, days: float) -> Micros:
        return self._clock() - round(days * 86_400_000_000) if days else 0

    async def _note_refusals(self, journal: Journal) -> None:
        entries = self.refusals.take()
        if entries:
            try:
                await journal.note(entries)
            except JournalUnavailable:
                self.refusals.put_back(entries)
                raise

    def _failed(self, failure: JournalUnavailable) -> None:
        if self._failure is None:
            _log.error("the journal cannot be written: %s", failure)
        self._failure = str(failure)

    def _works(self) -> None:
        if self._failure is not None:
            _log.info("the journal can be written again")
        self._failure = None

    @property
    def failure(self) -> str | None:
        """Why the journal cannot be written now, or None if it can."""
        if self._journal is None:
            return "the journal is not open"
        return self._failure

    def _statistics(self) -> dict[str, object]:
        return {
            "appends": self._appends,
            "messages_handled": self._records,
            "failure": self.failure,
        }

    async def bounds(self) -> Bounds:
        """As the port says; waits while the journal is not open."""
        turn = self.shared.turn
        bounds = await self._read(lambda journal: journal.bounds())
        self.shared.learn(bounds, turn)
        return bounds

    async def append(self, batch: Append, meanwhile: Callable[[], None] = nothing) -> None:
        """As the port says; refused while the journal is not open."""
        journal = self._writable()
        began = time.perf_counter()
        try:
            await journal.append(batch, meanwhile)
        except JournalUnavailable as failure:
            self._failed(failure)
            raise
        finally:
            if batch.redactions:
                self.shared.forget()
        self.append_seconds.observe(time.perf_counter() - began)
        self._works()
        self._head = batch.expected_head + len(batch.records)
        self._appends += 1
        self._records += len(batch.records)
        self._wrote(len(batch.records))
        self._count(batch.records)

    def _wrote(self, number: int) -> None:
        self._untidied += number
        if self._untidied >= _UNTIDY:
            self._untidy.set()

    def _count(self, records: Iterable[Record]) -> None:
        for record in records:
            incident, before, alert = record.incident, record.before, record.alert
            if incident is not None and (before is None or before.state is not incident.state):
                self.entered[incident.severity, incident.state] += 1
            if alert is not None and alert.deduplicated:
                self.joined += 1

    async def trim(self, *, keep: int, before: Micros, limit: int, expired: Micros = 0) -> int:
        """As the port says; waits while the journal is not open."""
        gone = await self._read(
            lambda journal: journal.trim(keep=keep, before=before, limit=limit, expired=expired)
        )
        if gone:
            self.shared.forget()
        return gone
