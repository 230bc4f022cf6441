"""The sections of the settings: every name, type, default, range and help line, declared once.

These classes are the table that flags, ``LIM_*`` variables, TOML keys, ``--help``, the reference in
the documentation and the validation are made from (``settings.SETTINGS``). Contract section 9
fixes the names.
"""

from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Final

from attrs import field, frozen

from incident_manager.http.about import About
from incident_manager.http.limit_section import LimitSettings

__all__ = [
    "About",
    "AuthSettings",
    "BusSettings",
    "GraphqlSettings",
    "LimitSettings",
    "ObservabilitySettings",
    "ProcessingSettings",
    "ServerSettings",
    "StateSettings",
]

_KIB: Final = 1024
_MIB: Final = 1024 * _KIB
_DAY: Final = 86_400.0


@frozen(kw_only=True)
class ServerSettings:
    """Where and how the server listens."""

    host: Annotated[
        str | None,
        About(
            "Address to listen on, without a port. Unset: 127.0.0.1 and ::1. Anything but "
            "loopback needs credentials (auth.*) or server.insecure.",
            alias="--host",
        ),
    ] = None
    http_port: Annotated[
        int,
        About(
            "TCP port for everything. 0 takes a free port.",
            least=0,
            most=65535,
            alias="--port",
        ),
    ] = 8080
    unix_socket: Annotated[
        str | None,
        About("Path of a Unix socket to listen on, instead of server.host and http_port."),
    ] = None
    max_connections: Annotated[
        int, About("WebSockets and event streams at a time, then 503. 0: no limit.", least=0)
    ] = 10_000
    tls_cert: Annotated[
        str | None, About("PEM file of the certificate chain; together with server.tls_key.")
    ] = None
    tls_key: Annotated[
        str | None, About("PEM file of the private key; together with server.tls_cert.")
    ] = None
    graceful_timeout: Annotated[
        float,
        About("Longest time from SIGTERM to the exit.", least=0.1, most=_DAY, unit="s"),
    ] = 30.0
    drain_window: Annotated[
        float,
        About(
            "Closes (1001) of a shutdown are spread over this time, inside graceful_timeout.",
            least=0,
            most=_DAY,
            unit="s",
        ),
    ] = 10.0
    allowed_origins: Annotated[
        tuple[str, ...],
        About(
            "Origins whose pages may open WebSockets, besides the server's own; `*`: all. "
            "Requests are server.cors_origins'."
        ),
    ] = ()
    cors_origins: Annotated[
        tuple[str, ...],
        About(
            "Origins whose pages may send requests and read the answers (CORS), besides the "
            "server's own; `*`: all, not without credentials. WebSockets are "
            "server.allowed_origins'."
        ),
    ] = ()
    trusted_proxies: Annotated[
        tuple[str, ...],
        About(
            "Proxies, by address or network, or `unix` for all that come by the Unix socket: what "
            "they say of their client (Forwarded, X-Forwarded-For, a PROXY header) is believed.",
        ),
    ] = ()
    compression: Annotated[
        bool,
        About(
            "Accept permessage-deflate (RFC 7692) on WebSockets, without context takeover: an "
            "event is compressed once for all who subscribe to the same fields."
        ),
    ] = False
    io_uring: Annotated[
        bool,
        About(
            "Have what many clients are sent at once written by io_uring, where Linux offers it to "
            "this process (5.15 and later, x86-64, not forbidden)."
        ),
    ] = True
    ping_interval: Annotated[
        float,
        About(
            "Silence of a WebSocket client after which it is sent a ping, or up to a third sooner, "
            "and on an event stream after which a comment is sent. 0: none.",
            least=0,
            most=_DAY,
            unit="s",
        ),
    ] = 15.0
    pong_timeout: Annotated[
        float,
        About(
            "Time a client has to answer a WebSocket ping; then it is cut off.",
            least=0.1,
            most=_DAY,
            unit="s",
        ),
    ] = 20.0
    max_body_bytes: Annotated[
        int, About("Largest body of an HTTP request, then 413.", least=1 * _KIB)
    ] = 4 * _MIB
    insecure: Annotated[
        bool,
        About(
            "Listen beyond loopback without credentials: everyone who reaches it is ADMIN.",
            alias="--insecure",
        ),
    ] = False


