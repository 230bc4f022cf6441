"""What the server listens on, for Hypercorn: TCP or a Unix socket, with TLS or without."""

import logging
import ssl
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from socket import (
    AF_INET,
    AF_INET6,
    IPPROTO_TCP,
    SO_REUSEADDR,
    SOL_SOCKET,
    TCP_NODELAY,
    AddressFamily,
    socket,
)

from hypercorn.config import Config, Sockets

from incident_manager.http.address import why
from incident_manager.http.config import SettingsError
from incident_manager.http.settings import Settings
from incident_manager.http.tls import RenewableContext, server_context
from incident_manager.http.unix_socket import unix_listener

__all__ = ["Listeners", "listeners"]

_log = logging.getLogger(__name__)
_BACKLOG = 4096


class Listeners(Config):
    """Hypercorn's settings, which say where it listens; ``unix`` is the socket if it is one."""

    def __init__(self, settings: Settings, unix: socket | None) -> None:
        super().__init__()
        server = settings.server
        self._unix = unix
        self._settings = settings
        self._tls: RenewableContext | None = None
        self.backlog = _BACKLOG
        self.bind = list(settings.binds())
        self.certfile = server.tls_cert
        self.keyfile = server.tls_key
        if self.ssl_enabled:
            self._tls = RenewableContext(lambda: server_context(settings))

    def create_ssl_context(self) -> ssl.SSLContext | None:
        """The context of all connections to come, which :meth:`renew` changes."""
        return self._tls

    def create_sockets(self) -> Sockets:
        """Listen. Raises SettingsError where something else has taken an address meanwhile."""
        ours = _listen(self.bind) if self._unix is None else [self._unix]
        return Sockets(ours, [], []) if self.ssl_enabled else Sockets([], ours, [])

    def renew(self) -> None:
        """Read the certificate and its key again, for the connections to come.

        Where they cannot be used the log says so, and the ones in use are kept.
        """
        if self._tls is None:
            _log.info("there is no certificate to read again: server.tls_cert is not set")
            return
        try:
            self._tls.renew()
        except SettingsError as error:
            _log.error("%s; the certificate in use is kept", error)
        else:
            _log.info("read the certificate again, for new connections")


def _listen(binds: Sequence[str]) -> list[socket]:
    with ExitStack() as failed:
        found = [failed.enter_context(socket(_family(bind))) for bind in binds]
        for bind, sock in zip(binds, found, strict=True):
            host, _, port = bind.rpartition(":")
            sock.setsockopt(SOL_SOCKET, SO_REUSEADDR, 1)
            sock.setsockopt(IPPROTO_TCP, TCP_NODELAY, 1)
            try:
                sock.bind((host.strip("[]"), int(port)))
                sock.listen(_BACKLOG)
            except OSError as error:
                raise SettingsError(
                    f"cannot listen on {bind} (server.http_port): {why(error)}"
                ) from error
        failed.pop_all()
    return found


def _family(bind: str) -> AddressFamily:
    return AF_INET6 if bind.startswith("[") else AF_INET


@contextmanager
def listeners(settings: Settings) -> Iterator[Listeners]:
    """Make sure of what the server is to listen on.

    Raises:
        SettingsError: the Unix socket cannot be had, or the certificate cannot be used.
    """
    path = settings.server.unix_socket
    with ExitStack() as stack:
        unix = None
        if path is not None:
            try:
                unix = stack.enter_context(unix_listener(path))
            except OSError as error:
                raise SettingsError(
                    f"cannot listen on {path} (server.unix_socket): {error.strerror or error}"
                ) from error
        yield Listeners(settings, unix)
