"""The journal port: one ordered log of events, and the tables that follow from it.

An append is one transaction: events, incidents, alerts, comments, timelines, source keys,
idempotency answers and the audit change together or not at all. Offsets start at 1, grow by
one, and have no holes; offset 0 is the place before the first event.
"""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from attrs import field, frozen

from incident_manager.actors.audit import AuditEntry
from incident_manager.actors.journal.reads import (
    Bounds,
    IncidentPage,
    IncidentQuery,
    Reads,
    SortField,
)
from incident_manager.actors.model import Incident, KeyState, Micros, Record
from incident_manager.actors.redaction import Redaction
from incident_manager.actors.selectors import Selectors

__all__ = [
    "Answer",
    "Append",
    "Bounds",
    "Chunk",
    "IncidentPage",
    "IncidentQuery",
    "Journal",
    "JournalError",
    "JournalUnavailable",
    "Loaded",
    "Needs",
    "SortField",
    "StaleHead",
    "View",
    "nothing",
]

FingerprintKey = tuple[str, str]
"""(scope, fingerprint)"""
SourceKey = tuple[str, str]
"""(scope, source key)"""


class JournalError(Exception):
    """The journal cannot be used as it is: another owner, a newer file, a damaged file."""


class JournalUnavailable(Exception):
    """The journal did not take or give something now (disk full, read-only, restarting).

    ``written`` is False where it is certain that nothing was written.
    """

    def __init__(self, message: str, *, written: bool | None = False) -> None:
        super().__init__(message)
        self.written = written


class StaleHead(Exception):
    """An append named a head that is not the journal's: somebody else wrote in between."""


@frozen
class Answer:
    """A stored answer to a request that bore an idempotency key.

    ``key`` is the caller's whole name for it (principal, route and key), ``digest`` that of the
    request's body, ``body`` the encoded answer.
    """

    key: str
    digest: str
    body: bytes
    expires_at: Micros


@frozen
class Needs:
    """What a decision must know before it can be made."""

    incidents: frozenset[str] = frozenset()
    fingerprints: frozenset[FingerprintKey] = frozenset()
    keys: frozenset[SourceKey] = frozenset()
    answers: frozenset[str] = frozenset()

    def __or__(self, other: "Needs") -> "Needs":
        return Needs(
            self.incidents | other.incidents,
            self.fingerprints | other.fingerprints,
            self.keys | other.keys,
            self.answers | other.answers,
        )

    def __bool__(self) -> bool:
        return bool(self.incidents or self.fingerprints or self.keys or self.answers)


@frozen
class Loaded:
    """The journal's answer to :class:`Needs`; what is not there is there as None.

    ``fingerprints`` gives the *active* incidents of a fingerprint that were created at or after
    the ``since`` of the call, the newest first (by creation, then id). Incidents named by
    ``fingerprints`` and ``keys`` are in ``incidents`` too. ``firing`` has the number of firing
    source keys for every incident in ``incidents``.
    """

    incidents: Mapping[str, Incident | None] = field(factory=dict)
    fingerprints: Mapping[FingerprintKey, tuple[str, ...]] = field(factory=dict)
    keys: Mapping[SourceKey, KeyState | None] = field(factory=dict)
    firing: Mapping[str, int] = field(factory=dict)
    answers: Mapping[str, Answer | None] = field(factory=dict)


@frozen
class Append:
    """One transaction: the records after ``expected_head``, in order, and new answers.

    ``redactions`` are applied to all that is stored then, the batch's own records included.
    """

    expected_head: int
    records: tuple[Record, ...]
    answers: tuple[Answer, ...] = ()
    redactions: tuple[Redaction, ...] = ()


@frozen
class Chunk:
    """Records after some offset, in order, and what the journal held at that moment.

    ``examined`` is the last offset the read has looked at: the last record's, or the head where
    nothing follows. ``records`` starts at ``oldest`` where the asked offset is before it.
    """

    records: tuple[Record, ...]
    bounds: Bounds
    examined: int


class View(Reads, Protocol):
    """What one caller sees of a journal: its state, and its events.

    Every call may raise :class:`JournalUnavailable`.
    """

    async def bounds(self) -> Bounds:
        """Epoch, oldest and head as of now."""
        ...

    async def read_after(self, offset: int, limit: int) -> Chunk:
        """At most ``limit`` records with offsets greater than ``offset``."""
        ...


def nothing() -> None:
    """Nothing is to be done."""


class Journal(View, Protocol):
    """An open journal: all that can be seen of it, and what changes it.

    Every call may raise :class:`JournalUnavailable`.
    """

    @property
    def location(self) -> str:
        """Where the data lies, for people."""
        ...

    async def secret(self) -> bytes:
        """32 random bytes that were made with the journal, and that never leave the server."""
        ...

    async def load(self, needs: Needs, now: Micros, since: Micros) -> Loaded:
        """What a batch of decisions needs, in one read.

        Answers that expired before ``now`` count as absent; fingerprints look no further back
        than ``since``.
        """
        ...

    async def append(self, batch: Append, meanwhile: Callable[[], None] = nothing) -> None:
        """Write one batch durably; returns only when it survives a power cut.

        ``meanwhile`` may be called, once, while the disk is waited for: it should take no longer.

        Not interrupted by cancellation: when it leaves, the transaction has ended either way.
        Raises :class:`StaleHead` if ``expected_head`` is not the head, and
        :class:`JournalUnavailable` if it could not be written (``written`` is False, or None
        where the outcome is unknown).
        """
        ...

    async def read_bearing(self, labels: Selectors, offset: int, limit: int) -> Chunk:
        """As :meth:`read_after`, but only events whose incident or alert bears all the labels.

        It takes as long as there are such events, however many others there are. ``examined``
        is the last record's offset where there are ``limit`` of them, else the head.
        """
        ...

    async def trim(self, *, keep: int, before: Micros, limit: int, expired: Micros = 0) -> int:
        """Drop the oldest events: those beyond the newest ``keep`` (0: no such bound), and
        those older than ``before`` (0: no such bound); at most ``limit`` in this call.

        The newest event always stays. Incidents, timelines, alerts and keys are not touched.
        Also forgets answers that had expired by ``expired`` (0: none), at most ``limit``. Returns
        how many events went.
        """
        ...

    async def note(self, entries: tuple[AuditEntry, ...]) -> None:
        """Add entries to the audit that are of no event; durable as an append is.

        Raises :class:`JournalUnavailable` where they could not be written.
        """
        ...

    async def trim_audit(self, *, before: Micros, limit: int) -> int:
        """Drop the entries of the audit that are older than ``before``, at most ``limit``.

        The newest always stays. Nothing else ever drops or changes one. Returns how many went.
        """
        ...

    async def probe(self) -> None:
        """Prove that the journal can be written now, or raise :class:`JournalUnavailable`."""
        ...

    async def tidy(self) -> None:
        """Do the work that appends have put off; they go on meanwhile, and need none of it."""
        ...


OpenJournal = AbstractAsyncContextManager[Journal]
"""What ``open_journal`` gives: the journal is open inside the block and released after it."""
