"""The path that a request is for, of what stands in its first line (RFC 9112, section 3.2)."""

import re
from typing import Final

__all__ = ["path_of"]

_HOST: Final = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://[^/]*")


def path_of(path: str) -> str:
    """The path, of ASGI's ``path``, which may have a scheme and a host before it; it begins with
    a slash. What is no path at all becomes one at which there is nothing.
    """
    if path.startswith("/"):
        return path
    host = _HOST.match(path)
    if host is None:
        return f"/{path or '?'}"
    return path[host.end() :] or "/"
