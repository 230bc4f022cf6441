"""``serve``: the application on Hypercorn, from the first signal to the exit code."""

import logging
import signal
import sys
from collections.abc import AsyncIterator, Callable

import trio
from hypercorn.trio import serve as hypercorn_serve
from hypercorn.utils import LifespanFailureError

from incident_manager.http.app import Application, create_app
from incident_manager.http.config import SettingsError
from incident_manager.http.connection import close_connections
from incident_manager.http.descriptors import raise_limit
from incident_manager.http.gateway import Gateway, Phase
from incident_manager.http.listeners import Listeners, listeners
from incident_manager.http.settings import Settings

__all__ = ["serve"]

_log = logging.getLogger(__name__)
_LAME_DUCK = 1.0  # seconds, at least, that probes are answered 503 before the listeners close
_LINGER = 3.0  # seconds, at most, that requests and closes have left after the last close is sent
_SWITCH = 0.001  # seconds that another thread, as the journal's writer, waits for the interpreter
_RESERVE = 2.0  # seconds, at most, of the grace period that are kept for the system's own end


def _configure(config: Listeners, settings: Settings) -> None:
    """Complete Hypercorn's settings by those that follow from ours."""
    config.graceful_timeout = _linger(settings)
    config.shutdown_timeout = settings.server.graceful_timeout
    # Of HTTP/2 it would end the whole connection, and the WebSockets on it.
    config.keep_alive_max_requests = sys.maxsize
    config.include_server_header = False
    config.websocket_max_message_size = settings.limits.message_bytes or 2**40
    config.errorlog = logging.getLogger("hypercorn.error")
    # Where it listens the first lines on the screen say, and "ready" when.
    config.errorlog.setLevel(logging.WARNING)
    config.loglevel = settings.observability.log_level.upper()


def _linger(settings: Settings) -> float:
    return min(_LINGER, settings.server.graceful_timeout / 2)


def _reserve(settings: Settings) -> float:
    return min(_RESERVE, settings.server.graceful_timeout / 4)


async def serve(
    settings: Settings,
    *,
    announce: Callable[[], None] = lambda: None,
    alone: bool = False,
    task_status: trio.TaskStatus[Gateway] = trio.TASK_STATUS_IGNORED,
) -> int:
    """Serve until SIGINT, SIGTERM or the failure of the system; the exit code.

    ``announce`` is called when it listens and the system is ready. Started then, with the gateway,
    or when the system has failed. ``alone`` says that the process is for nothing else, and its
    garbage collector can be set to that.

    0 after a signal, 1 where the supervisors gave up. A second signal ends at once what is left.
    SIGHUP has the certificate and the files of keys read again.

    Raises:
        SettingsError: the journal that ``state.url`` names cannot be used, nor can what it shall
            listen on, or the certificate.
    """
    limit = settings.server.max_connections
    files = raise_limit()
    if limit and files is not None and files < limit:
        _log.warning(
            "this process may have %d open files, fewer than server.max_connections (%d)",
            files,
            limit,
        )
    app = create_app(settings)
    gateway = app.gateway
    with (
        listeners(settings) as config,
        trio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals,
        trio.open_signal_receiver(signal.SIGHUP) as renewals,
    ):
        _configure(config, settings)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_watch, signals, gateway, nursery.cancel_scope)
            nursery.start_soon(_renew, renewals, config, gateway)

            def listens() -> None:
                if alone:
                    app.sweeper.begin()
                    sys.setswitchinterval(_SWITCH)
                announce()

            listening = _Listening(gateway, listens, task_status)
            nursery.start_soon(_cut_off, listening.over, app)
            try:
                await hypercorn_serve(
                    app,  # type: ignore[arg-type]
                    config,
                    shutdown_trigger=listening.run,
                )
            except* LifespanFailureError:
                if gateway.mistake is None:
                    raise
            nursery.cancel_scope.cancel()
    if gateway.mistake is not None:
        raise SettingsError(f"state.url: {gateway.mistake}")
    return 1 if gateway.phase is Phase.FAILED else 0


async def _watch(signals: AsyncIterator[int], gateway: Gateway, scope: trio.CancelScope) -> None:
    async for number in signals:
        name = signal.Signals(number).name
        if gateway.draining.is_set():
            _log.warning("%s again: ending now", name)
            scope.cancel()
            return
        _log.info("%s: stopping", name)
        gateway.drain()


async def _renew(signals: AsyncIterator[int], config: Listeners, gateway: Gateway) -> None:
    async for _ in signals:
        _log.info("SIGHUP")
        config.renew()
        gateway.authenticator.reload()


class _Listening:
    """The time between the listeners' opening and their closing."""

    def __init__(
        self,
        gateway: Gateway,
        announce: Callable[[], None],
        task_status: trio.TaskStatus[Gateway],
    ) -> None:
        self._gateway = gateway
        self._announce = announce
        self._task_status = task_status
        self.over = trio.Event()

    async def run(self) -> None:
        """Hypercorn's shutdown trigger: returns when it may close the listeners."""
        gateway = self._gateway
        if not gateway.settled.is_set():
            _log.info("opening the journal")
        await gateway.settled.wait()
        # Not before: a server that has to share its journal, or cannot read it, is none.
        if gateway.phase is not Phase.FAILED:
            self._announce()
        if gateway.ready:
            _log.info("ready")
        self._task_status.started(gateway)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(_first, gateway.draining, nursery.cancel_scope)
            nursery.start_soon(_first, gateway.ended, nursery.cancel_scope)
        gateway.drain()
        settings = gateway.settings
        longest = settings.server.graceful_timeout - _linger(settings) - _reserve(settings)
        window = min(settings.server.drain_window, longest)
        seen = trio.current_time() + min(_LAME_DUCK, window)
        await close_connections(gateway, window)
        if gateway.phase is Phase.DRAINING:
            # Load balancers are to see it go before connecting to it fails.
            await trio.sleep_until(seen)
        self.over.set()


async def _cut_off(over: trio.Event, app: Application) -> None:
    """Whatever a client does, it does not keep the server from its end."""
    await over.wait()
    await trio.sleep(_linger(app.settings))
    await app.guard.cut_off()


async def _first(event: trio.Event, scope: trio.CancelScope) -> None:
    await event.wait()
    scope.cancel()
