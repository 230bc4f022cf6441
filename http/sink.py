"""One subscription's way into its connection's outbox: it owns the frame around a payload."""

from typing import Final

import msgspec

from incident_manager.actors.batch import Batch
from incident_manager.actors.ports import Gap, Listed, Ranks, extend
from incident_manager.http.frames import next_prefix, ping_frame
from incident_manager.http.outbox import Outbox
from incident_manager.http.websocket_writer import COMMON
from incident_manager.http.wire import SMALL

__all__ = ["SubscriptionSink"]

_MOST: Final = SMALL // 2  # bytes of a batch: with more, its frames may be too much for a rank


class SubscriptionSink:
    """Implements :class:`incident_manager.actors.ports.Sink`.

    ``tells`` says that the client agreed the subprotocol, so that it can be sent a ping.
    """

    __slots__ = ("_drilled", "_extra", "_gap", "_id", "_prefix", "_tells", "open", "outlet")

    def __init__(self, outbox: Outbox, operation_id: str, *, tells: bool) -> None:
        self.outlet = outbox
        self.open = True
        self._id = operation_id
        self._prefix = next_prefix(operation_id)
        self._tells = tells
        self._drilled = outbox.drilled and len(self._prefix) <= COMMON
        self._extra: bytes | None = None
        self._gap: Gap | None = None  # said by ping, and not yet with a payload

    def offer(self, payload: bytes) -> bool:
        """Frame the payload and put it into the outbox, or refuse it."""
        if not self.open:
            return False
        extra = self._extra
        if extra is not None:
            payload = extend(payload, extra)
        if not self.outlet.offer_next(self._prefix, payload):
            return False
        self._extra = self._gap = None
        return True

    def offer_all(self, batch: Batch) -> bool:
        """Frame all payloads and put them into the outbox, or refuse them together."""
        if not self.open or self._extra is not None:
            return False
        return self.outlet.offer_all(self._prefix, batch)

    @property
    def drilled(self) -> bool:
        """Whether it may be able to stand in a rank at some time."""
        return self._drilled

    def fall_in(self, ranks: Ranks, batch: Batch, listed: Listed) -> bool:
        """Stand in a rank, if nothing waits, and nothing else is to be said with the next one."""
        if not self.open or self._extra is not None or batch.size > _MOST:
            return False
        return self.outlet.fall_in(ranks, self._prefix, listed)

    def fall_out(self) -> None:
        """Stand in the rank no more."""
        self.outlet.fall_out()

    def recovered(self) -> None:
        """The next payload says that nothing was missed."""
        self._extra = b'"recovered":true'

    def lost(self, gap: Gap) -> None:
        """The next payload says the gap; a client that can hear a ping is told at once."""
        if self._gap is not None:  # one gap for the client, from where the first began
            gap = Gap(self._gap.since, gap.until)
        self._gap = gap
        bounds = {"from": str(gap.since), "to": str(gap.until)}
        self._extra = b'"recovered":false,"gap":' + msgspec.json.encode(bounds)
        if self._tells:
            told = {"subscription": self._id, "recovered": False, "gap": bounds}
            self.outlet.write(ping_frame({**told, "cursor": str(gap.until)}))

    async def drained(self) -> None:
        """Wait until the outbox has room."""
        await self.outlet.room()
