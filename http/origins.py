"""``Origin``: whether a page of somebody else has made a browser send a request."""

from typing import Final

from werkzeug.datastructures import Headers

__all__ = ["is_foreign"]

_OWN: Final = frozenset({"same-origin", "none"})


def is_foreign(headers: Headers) -> bool:
    """Whether a change that bears no body must be refused, as a foreign page may have sent it.

    Browsers say so in ``Sec-Fetch-Site`` (Fetch Metadata); older ones send an ``Origin`` that is
    not the ``Host``. What sends neither is no browser.
    """
    site = headers.get("Sec-Fetch-Site")
    if site is not None:
        return site not in _OWN
    origin = headers.get("Origin")
    if origin is None:
        return False
    return origin.rpartition("//")[2].lower() != (headers.get("Host") or "").lower()
