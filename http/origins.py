"""``Origin``: whether a page of somebody else has made a browser send a request."""

from collections.abc import Collection
from typing import Final

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.http.lines import Named

__all__ = ["is_foreign", "is_stranger", "refuse_strangers"]

_ABROAD: Final = "Pages of another origin may not send this (server.cors_origins)."
_OWN: Final = frozenset({"same-origin", "none"})


def is_foreign(headers: Named) -> bool:
    """Whether a page of another origin has made a browser send this.

    Browsers say so in ``Sec-Fetch-Site`` (Fetch Metadata); older ones send an ``Origin`` that is
    not the ``Host``. What sends neither is no browser.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN
    return is_stranger(headers.get("Origin"), headers.get("Host"))


def refuse_strangers(headers: Named) -> None:
    """Raises Refused (FORBIDDEN, of ``Origin``) as :func:`is_foreign` says.

    This is for whatever changes something: a page can have a browser send forms, text and empty
    bodies anywhere without asking first (Fetch Standard, "CORS-safelisted request").
    """
    if is_foreign(headers):
        raise Refused(ErrorCode.FORBIDDEN, _ABROAD, "Origin")


def is_stranger(origin: str | None, host: str | None, allowed: Collection[str] = ()) -> bool:
    """Whether an ``Origin`` (RFC 6454) is neither the server's own nor one of ``allowed``.

    Browsers let any page open a WebSocket to any host, and send the page's origin with it; what
    sends none is no browser. ``*`` in ``allowed`` stands for all.
    """
    if origin is None or "*" in allowed:
        return False
    own = origin.rpartition("//")[2].lower() == (host or "").lower()
    return not own and origin.lower().rstrip("/") not in {o.lower().rstrip("/") for o in allowed}