@frozen(kw_only=True)
class AuthSettings:
    """Who may do what. With no credentials set at all the server is open."""

    jwt_secret: Annotated[
        str | None,
        About(
            "Secret of HS256 tokens, at least 32 bytes. Better given by LIM_AUTH_JWT_SECRET: "
            "a flag shows in the list of processes.",
            secret=True,
        ),
    ] = field(default=None, repr=False)
    jwt_public_key: Annotated[str | None, About("PEM file of the key that verifies tokens.")] = None
    jwt_algorithm: Annotated[
        str | None,
        About(
            "The one algorithm that tokens may be signed with. Unset: HS256 with "
            "auth.jwt_secret, else RS256.",
            choices=("HS256", "RS256", "ES256", "EdDSA"),
        ),
    ] = None
    jwks_url: Annotated[
        str | None,
        About("URL of the key set that verifies tokens: https, or http on this machine."),
    ] = None
    issuer: Annotated[
        str | None,
        About(
            "`iss` must equal it. Without a secret, a PEM file and a URL of keys it is an OIDC "
            "issuer that tells where its keys are."
        ),
    ] = None
    audience: Annotated[str | None, About("`aud` must be it, or hold it.")] = None
    roles_claim: Annotated[
        str | None,
        About(
            "Claim that holds the roles, or the path to it (`realm_access.roles`). Unset: `roles` "
            "and `role`. The highest role counts."
        ),
    ] = None
    scope_roles: Annotated[
        Mapping[str, str],
        About("Which role a scope (claim `scope` or `scp`) gives: scope to role."),
    ] = field(factory=lambda: MappingProxyType({}))
    api_keys: Annotated[
        Mapping[str, str],
        About(
            "API keys: name to role and hash, as `incident-manager api-key create` writes them.",
            secret=True,
        ),
    ] = field(factory=lambda: MappingProxyType({}), repr=False)
    api_keys_file: Annotated[
        str | None,
        About("File of API keys; `incident-manager api-key` writes it, the server follows it."),
    ] = None
    open_metrics: Annotated[bool, About("GET /metrics needs no token.")] = False


@frozen(kw_only=True)
class GraphqlSettings:
    """The GraphQL endpoint."""

    introspection: Annotated[bool, About("Answer introspection: `__schema` and `__type`.")] = True


@frozen(kw_only=True)
class StateSettings:
    """Where the journal lies and how long its events are kept."""

    url: Annotated[
        str,
        About(
            "`sqlite:///relative/path.db`, `sqlite:////absolute/path.db`, or `memory:` "
            "(everything is lost at the end).",
        ),
    ] = "sqlite:///incidents.db"
    retention_days: Annotated[
        float,
        About("Events older than this are trimmed. 0: kept.", least=0, most=36_500),
    ] = 30.0
    retention_events: Annotated[
        int, About("Events beyond this number are trimmed, oldest first. 0: kept.", least=0)
    ] = 1_000_000
    audit_retention_days: Annotated[
        float,
        About("Entries of the audit older than this are trimmed. 0: kept.", least=0, most=36_500),
    ] = 365.0

    @property
    def path(self) -> Path | None:
        """The SQLite file as it was given, or None for ``memory:``."""
        return None if self.url == "memory:" else Path(self.url.removeprefix("sqlite:///"))


@frozen(kw_only=True)
class BusSettings:
    """The bus between several servers."""

    url: Annotated[str | None, About("`redis://…`; unset: one server.", pending=True)] = None


@frozen(kw_only=True)
class ProcessingSettings:
    """How alerts become incidents."""

    deduplication_window_secs: Annotated[
        float,
        About(
            "An alert joins the active incident of its fingerprint created this long ago or "
            "less. 0: never.",
            least=0,
            most=3650 * _DAY,
            unit="s",
        ),
    ] = 900.0
    severity_map: Annotated[
        Mapping[str, str],
        About(
            "What the `severity` label of an alert means, in any case, besides the words known "
            "already: word to P0..P4.",
        ),
    ] = field(factory=lambda: MappingProxyType({}))
    drop_labels: Annotated[
        tuple[str, ...],
        About(
            "Globs of the names of labels, annotations and metadata that are not let in (`user*`)."
        ),
    ] = ()
    mask_labels: Annotated[
        tuple[str, ...],
        About("The same of names whose values are replaced by `[masked]`."),
    ] = ()


@frozen(kw_only=True)
class ObservabilitySettings:
    """What the server says of itself, on standard error."""

    log_level: Annotated[
        str,
        About(
            "Least level that is logged.",
            choices=("debug", "info", "warning", "error", "critical"),
        ),
    ] = "info"
    json_logs: Annotated[bool, About("One JSON object a line, for machines.")] = False
