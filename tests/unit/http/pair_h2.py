"""The state of a server's connection of HTTP/2, and a client of the h2 library on it."""

from collections.abc import Sequence
from typing import TypeVar

import h2.config
import h2.connection
import h2.events
from h2.settings import SettingCodes

from incident_manager.http.h2_state import State

__all__ = ["Pair"]

GET = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "localhost")]

E = TypeVar("E", bound=h2.events.Event)


class Pair:
    """Both ends, and what each was told: bytes go from one to the other by hand."""

    def __init__(self, *, streams: int = 100, header_bytes: int = 32 * 1024, window: int = 65535):
        config = h2.config.H2Configuration(client_side=True, header_encoding="utf-8")
        self.client = h2.connection.H2Connection(config)
        self.state = State(streams, header_bytes, 0.0)
        self.server = self.state.connection
        self.at_client: list[h2.events.Event] = []
        self.at_server: list[h2.events.Event] = []
        self.client.initiate_connection()
        self.client.update_settings({SettingCodes.INITIAL_WINDOW_SIZE: window})
        self.server.initiate_connection()
        self.state.announced()
        self.carry()

    def carry(self) -> None:
        """Everything that was said, until nobody answers."""
        while True:
            there, back = self.client.data_to_send(), self.server.data_to_send()
            if not there and not back:
                return
            self.at_server += self.server.receive_data(there)
            self.at_client += self.client.receive_data(back)

    async def flush(self) -> None:
        """As a connection does it."""
        self.carry()

    def request(self, *stream_ids: int, end: bool = False) -> None:
        for stream_id in stream_ids:
            self.client.send_headers(stream_id, GET, end_stream=end)
        self.carry()

    def answer(self, *stream_ids: int) -> None:
        for stream_id in stream_ids:
            self.server.send_headers(stream_id, [(":status", "200")])
        self.carry()

    def events(self, kind: type[E], seen: Sequence[h2.events.Event] | None = None) -> list[E]:
        """What the client, or who has ``seen``, was told of a kind."""
        return [event for event in (seen or self.at_client) if isinstance(event, kind)]

    def opened(self, stream_id: int) -> int:
        """The bytes by which a window of the client's, or of the connection (0), was opened."""
        events = self.events(h2.events.WindowUpdated)
        return sum(event.delta or 0 for event in events if event.stream_id == stream_id)
