"""Where a client connects to, read from a URL."""

from urllib.parse import urlsplit

from attrs import frozen

__all__ = ["Endpoint"]

_PORTS = {"ws": 80, "wss": 443}


@frozen
class Endpoint:
    """The parts of a WebSocket URL: ``ws://host:port/path`` or ``wss://...``."""

    host: str
    port: int
    resource: str
    tls: bool

    @classmethod
    def parse(cls, url: str) -> "Endpoint":
        """Read a URL.

        Raises:
            ValueError: it is none of ``ws`` or ``wss`` with a host, or it has credentials in it
                (they would end up in logs; give ``token=``).
        """
        parts = urlsplit(url)
        if parts.scheme not in _PORTS or not parts.hostname:
            raise ValueError(f"{url!r} is not a URL like ws://host:8080/graphql/ws")
        if parts.username is not None:
            raise ValueError("a URL with credentials in it is not taken: give a token")
        resource = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        port = parts.port or _PORTS[parts.scheme]
        return cls(parts.hostname, port, resource, parts.scheme == "wss")

    @property
    def authority(self) -> str:
        """What goes into ``Host``: the port is left out where it is the scheme's own."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        own = self.port == _PORTS["wss" if self.tls else "ws"]
        return host if own else f"{host}:{self.port}"
