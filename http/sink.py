"""One subscription's way into its connection's outbox: it owns the frame around a payload."""

import msgspec

from incident_manager.actors.batch import Batch
from incident_manager.actors.ports import Gap, extend
from incident_manager.http.frames import next_prefix, ping_frame
from incident_manager.http.outbox import Outbox

__all__ = ["SubscriptionSink"]


class SubscriptionSink:
    """Implements :class:`incident_manager.actors.ports.Sink`.

    ``tells`` says that the client agreed the subprotocol, so that it can be sent a ping.
    """

    __slots__ = ("_extra", "_gap", "_id", "_prefix", "_tells", "open", "outlet")

    def __init__(self, outbox: Outbox, operation_id: str, *, tells: bool) -> None:
        self.outlet = outbox
        self.open = True
        self._id = operation_id
        self._prefix = next_prefix(operation_id)
        self._tells = tells
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
