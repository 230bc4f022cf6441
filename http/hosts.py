"""``Host`` against DNS rebinding (contract, section 8): whom a request believes to speak to.

A web page may let its own name resolve to 127.0.0.1 and so have a browser ask an open server in
the page's name. An address, or ``localhost``, cannot be made to point anywhere else.
"""

import ipaddress
import re
from functools import lru_cache
from typing import Final

from incident_manager.http.settings import Settings

__all__ = ["is_rebound"]

_FORM: Final = re.compile(r"(?:\[(?P<six>[^\]]*)\]|(?P<name>[^:\[\]]*))(?::[0-9]*)?")


def is_rebound(settings: Settings, host: str | None) -> bool:
    """Whether a request with this ``Host`` must be refused.

    Never where callers say who they are, nor with ``server.insecure``: then the server is meant
    to be reached by other names. Without a Host it is no browser that asks.
    """
    return bool(host and _is_name(host) and settings.open and not settings.server.insecure)


@lru_cache(256)
def _is_name(host: str) -> bool:
    """Whether a ``Host`` is neither an address nor this machine's own name."""
    found = _FORM.fullmatch(host.strip())
    if found is None:
        return True
    name = (found["six"] or found["name"] or "").lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return False
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return True
    return False
