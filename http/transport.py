"""The seam to Hypercorn's connections: none of them can hold the server up, or pull it down.

:func:`install` puts it in, for ``incident-manager serve`` and plain ``hypercorn`` alike. The parts
are in ``hypercorn_tcp``, ``hypercorn_h11``, ``hypercorn_h2``, ``hypercorn_handshake`` and
``hypercorn_ws``, which reach into Hypercorn (and ``websocket_frames`` into wsproto).
"""

import importlib
import logging
import math
import pkgutil
from collections.abc import Iterable
from typing import Final

import trio
from hypercorn.trio.worker_context import WorkerContext

from incident_manager.http.guarded_socket import GuardedSocket
from incident_manager.http.proxies import NOBODY, Trust
from incident_manager.http.pulse import Pulse
from incident_manager.http.volley import Volley

__all__ = ["Guard", "Stream", "guard_of", "install", "missing"]

_log = logging.getLogger(__name__)

Stream = trio.SSLStream[trio.SocketStream]

_PUT_IN: Final = {
    "hypercorn.trio.run:TCPServer": "hypercorn_tcp:GuardedServer",
    "hypercorn.protocol:H2Protocol": "hypercorn_h2:GuardedH2",
    "hypercorn.protocol:H11Protocol": "hypercorn_h11:GuardedH11",
    "hypercorn.protocol.h2:StreamBuffer": "hypercorn_h2:BoundedBuffer",
    "hypercorn.protocol.h2:WSStream": "hypercorn_ws:BoundedWebSocket",
    "hypercorn.protocol.h11:WSStream": "hypercorn_ws:BoundedWebSocket",
}
_RELIED_ON: Final = (
    *_PUT_IN,
    "hypercorn.app_wrappers:ASGIWrapper",
    "hypercorn.protocol:ProtocolWrapper",
    "hypercorn.trio.tcp_server:MAX_RECV",
    "hypercorn.trio.task_group:TaskGroup.spawn_app",
    "hypercorn.protocol.ws_stream:ASGIWebsocketState",
    "hypercorn.protocol.ws_stream:WSStream.handle",
    "wsproto.connection:Connection.events",
    "hypercorn.trio.tcp_server:TCPServer.protocol_send",
    "hypercorn.trio.tcp_server:TCPServer._close",
    "hypercorn.trio.tcp_server:TCPServer._read_data",
    "hypercorn.trio.tcp_server:TCPServer._initiate_server_close",
    "hypercorn.trio.task_group:TaskGroup.spawn",
    "hypercorn.utils:parse_socket_addr",
    "hypercorn.trio.tcp_server:TCPServer._idle_timeout",
    "hypercorn.protocol.ws_stream:WSStream._handle_events",
    "hypercorn.protocol.ws_stream:WSStream._send_wsproto_event",
    "hypercorn.protocol.ws_stream:WSStream._send_error_response",
    "hypercorn.protocol.ws_stream:WSStream.app_send",
    "hypercorn.protocol.ws_stream:WSStream._accept",
    "hypercorn.protocol.ws_stream:Handshake.accept",
    "hypercorn.protocol.h2:BUFFER_HIGH_WATER",
    "hypercorn.protocol.h2:BUFFER_LOW_WATER",
    "hypercorn.protocol.h2:BufferCompleteError",
    "hypercorn.protocol.h2:StreamBuffer.push",
    "hypercorn.protocol.h2:StreamBuffer.pop",
    "hypercorn.protocol.h2:StreamBuffer.close",
    "hypercorn.protocol.h2:H2Protocol.initiate",
    "hypercorn.protocol.h2:H2Protocol.stream_send",
    "hypercorn.protocol.h2:H2Protocol._send_data",
    "hypercorn.protocol.h2:H2Protocol._handle_events",
    "hypercorn.protocol.h2:HTTPStream",
    "hypercorn.protocol.h2:StreamBuffer.drain",
    "hypercorn.utils:filter_pseudo_headers",
    "hypercorn.protocol.h2:H2Protocol._close_stream",
    "hypercorn.protocol.h2:H2Protocol._flush",
    "hypercorn.protocol.h11:H11WSConnection",
    "hypercorn.protocol.h11:H11Protocol._create_stream",
    "hypercorn.protocol.h11:H11Protocol._send_error_response",
    "hypercorn.protocol.h11:H11Protocol._handle_events",
    "hypercorn.protocol.h11:H11Protocol._maybe_recycle",
    "hypercorn.protocol.h11:H11Protocol.stream_send",
    "hypercorn.protocol.h11:STREAM_ID",
    "hypercorn.protocol.http_stream:HTTPStream.handle",
    "hypercorn.events:Updated",
)
"""What of Hypercorn 0.18 the parts replace, override or call."""


