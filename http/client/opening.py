"""How a client is opened, and how its block ends."""

import ssl
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager

import trio

from incident_manager.http.client.client import Client
from incident_manager.http.client.endpoint import Endpoint
from incident_manager.http.client.events import ClientEvent
from incident_manager.http.client.link import LinkOptions
from incident_manager.http.client.reconnect import Backoff, Reconnect
from incident_manager.http.client.switchboard import Switchboard
from incident_manager.http.client.token import TokenSource

__all__ = ["open_client"]


@asynccontextmanager
async def open_client(
    url: str,
    token: TokenSource | None = None,
    *,
    backoff: Backoff | None = None,
    buffer: int = 256,
    patience: float | None = None,
    connect_timeout: float = 10.0,
    ping_interval: float = 15.0,
    ping_timeout: float = 10.0,
    max_message_bytes: int = 16 * 1024 * 1024,
    headers: Mapping[str, str] | None = None,
    ssl_context: ssl.SSLContext | None = None,
    on_event: Callable[[ClientEvent], None] | None = None,
) -> AsyncGenerator[Client]:
    """Open a client that keeps itself connected to ``url`` until its block is left.

    It connects in the background, so it is entered at once, server or no server. All its tasks
    live inside the block. On the way out the WebSocket is closed with 1000.

    A full buffer stops the reading of the socket, and so the server's sending, as long as nobody
    waits for anything else of this client. Where somebody does (another subscription, an answer),
    the subscription that is behind is completed and later taken up again from its cursor. So memory
    is bounded, nothing is lost, and no subscription holds up another.

    Args:
        url: ``ws://host:8080/graphql/ws`` or ``wss://...``.
        token: a token, or a function (async or not) that returns one: it is called at each connect,
            and before the token in use expires, which then is renewed on the living connection.
        backoff: the waits between tries.
        buffer: messages that may wait for the consumer of each subscription.
        patience: seconds without a connection after which the client gives up; None for never.
        connect_timeout: seconds for one try, up to the server's ack.
        ping_interval: seconds of silence before the server is asked whether it lives; 0 for never.
        ping_timeout: seconds that it has for the answer.
        max_message_bytes: the largest message taken from the server.
        headers: further headers of the upgrade, such as a proxy may need.
        ssl_context: for ``wss``; by default the system's certificates count.
        on_event: told of each :data:`ClientEvent` as it happens. It must not raise or block.

    Raises:
        ValueError: the URL or a number is none that can be used.
    """
    if buffer < 1 or connect_timeout <= 0 or ping_interval < 0 or ping_timeout <= 0:
        raise ValueError("buffer and the timeouts must be more than nothing")
    options = LinkOptions(
        Endpoint.parse(url),
        ssl_context,
        token,
        tuple((headers or {}).items()),
        connect_timeout,
        ping_interval,
        ping_timeout,
        max_message_bytes,
    )
    reconnect = Reconnect(
        backoff or Backoff(),
        fixed=not callable(token),
        patience=patience,
        now=trio.current_time(),
    )
    board = Switchboard(options, reconnect, buffer, on_event)
    failure: BaseException | None = None
    async with trio.open_nursery() as nursery:
        nursery.start_soon(board.run)
        try:
            yield Client(board)
        except trio.Cancelled:
            raise
        except BaseException as error:  # noqa: BLE001 -- raised below, as it is, in no group
            failure = error
        finally:
            board.close()
    if failure is not None:
        raise failure
