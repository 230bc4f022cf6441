"""The files of the playground: a page of ours, and the parts that npm packages are built into.

The parts are made by ``make playground`` and go into the wheel. Where they are missing, the page
says how to get them.
"""

import hashlib
import re
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

import trio
from attrs import frozen
from quart_trio.wrappers import TrioResponse
from werkzeug.exceptions import NotFound

from incident_manager.http.rest.conditional import conditional

__all__ = ["PARTS", "PATH", "POLICY", "part", "shell"]

PATH: Final = "/graphql/playground"
PARTS: Final = f"{PATH}/<name>"

POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; connect-src 'self'; "
    "font-src 'self'; img-src 'self' data:; worker-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'"
)
"""What the page may do: that of every page, and fonts, workers and the styles that its editor
writes into the document.
"""

_HERE: Final = Path(__file__).parent
_ASSETS: Final = _HERE / "assets"
_ENTRY: Final = "main.js"
_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        ".css": "text/css; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".ttf": "font/ttf",
        ".txt": "text/plain; charset=utf-8",
        ".woff": "font/woff",
        ".woff2": "font/woff2",
    }
)
_NAME: Final = re.compile(r"[A-Za-z0-9-]+(\.[a-z0-9]+)+")
_HASHED: Final = re.compile(r"(chunk|font)-")
"""How the names begin that tell the contents: such a file never changes."""
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@frozen
class _File:
    """A file as it is served."""

    body: bytes
    etag: str


async def shell() -> TrioResponse:
    """The page, the same for everybody: it asks for data with the token of whoever looks."""
    built = await trio.to_thread.run_sync((_ASSETS / _ENTRY).is_file)
    found = await _file(_HERE / ("playground.html" if built else "missing.html"))
    response = await _answer(found, "text/html; charset=utf-8")
    response.headers["Content-Security-Policy"] = POLICY
    return response


async def part(name: str) -> TrioResponse:
    """A script, a style or a font of the page; raises :class:`NotFound`."""
    media_type = _TYPES.get(Path(name).suffix)
    if media_type is None or _NAME.fullmatch(name) is None:
        raise NotFound
    try:
        found = await _file(_ASSETS / name)
    except OSError:
        raise NotFound from None
    response = await _answer(found, media_type)
    if _HASHED.match(name):
        response.headers["Cache-Control"] = _FOR_EVER
    return response


async def _file(path: Path) -> _File:
    """Some are large: neither reading nor hashing them is for the thread that serves."""
    return await trio.to_thread.run_sync(lambda: _read(path, path.stat().st_mtime_ns))


@lru_cache(maxsize=128)
def _read(path: Path, _changed: int) -> _File:
    body = path.read_bytes()
    return _File(body, hashlib.sha256(body).hexdigest()[:32])


async def _answer(found: _File, media_type: str) -> TrioResponse:
    response = TrioResponse(found.body, content_type=media_type)
    response.set_etag(found.etag)
    return await conditional(response)
