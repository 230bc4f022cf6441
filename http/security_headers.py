"""What every answer tells a browser not to do: one table.

After the OWASP HTTP Headers guide. What an answer says of itself stands.
"""

from collections.abc import Mapping
from ipaddress import ip_address
from types import MappingProxyType
from typing import Final

__all__ = ["EVERYWHERE", "PAGES", "TRANSPORT", "security_headers"]

EVERYWHERE: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Cache-Control": "no-store",
        "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Frame-Options": "DENY",
    }
)
"""On every answer: data, that no page may embed and no cache may keep."""

PAGES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
            "img-src 'self' data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        ),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": (
            "camera=(), display-capture=(), geolocation=(), microphone=(), payment=(), usb=()"
        ),
    }
)
"""On pages (``text/html``), over those of every answer: they run scripts of this server only."""

TRANSPORT: Final = ("Strict-Transport-Security", "max-age=31536000")
"""Under TLS, where the server has a name that is not this machine's own (RFC 6797): a year.

Subdomains may be other people's, so they are not included.
"""

_HTML: Final = "text/html"


def security_headers(
    media_type: str | None, *, secure: bool = False, host: str | None = None
) -> dict[str, str]:
    """The headers of an answer of that type.

    ``secure`` is whether its client speaks TLS, ``host`` the request's ``Host``.
    """
    page = (media_type or "").partition(";")[0].strip().lower() == _HTML
    found = {**EVERYWHERE, **PAGES} if page else dict(EVERYWHERE)
    if secure and not _is_local(host):
        found[TRANSPORT[0]] = TRANSPORT[1]
    return found


def _is_local(host: str | None) -> bool:
    """Whether ``host`` is this machine's name, or an address: browsers keep no HSTS of those, but
    tools do, and another service at ``localhost`` would then be out of reach.
    """
    name = (host or "").strip().lower()
    if name.startswith("["):
        return True
    name = name.partition(":")[0].removesuffix(".")
    if not name or name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
