"""Cross-origin requests of pages (Fetch Standard, section 3.2 "HTTP CORS protocol").

The server takes no cookies and no credentials that a browser would add by itself, so
``Access-Control-Allow-Credentials`` is never sent, and ``*`` may stand for every origin.
"""

import re
from collections.abc import Iterable
from typing import Final

from attrs import frozen

from incident_manager.http.lines import Named

__all__ = ["ALLOWED_HEADERS", "EXPOSED_HEADERS", "METHODS", "Cors", "read_origin"]

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH")
"""What a page may send, beyond what it may send anyhow."""

ALLOWED_HEADERS: Final = (
    "Accept",
    "Authorization",
    "Cache-Control",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Last-Event-ID",
    "X-API-Key",
    "X-GraphQL-Event-Stream-Token",
    "X-Requested-With",
    "traceparent",
    "tracestate",
)
"""What a page may set. ``Authorization`` is never covered by a ``*``, so all are named."""

EXPOSED_HEADERS: Final = (
    "Allow",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "WWW-Authenticate",
)
"""What a page may read of an answer, besides what it may read anyhow."""

MAX_AGE: Final = 7200
"""Seconds that a browser may keep what a preflight was told: more is cut down by Chromium."""

_EVERY: Final = "*"
_SHARED: Final = ("/graphql", "/v1", "/health", "/metrics")
_ORIGIN: Final = re.compile(
    r"(?P<scheme>[a-z][a-z0-9+.-]*)://(?P<host>[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::(?P<port>[0-9]{1,5}))?"
)
_USUAL: Final = {"http": 80, "https": 443}


def read_origin(text: str) -> str:
    """An origin as browsers send it (RFC 6454, section 6.2); ``*`` is every one.

    Letters are made small, and the usual port is left out. Raises ValueError for what is no
    origin: one has a scheme, a host and perhaps a port, and no path. ``null`` is not taken: any
    page can have that one.
    """
    if text == _EVERY:
        return text
    found = _ORIGIN.fullmatch(text.lower().removesuffix("/"))
    port = None if found is None or found["port"] is None else int(found["port"])
    if found is None or (port is not None and not 0 < port < 65536):
        raise ValueError(f"has {text[:80]!r}, which is no origin (https://app.example.org)")
    usual = port is None or port == _USUAL.get(found["scheme"])
    return f"{found['scheme']}://{found['host']}" + ("" if usual else f":{port}")


@frozen
class Cors:
    """Which origins' pages may ask, and read the answers. ``origins`` are of :func:`read_origin`;
    without any, no page of another origin may.
    """

    origins: frozenset[str] = frozenset()

    @classmethod
    def of(cls, origins: Iterable[str]) -> "Cors":
        """Of the setting's values."""
        return cls(frozenset(origins))

    def permits(self, origin: str | None, path: str) -> bool:
        """Whether a page of ``origin`` (the header) may have what lies at ``path``."""
        if origin is None or not any(path == it or path.startswith(f"{it}/") for it in _SHARED):
            return False
        return _EVERY in self.origins or origin in self.origins

    def preflight(self, method: str, headers: Named, path: str) -> bool:
        """Whether a request is the question before another one, of a page that may ask."""
        return (
            method == "OPTIONS"
            and "Access-Control-Request-Method" in headers
            and self.permits(headers.get("Origin"), path)
        )

    def granted(self, origin: str | None, path: str) -> dict[str, str]:
        """The headers of every answer, so that the page may read it."""
        if not self.permits(origin, path):
            return {}
        own = _EVERY if _EVERY in self.origins else str(origin)
        return {
            "Access-Control-Allow-Origin": own,
            "Access-Control-Expose-Headers": ", ".join(EXPOSED_HEADERS),
        }

    @property
    def varies(self) -> bool:
        """Whether answers depend on ``Origin`` (Fetch, "CORS protocol and HTTP caches")."""
        return bool(self.origins) and _EVERY not in self.origins

    @staticmethod
    def answer() -> dict[str, str]:
        """The headers of the answer to a preflight, besides those of every answer."""
        return {
            "Access-Control-Allow-Methods": ", ".join(METHODS),
            "Access-Control-Allow-Headers": ", ".join(ALLOWED_HEADERS),
            "Access-Control-Max-Age": str(MAX_AGE),
        }
