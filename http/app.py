"""The application: one ASGI callable around the actor system, the WebSocket door, and Quart.

``create_app()`` serves under ``incident-manager serve`` and under plain ``hypercorn`` alike: the
system runs in the lifespan.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from functools import partial
from typing import Any

import trio
from attrs import frozen

from incident_manager.actors.journal.base import Journal, OpenJournal
from incident_manager.actors.journal.keeper import Retention
from incident_manager.actors.journal.memory import MemoryStore, open_memory
from incident_manager.actors.journal.sqlite import open_sqlite
from incident_manager.actors.system import SystemSettings, open_system
from incident_manager.http import sse
from incident_manager.http.auth import Authenticator
from incident_manager.http.config import process_settings
from incident_manager.http.connection import close_connections, close_revoked
from incident_manager.http.direct import Direct
from incident_manager.http.forwarded import see_through
from incident_manager.http.garbage import Sweeper
from incident_manager.http.gateway import Gateway, Phase
from incident_manager.http.logs import configure_logging
from incident_manager.http.proxies import Trust
from incident_manager.http.pulse import Pulse
from incident_manager.http.settings import Settings
from incident_manager.http.target import route_of
from incident_manager.http.transport import Guard, install
from incident_manager.http.upgrade import websocket
from incident_manager.http.volley import Volley
from incident_manager.http.web import ROUTES, access_table, create_quart
from incident_manager.schema.projector import GraphQLProjector
from incident_manager.supervision import NodeState, StartFailed, SupervisorGaveUp

__all__ = ["Application", "create_app"]

_log = logging.getLogger(__name__)
_LAST_CLOSES = 1.0  # seconds over which plain Hypercorn's clients are closed: it gives them 3
_CUT_OFF = 2.5  # seconds after which whoever is still there is cut off
_LISTENS = ("host", "http_port", "unix_socket", "tls_cert", "tls_key")
_START_UP = 2.0  # seconds that start-up waits for the journal, so that a refusal is seen at once

Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


@frozen
class _Sources:
    """What projections read relations from."""

    journal: Journal


def journal_opener(settings: Settings) -> Callable[[], OpenJournal]:
    """How to open the journal that ``state.url`` names, again after each crash."""
    path = settings.state.path
    if path is None:
        store = MemoryStore()
        return lambda: open_memory(store)
    return lambda: open_sqlite(path)


def system_settings(settings: Settings) -> SystemSettings:
    """What the core must be told, from the settings."""
    return SystemSettings(
        window=round(settings.processing.deduplication_window_secs * 1_000_000),
        retention=Retention(
            settings.state.retention_days,
            settings.state.retention_events,
            settings.state.audit_retention_days,
        ),
    )


class Application:
    """The ASGI callable; ``gateway`` is made when the lifespan begins (inside Trio).

    ``guard`` is what its connections under Hypercorn are held by; ``direct``, once there is a
    gateway, answers what need not go through Quart. Where the process is for this alone, the
    ``sweeper`` may begin. ``unused`` are settings that
    somebody gave to no effect: the log says so.
    """

    def __init__(self, settings: Settings, unused: Sequence[str] = ()) -> None:
        self.settings = settings
        self.unused = unused
        volley = Volley(wanted=settings.server.io_uring)
        self.guard = Guard(
            settings.limits.stall_timeout,
            Trust.parse(settings.server.trusted_proxies),
            Pulse(
                settings.server.ping_interval,
                settings.server.pong_timeout,
                together=volley.together,
            ),
            compression=settings.server.compression,
            volley=volley,
        )
        self.sweeper = Sweeper(lambda: self.guard.ended, lambda: len(self.guard))
        self._gateway: Gateway | None = None
        self._http: Any = None
        self.direct: Direct | None = None

    @property
    def gateway(self) -> Gateway:
        """The shared state of its doors."""
        if self._gateway is None:
            self._gateway = Gateway(
                self.settings, Authenticator.from_settings(self.settings), guard=self.guard
            )
            self._gateway.authenticator.on_change = partial(close_revoked, self._gateway)
            self._http = create_quart(self._gateway)
            self.direct = Direct(self._gateway, ROUTES, access_table(self._gateway))
        return self._gateway

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one ASGI scope."""
        gateway = self.gateway
        if scope["type"] == "lifespan":
            await self._lifespan(gateway, receive, send)
            return
        route = route_of(scope)
        scope["path"] = scope.get("root_path", "") + route  # Quart takes the one off the other
        # Where a wrong Host is refused, a page that rebinds a name may also say it forwards.
        known = not self.settings.open or self.settings.server.insecure
        see_through(scope, self.guard.trusted, host=known)
        if scope["type"] == "websocket":
            await websocket(gateway, scope, receive, send)
        elif route == sse.PATH:
            await sse.event_stream(gateway, self._http, scope, receive, send)
        else:
            await self._http(scope, receive, send)

    async def _lifespan(self, gateway: Gateway, receive: Receive, send: Send) -> None:
        configure_logging(
            self.settings.observability.log_level,
            json_logs=self.settings.observability.json_logs,
            secrets=self.settings.secrets(),
        )
        if self.unused:
            names = ", ".join(self.unused)
            _log.warning("the server that runs this application does not use %s", names)
        await receive()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_system, gateway)
            # Probes are answered while a large journal recovers; a refused one is said here.
            with trio.move_on_after(_START_UP):
                await gateway.settled.wait()
            if gateway.phase is Phase.FAILED:
                await send({"type": "lifespan.startup.failed", "message": gateway.failure})
                return
            await send({"type": "lifespan.startup.complete"})
            async with trio.open_nursery() as beside:
                beside.start_soon(self._follow, gateway)
                await receive()
                beside.cancel_scope.cancel()
            gateway.drain()
            gateway.stop.set()
        await send({"type": "lifespan.shutdown.complete"})

    async def _follow(self, gateway: Gateway) -> None:
        """Under plain Hypercorn nobody else says to the clients that the server stops, nor ends
        what Hypercorn writes to them, which it shields from its own end.
        """
        await self.guard.terminated()
        over = trio.current_time() + _CUT_OFF
        gateway.drain()
        await close_connections(gateway, _LAST_CLOSES)
        await trio.sleep_until(over)
        await self.guard.cut_off()

    async def _run_system(self, gateway: Gateway) -> None:
        try:
            async with open_system(
                journal_opener(self.settings),
                lambda journal: GraphQLProjector(_Sources(journal)),
                system_settings(self.settings),
                beside=(
                    *gateway.authenticator.children(),
                    *self.guard.pulse.children(),
                    *self.guard.volley.children(),
                    *self.sweeper.children(),
                ),
                together=self.guard.volley.together,
            ) as system:
                gateway.system = system
                if gateway.phase is Phase.RECOVERING:
                    gateway.phase = Phase.READY
                gateway.settled.set()
                # Hypercorn runs the listeners; the tree only shows them.
                listener = system.tree.place("listener", "listener", None)
                listener.begin(NodeState.RUNNING)
                listener.stats = gateway.figures
                await gateway.stop.wait()
                listener.mark(NodeState.STOPPED)
        except (StartFailed, SupervisorGaveUp) as failed:
            gateway.fail(_reason(failed))
            if gateway.mistake is None:
                _log.critical("the system has failed", exc_info=failed)


def _reason(failed: BaseException) -> BaseException:
    """What has happened, below what the supervisors say of it."""
    cause = failed
    while isinstance(cause, StartFailed | SupervisorGaveUp) and cause.__cause__ is not None:
        cause = cause.__cause__
    return cause


def create_app(settings: Settings | None = None) -> Application:
    """The application; without settings those of the environment and ``LIM_CONFIG``, of which
    the ones that say where to listen are for ``incident-manager serve`` alone.

    Raises :class:`SettingsError` where they are wrong.
    """
    install()
    if settings is not None:
        return Application(settings)
    found, usual = process_settings(), Settings()
    unused = [
        name for name in _LISTENS if getattr(found.server, name) != getattr(usual.server, name)
    ]
    return Application(found, [f"server.{name}" for name in unused])
