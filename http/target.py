"""The path that a request is for, of what stands in its first line (RFC 9112, section 3.2)."""

import re
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["path_of", "route_of"]

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


def route_of(scope: Mapping[str, Any]) -> str:
    """What our routes are held against: ASGI's ``path`` without its ``root_path``, which stands
    before it (ASGI, HTTP connection scope); it begins with one slash, as the router reads it.

    What is not below the ``root_path`` becomes a path at which there is nothing.
    """
    path, root = path_of(scope["path"]), scope.get("root_path", "").rstrip("/")
    inner = path.removeprefix(root)
    if not path.startswith(root) or not inner.startswith("/"):
        return "/?"
    return f"/{inner.lstrip('/')}"
