"""The stream below a WebSocket: opened, watched for its end, and its failures put into words."""

import os
import ssl
from collections.abc import Callable
from typing import Final, TypeAlias

import trio
from trio_websocket import ConnectionClosed, ConnectionRejected, HandshakeError
from wsproto.utilities import ProtocolError

from incident_manager.http.client.endpoint import Endpoint
from incident_manager.http.client.reconnect import Loss

__all__ = ["BROKEN", "RawStream", "WatchedStream", "loss_of", "open_stream"]

RawStream: TypeAlias = "trio.SocketStream | trio.SSLStream[trio.SocketStream]"

BROKEN: Final = (
    HandshakeError,
    ConnectionClosed,
    ProtocolError,
    OSError,
    trio.BrokenResourceError,
)
"""All that the net, or the other end, can do to a connection."""


async def open_stream(place: Endpoint, tls: ssl.SSLContext | None) -> RawStream:
    """Connect, with TLS where the endpoint wants it. Raises what is in :data:`BROKEN`."""
    if not place.tls:
        return await trio.open_tcp_stream(place.host, place.port)
    stream = await trio.open_ssl_over_tcp_stream(
        place.host, place.port, ssl_context=tls, https_compatible=True
    )
    try:
        await stream.do_handshake()
    except BaseException:
        await trio.aclose_forcefully(stream)
        raise
    return stream


class WatchedStream(trio.abc.Stream):
    """A stream that says when its other end is gone.

    During the opening handshake trio-websocket would not: it waits for an answer for ever.
    """

    def __init__(self, stream: RawStream, heard: Callable[[], None]) -> None:
        self._stream = stream
        self._heard = heard
        self.ended = trio.Event()

    async def send_all(self, data: bytes | bytearray | memoryview) -> None:
        """See :class:`trio.abc.SendStream`."""
        await self._stream.send_all(data)

    async def wait_send_all_might_not_block(self) -> None:
        """See :class:`trio.abc.SendStream`."""
        await self._stream.wait_send_all_might_not_block()

    async def receive_some(self, max_bytes: int | None = None) -> bytes | bytearray:
        """See :class:`trio.abc.ReceiveStream`; says what it hears."""
        try:
            data = await self._stream.receive_some(max_bytes)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            self.ended.set()
            raise
        if data:
            self._heard()
        else:
            self.ended.set()
        return data

    async def aclose(self) -> None:
        """See :class:`trio.abc.AsyncResource`."""
        await self._stream.aclose()


def loss_of(error: BaseException) -> Loss:
    """Say in words what was wrong with a connection."""
    if isinstance(error, ConnectionClosed):
        return _closed(error)
    if isinstance(error, ConnectionRejected):
        body = (error.body or b"").decode(errors="replace").strip()
        text = body.splitlines()[0][:200] if body else f"HTTP status {error.status_code}"
        return Loss(text, error.status_code, upgraded=False)
    while error.__cause__ is not None:  # Trio says what it tried, its cause says what was wrong
        error = error.__cause__
    if isinstance(error, BaseExceptionGroup):  # several addresses of one name, or several tasks
        return loss_of(error.exceptions[0])
    if isinstance(error, ssl.SSLError):  # its errno is OpenSSL's own
        return Loss(f"TLS: {_first(error, 'verify_message', 'reason', 'strerror')}")
    if isinstance(error, OSError) and error.errno is not None and error.errno > 0:
        return Loss(os.strerror(error.errno))
    if isinstance(error, OSError) and error.strerror:
        return Loss(error.strerror)
    return Loss(str(error) or type(error).__name__)


def _first(error: ssl.SSLError, *names: str) -> str:
    """What the first of these attributes says, where the error has one."""
    return next((text for name in names if (text := getattr(error, name, None))), str(error))


def _closed(closed: ConnectionClosed) -> Loss:
    found = closed.reason
    if found is None:
        return Loss("the connection broke", 1006)
    code = int(found.code)
    return Loss(found.reason or ("the connection broke" if code == 1006 else found.name), code)
