"""TLS of the listeners: what is spoken, and a certificate that can be changed while it runs."""

import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Final

from incident_manager.http.config import SettingsError
from incident_manager.http.settings import Settings

__all__ = ["ALPN", "RenewableContext", "server_context"]

ALPN: Final = ("h2", "http/1.1")
"""The protocols offered, the preferred one first (RFC 7301)."""

_CIPHERS: Final = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""For TLS 1.2: ephemeral keys and authenticated encryption only (RFC 9325, section 4.2; RFC 9113,
section 9.2.2). Those of TLS 1.3 are all of that kind."""


def server_context(settings: Settings) -> ssl.SSLContext:
    """TLS 1.2 or newer with the certificate that ``server.tls_cert`` and ``server.tls_key`` name.

    Raises:
        SettingsError: a file cannot be read, or the two are no certificate and its key.
    """
    cert, key = settings.server.tls_cert, settings.server.tls_key
    assert cert is not None and key is not None  # noqa: S101, PT018 -- the settings' own rule
    for name, path in (("tls_cert", cert), ("tls_key", key)):
        try:
            Path(path).read_bytes()
        except OSError as error:
            raise SettingsError(f"server.{name}: cannot read {path!r}: {error.strerror}") from error
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(_CIPHERS)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols(list(ALPN))
    try:
        # With a password given, OpenSSL does not ask for one on the terminal.
        context.load_cert_chain(cert, key, password="")  # nosec B106
    except OSError as error:  # of which ssl.SSLError is one
        why = getattr(error, "reason", None) or error.strerror or "no PEM"
        raise SettingsError(
            "server.tls_cert and server.tls_key are not a certificate and its unencrypted key"
            f" ({why})"
        ) from error
    return context


class RenewableContext(ssl.SSLContext):
    """A context in whose place another one serves the connections: the one made last.

    To load another certificate into a context in use would leave the old one in it where the kinds
    of their keys differ, and could fail in the middle. So each is whole before it serves, and a
    connection keeps the one it began with.
    """

    _make: Callable[[], ssl.SSLContext]
    _current: ssl.SSLContext

    def __new__(cls, make: Callable[[], ssl.SSLContext]) -> "RenewableContext":
        """Make the first; raises what ``make`` raises."""
        self = super().__new__(cls, ssl.PROTOCOL_TLS_SERVER)
        self._make = make
        self._current = make()
        return self

    def renew(self) -> None:
        """Make another; raises what ``make`` raises, and then the one before serves on."""
        self._current = self._make()

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """See :meth:`ssl.SSLContext.wrap_bio`; it is the current one's."""
        return self._current.wrap_bio(incoming, outgoing, server_side, server_hostname, session)
