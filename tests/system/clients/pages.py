"""The samples of the client guide that are for browsers, each on a page of its own."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import trio

from system.clients.guide import typed, written
from system.clients.programs import CACHE, call, npm
from system.harness import Place

__all__ = ["Site", "site"]

_HERE = Path(__file__).parent
_PAGE = """<!doctype html>
<html lang="en">
<link rel="icon" href="data:,">
<title>A sample</title>
<div id="root"></div>
<script type="module" src="{script}"></script>
</html>
"""


class _Files(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 -- its base's name
        """Nobody reads it."""


class Site:
    """Where the developer's pages come from: another origin than the server's."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir()
        self.directory = directory
        self.server = ThreadingHTTPServer(
            ("127.0.0.1", 0), partial(_Files, directory=str(directory))
        )
        self.origin = f"http://127.0.0.1:{self.server.server_port}"

    def page(self, name: str, place: Place) -> str:
        """Make the page of a sample that talks to this server; its address."""
        script = _bundle(name, place) if name.endswith(".tsx") else written(name, place)
        shutil.copy(script, self.directory)
        (self.directory / "index.html").write_text(_PAGE.format(script=script.name))
        return f"{self.origin}/"


def _bundle(name: str, place: Place) -> Path:
    """Check the types of a sample, and put it into one file with what it stands on."""
    sample = typed(name, place)
    modules = npm(_HERE / "js", CACHE / "guide")
    shutil.copy(_HERE / "js" / "page.jsx", sample.parent)
    call(
        *("npx", "--offline", "esbuild", "page.jsx", "--bundle", "--format=esm"),
        *("--jsx=automatic", f"--alias:sample=./{name}", "--outfile=bundle.js"),
        *("--define:process.env.NODE_ENV='development'", "--log-level=warning"),
        cwd=sample.parent,
    )
    assert modules in sample.parents
    return sample.parent / "bundle.js"


@asynccontextmanager
async def site(directory: Path) -> AsyncIterator[Site]:
    """The site, served for as long as the block lasts."""
    made = Site(directory)
    with made.server:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(trio.to_thread.run_sync, made.server.serve_forever)
            try:
                yield made
            finally:
                # It returns when the loop in the other thread has ended.
                with trio.CancelScope(shield=True):
                    await trio.to_thread.run_sync(made.server.shutdown)
