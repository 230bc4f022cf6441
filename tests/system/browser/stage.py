"""A real browser: Debian's Chromium, driven from one thread of its own."""

import shutil
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, Final, TypeVar
from urllib.parse import urlsplit

import trio
from attrs import define, field
from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

__all__ = ["PATIENCE", "Stage", "Tab", "stage"]

T = TypeVar("T")

FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE: Final = 30_000.0
"""Milliseconds until what does not come is a failure."""


@define
class Tab:
    """A page, and all that it has complained of or asked another host for."""

    page: Page
    host: str
    complaints: list[str] = field(factory=list)
    abroad: list[str] = field(factory=list)

    def watch(self) -> None:
        self.page.on("console", lambda message: self._console(message))
        self.page.on("pageerror", lambda error: self.complaints.append(str(error)))
        self.page.on("request", lambda request: self._request(request))
        self.page.on("websocket", lambda socket: self._asked(socket.url))

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            self.complaints.append(message.text)

    def _request(self, request: Request) -> None:
        self._asked(request.url)

    def _asked(self, url: str) -> None:
        if not url.startswith("data:") and urlsplit(url).netloc != self.host:
            self.abroad.append(url)


@define
class Stage:
    """The browser. What is played on it runs in its own thread, one scene at a time."""

    _thread: ThreadPoolExecutor
    _browser: Browser

    async def play(
        self, scene: Callable[[Tab], T], url: str, *, upset: bool = False, **context: Any
    ) -> T:
        """Play a scene in a new tab, which has ``url`` open; what the scene answers.

        The tab must ask no other host for anything, and complain of nothing, unless it is to be
        ``upset`` (a browser reports a connection that fails by itself).
        """

        def play() -> T:
            within = self._browser.new_context(**context)
            try:
                tab = Tab(within.new_page(), urlsplit(url).netloc)
                tab.page.set_default_timeout(PATIENCE)
                tab.watch()
                tab.page.goto(url)
                played = scene(tab)
                assert not tab.abroad, tab.abroad
                assert upset or not tab.complaints, tab.complaints
                return played
            finally:
                within.close()

        return await trio.to_thread.run_sync(lambda: self._thread.submit(play).result())


@contextmanager
def stage() -> Iterator[Stage]:
    """A browser for as long as the block lasts."""
    chromium = shutil.which("chromium")
    assert chromium is not None, f"there is no chromium for {sys.executable}"
    with ThreadPoolExecutor(1) as thread:
        driver = thread.submit(lambda: sync_playwright().start()).result()
        try:
            browser = thread.submit(
                lambda: driver.chromium.launch(executable_path=chromium, args=FLAGS)
            ).result()
            try:
                yield Stage(thread, browser)
            finally:
                thread.submit(browser.close).result()
        finally:
            thread.submit(driver.stop).result()
