"""One subscription's way into its event stream: it owns the event around a payload."""

import msgspec

from incident_manager.actors.batch import Batch
from incident_manager.actors.ports import Gap, Listed, Ranks, extend
from incident_manager.http.outbox import Outbox
from incident_manager.http.sse.events import cursor_of, next_event, note

__all__ = ["EventSink"]


class EventSink:
    """Implements :class:`incident_manager.actors.ports.Sink`."""

    __slots__ = ("_extra", "_gap", "open", "outlet")

    def __init__(self, outbox: Outbox) -> None:
        self.outlet = outbox
        self.open = True
        self._extra: bytes | None = None
        self._gap: Gap | None = None  # said by a comment, and not yet with a payload

    def offer(self, payload: bytes) -> bool:
        """Make an event of the payload and put it into the outbox, or refuse it."""
        if not self.open:
            return False
        cursor = cursor_of(payload)
        if self._extra is not None:
            payload = extend(payload, self._extra)
        if not self.outlet.offer(next_event(payload, cursor)):
            return False
        self._extra = self._gap = None
        return True

    def offer_all(self, batch: Batch) -> bool:
        """Make events of all payloads and put them into the outbox, or refuse them together."""
        if not self.open or self._extra is not None:
            return False
        events: list[bytes] | None = batch.memo.get(EventSink)
        if events is None:
            events = [next_event(each, cursor_of(each)) for each in batch.payloads]
            batch.memo[EventSink] = events
        return self.outlet.take(events)

    @property
    def owes(self) -> bool:
        """Whether the next payload has to say something."""
        return self._extra is not None

    drilled = False

    def fall_in(self, ranks: Ranks, batch: Batch, listed: Listed) -> bool:  # noqa: ARG002
        """Every event stream is written to by itself."""
        return False

    def fall_out(self) -> None:
        """It stands in no rank."""

    def recovered(self) -> None:
        """The next payload says that nothing was missed."""
        self._extra = b'"recovered":true'

    def lost(self, gap: Gap) -> None:
        """The next payload says the gap; a comment says it at once."""
        if self._gap is not None:  # one gap for the client, from where the first began
            gap = Gap(self._gap.since, gap.until)
        self._gap = gap
        bounds = {"from": str(gap.since), "to": str(gap.until)}
        self._extra = b'"recovered":false,"gap":' + msgspec.json.encode(bounds)
        self.outlet.write(note({"recovered": False, "gap": bounds, "cursor": str(gap.until)}))

    async def drained(self) -> None:
        """Wait until the outbox has room."""
        await self.outlet.room()
