"""The page of the actor tree: a shell without data, which fetches with its reader's own token."""

from pathlib import Path
from typing import Final

from quart import request
from quart_trio.wrappers import TrioResponse
from werkzeug.exceptions import NotFound

__all__ = ["asset", "is_shell", "shell"]

_ASSETS: Final = Path(__file__).parent / "assets"
_TYPES: Final = {
    "actors.css": "text/css; charset=utf-8",
    "actors.js": "text/javascript; charset=utf-8",
    "bars.js": "text/javascript; charset=utf-8",
    "rates.js": "text/javascript; charset=utf-8",
    "renew.js": "text/javascript; charset=utf-8",
}
_PAGES: Final = ("GET /debug/actors", "GET /debug/actors/<actor_id>")
_HTML: Final = "text/html"
_HEADERS: Final = {"Vary": "Accept"}


def is_shell() -> bool:
    """Whether the current request is a browser's, for the page: it needs no token.

    Everything else (curl, scripts, the page's own requests) gets data, and needs one.
    """
    if request.endpoint not in _PAGES:
        return False
    quality = request.accept_mimetypes.quality
    return quality(_HTML) > max(quality("application/json"), quality("text/event-stream"))


def shell() -> TrioResponse:
    """The page, the same for everybody."""
    body = (_ASSETS / "actors.html").read_bytes()
    return TrioResponse(body, 200, _HEADERS, content_type=f"{_HTML}; charset=utf-8")


async def asset(name: str) -> TrioResponse:
    """A part of the page."""
    if name not in _TYPES:
        raise NotFound
    body = (_ASSETS / name).read_bytes()
    return TrioResponse(body, content_type=_TYPES[name])
