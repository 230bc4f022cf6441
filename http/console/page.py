"""The files of the console: one page, and the parts that it names."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Final

from quart_trio.wrappers import TrioResponse
from werkzeug.exceptions import NotFound

from incident_manager.http.rest.conditional import conditional

__all__ = ["PARTS", "part", "shell"]

PARTS: Final = "/console/<name>"

_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {".css": "text/css", ".html": "text/html", ".js": "text/javascript"}
)
_PAGE: Final = "console.html"


@cache
def _files() -> Mapping[str, bytes]:
    """Every file by its name, read once."""
    found = (Path(__file__).parent / "assets").iterdir()
    return {each.name: each.read_bytes() for each in found if each.suffix in _TYPES}


async def shell() -> TrioResponse:
    """The page, the same for everybody: it asks for data with the token of whoever looks."""
    return await _answer(_PAGE)


async def part(name: str) -> TrioResponse:
    """A script or a style of the page."""
    if name == _PAGE or name not in _files():
        raise NotFound
    return await _answer(name)


async def _answer(name: str) -> TrioResponse:
    media_type = _TYPES[Path(name).suffix]
    response = TrioResponse(_files()[name], content_type=f"{media_type}; charset=utf-8")
    return await conditional(response)
