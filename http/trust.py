"""Which tokens the settings trust: one algorithm, and one place that its keys come from.

Pure functions of the settings; nothing is read or fetched here.
"""

from enum import Enum
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from attrs import frozen

from incident_manager.http.sections import AuthSettings

__all__ = ["KeySource", "TokenTrust", "check_url", "token_trust"]

_SOURCES: Final = ("jwt_secret", "jwt_public_key", "jwks_url")
_OF_TOKENS: Final = ("jwt_algorithm", "audience", "roles_claim", "scope_roles")


class KeySource(Enum):
    """Where the key of a token comes from."""

    SECRET = "jwt_secret"  # noqa: S105 -- the name of a setting  # nosec B105
    FILE = "jwt_public_key"
    KEY_SET = "jwks_url"
    DISCOVERY = "issuer"
    """The issuer alone: OpenID Connect Discovery 1.0."""


@frozen
class TokenTrust:
    """The one algorithm, and what else must be right. ``issuer`` and ``audience``: None for any."""

    source: KeySource
    algorithm: str
    issuer: str | None
    audience: str | None

    @property
    def remote(self) -> bool:
        """Whether a key server has the keys."""
        return self.source in (KeySource.KEY_SET, KeySource.DISCOVERY)


def token_trust(auth: AuthSettings) -> TokenTrust | None:
    """Which tokens are taken; None for none at all.

    Raises:
        ValueError: the settings do not go together; the text begins with the one to blame.
    """
    given = [name for name in _SOURCES if getattr(auth, name) is not None]
    if len(given) > 1:
        raise ValueError(f"auth.{given[1]} and auth.{given[0]} do not go together: give one")
    source = KeySource(given[0]) if given else KeySource.DISCOVERY
    if not given and auth.issuer is None:
        needless = next((name for name in _OF_TOKENS if getattr(auth, name)), None)
        if needless is not None:
            raise ValueError(
                f"auth.{needless} needs a key that verifies tokens: auth.jwt_secret,"
                " auth.jwt_public_key, auth.jwks_url or auth.issuer"
            )
        return None
    usual = "HS256" if source is KeySource.SECRET else "RS256"
    algorithm = auth.jwt_algorithm or usual
    # RFC 8725 section 3.1: a public key must never be able to pass for a secret.
    if (algorithm == "HS256") != (source is KeySource.SECRET):
        goes = "takes HS256 only" if source is KeySource.SECRET else "does not go with HS256"
        raise ValueError(f"auth.jwt_algorithm {algorithm}: auth.{source.value} {goes}")
    if source is KeySource.KEY_SET:
        _check_setting("jwks_url", auth.jwks_url or "")
    elif source is KeySource.DISCOVERY:
        _check_setting("issuer", auth.issuer or "")
    return TokenTrust(source, algorithm, auth.issuer, auth.audience)


def _check_setting(name: str, url: str) -> None:
    try:
        check_url(url, query=name == "jwks_url")
    except ValueError as error:
        raise ValueError(f"auth.{name} {error}") from error


def check_url(url: str, *, query: bool = True) -> None:
    """Make sure that keys fetched from ``url`` are those of whom it names.

    https, or http to this very machine: who can change what comes over the network in the clear
    could make keys of its own.

    Raises:
        ValueError: it is not such a URL. The text does not repeat it.
    """
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise ValueError("is not a URL") from error
    if not host or parts.scheme not in ("http", "https") or not url.isprintable() or " " in url:
        raise ValueError("is not a URL (https://…)")
    if parts.username is not None or parts.fragment or (parts.query and not query):
        raise ValueError("must not have a user, a fragment" + ("" if query else ", or a query"))
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("must be https: http is for this machine (localhost) only")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