class Guard:
    """The open connections of one application.

    ``write_timeout`` is how long, in seconds, a write may make no progress: whoever takes nothing
    for so long is cut off, and ``stalled`` counts them. Who is ``trusted`` is believed for whom it
    speaks (a PROXY header). The ``pulse`` watches over clients of WebSockets. ``compression`` is
    whether they may have permessage-deflate. By the ``volley`` many of them are written to at once.
    ``ended`` counts those that have been.
    """

    __slots__ = (
        "_begun",
        "_context",
        "_sockets",
        "compression",
        "ended",
        "pulse",
        "stalled",
        "trusted",
        "volley",
        "write_timeout",
    )

    def __init__(
        self,
        write_timeout: float = math.inf,
        trusted: Trust = NOBODY,
        pulse: Pulse | None = None,
        *,
        compression: bool = False,
        volley: Volley | None = None,
    ) -> None:
        self.write_timeout = write_timeout
        self.trusted = trusted
        self.pulse = Pulse() if pulse is None else pulse
        self.compression = compression
        self.volley = Volley() if volley is None else volley
        self.stalled = 0
        self.ended = 0
        self._sockets: set[GuardedSocket] = set()
        self._begun = trio.Event()
        self._context: WorkerContext | None = None

    def has_stalled(self) -> None:
        """Somebody took nothing for too long, and is cut off."""
        self.stalled += 1

    def enter(self, socket: GuardedSocket, context: WorkerContext) -> None:
        """A connection begins."""
        self._sockets.add(socket)
        self._context = context
        self._begun.set()

    def leave(self, socket: GuardedSocket) -> None:
        """It has ended."""
        self._sockets.discard(socket)
        self.ended += 1

    def __len__(self) -> int:
        return len(self._sockets)

    async def terminated(self) -> None:
        """Wait until Hypercorn, for whatever reason, has begun to stop; of that it tells its
        connections and not the application.
        """
        await self._begun.wait()
        assert self._context is not None  # noqa: S101 -- set before the event
        await self._context.terminated.wait()

    async def cut_off(self) -> None:
        """Close every connection as it is: what is being written to it or read ends now."""
        with trio.CancelScope(shield=True):
            for socket in tuple(self._sockets):
                await trio.aclose_forcefully(socket)


def guard_of(app: object) -> Guard:
    """The guard of the application that Hypercorn has wrapped; a new one if it has none."""
    guard = getattr(getattr(app, "app", None), "guard", None)
    return guard if isinstance(guard, Guard) else Guard()


def missing(names: Iterable[str]) -> list[str]:
    """The names (``module:attribute``) that cannot be found."""
    return [name for name in names if not _is_there(name)]


def _is_there(name: str) -> bool:
    try:
        pkgutil.resolve_name(name)
    except (ImportError, AttributeError):
        return False
    return True


def install(relied_on: Iterable[str] = _RELIED_ON) -> bool:
    """Have Hypercorn's Trio worker use it; whether it does. Again is no harm.

    A Hypercorn that is not built as expected is left as it is, and a warning says so.
    """
    unknown: object = missing(relied_on)
    ours: dict[str, object] = {}
    if not unknown:
        try:
            for place, part in _PUT_IN.items():
                ours[place] = pkgutil.resolve_name(f"incident_manager.http.{part}")
        except (ImportError, AttributeError) as error:  # what a part imports is not there
            unknown = error
    if unknown:
        _log.warning(
            "this Hypercorn is not known: its connections are unguarded, and who reads nothing can "
            "hold the server up: %s",
            unknown,
        )
        return False
    for place, part_of_ours in ours.items():  # all or none
        module, _, name = place.partition(":")
        setattr(importlib.import_module(module), name, part_of_ours)
    return True
