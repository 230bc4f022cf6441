"""HTTP/1.1 of Hypercorn's, for a connection that begins with a handshake which is known to be good.

h11 has nothing to do with it, unless the application refuses the WebSocket.
"""

from typing import Any, cast

import h11
import hypercorn.protocol.h11
from hypercorn.protocol import ProtocolWrapper
from hypercorn.protocol.h11 import STREAM_ID, H11Protocol, H11WSConnection
from hypercorn.typing import H11SendableEvent

from incident_manager.http.hypercorn_events import Upgrading
from incident_manager.http.whole_upgrade import Upgrade

__all__ = ["NOBODY_WAITS", "Upgraded"]


class _NobodyWaits:
    """An event of Hypercorn's that nothing waits for."""

    async def set(self) -> None:
        """Nothing."""


NOBODY_WAITS: Any = _NobodyWaits()
"""Stands for an event of Hypercorn's."""


class _Untouched(H11WSConnection):
    """h11 is told of the request when it has to answer it. ``head`` is that request; None once
    there will be no other answer.
    """

    h11_connection: Any

    def __init__(self, head: bytes) -> None:
        self.buffer = bytearray()
        self.h11_connection = None
        self.head: bytes | None = head

    def send(self, event: H11SendableEvent) -> bytes:
        """As h11 has it."""
        if self.h11_connection is None and self.head is not None:
            self.h11_connection = made = h11.Connection(h11.SERVER)
            made.receive_data(self.head)
            made.next_event()
        return super().send(event)


class _Protocol(H11Protocol):
    """As Hypercorn's is once it has read such a request."""

    def __init__(  # as that of Hypercorn
        self,
        head: bytes,
        app: Any,
        config: Any,
        context: Any,
        task_group: Any,
        connection_state: Any,
        ssl: Any,
        client: Any,
        server: Any,
        send: Any,
    ) -> None:
        self.app = app
        self.can_read = NOBODY_WAITS
        self.client = client
        self.config = config
        self.connection = _Untouched(head)
        self.context = context
        self.keep_alive_requests = 1
        self.send = send
        self.server = server
        self.ssl = ssl
        self.task_group = task_group
        self.connection_state = connection_state
        websocket: Any = vars(hypercorn.protocol.h11)["WSStream"]  # ours is put in there
        self.stream = websocket(
            app, config, context, task_group, ssl, client, server, self.stream_send, STREAM_ID
        )


class Upgraded(ProtocolWrapper):
    """What Hypercorn's connection talks to; it is given what a ``ProtocolWrapper`` is."""

    def __init__(self, upgrade: Upgrade, *given: Any) -> None:
        self._upgrade: Upgrade | None = upgrade
        self.protocol: Any = _Protocol(upgrade.head, *given)

    async def initiate(self) -> None:
        """Have the WebSocket begin."""
        upgrade, self._upgrade = self._upgrade, None
        if upgrade is not None:
            protocol = self.protocol
            begins = Upgrading(STREAM_ID, upgrade, protocol.connection_state)
            await protocol.stream.handle(cast(Any, begins))
            await protocol.context.mark_request()
