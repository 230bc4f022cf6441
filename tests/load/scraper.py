"""A Prometheus beside the load: it scrapes the server again and again."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection

from load.server import Server

__all__ = ["Scraper", "scraping"]


class Scraper:
    """What the scrapes took, each in seconds, and the last answer."""

    def __init__(self, server: Server, interval: float) -> None:
        self._server = server
        self._interval = interval
        self._over = threading.Event()
        self._failure: Exception | None = None
        self.seconds: list[float] = []
        self.text = ""

    def run(self) -> None:
        """Scrape until told to stop."""
        try:
            while not self._over.is_set():
                began = time.monotonic()
                self._scrape()
                self.seconds.append(time.monotonic() - began)
                self._over.wait(self._interval)
        except Exception as failure:  # whoever stops it hears of it
            self._failure = failure

    def _scrape(self) -> None:
        connection = HTTPConnection("127.0.0.1", self._server.port, timeout=30)
        try:
            connection.request("GET", "/metrics")
            answer = connection.getresponse()
            self.text = answer.read().decode()
            if answer.status != 200:
                raise RuntimeError(f"a scrape was answered with {answer.status}")
        finally:
            connection.close()

    def stop(self) -> None:
        """No more scrapes. Raises what the last one failed of."""
        self._over.set()
        if self._failure is not None:
            raise RuntimeError(f"scraping failed: {self._failure}") from self._failure


@contextmanager
def scraping(server: Server, interval: float) -> Iterator[Scraper]:
    """Scrape every ``interval`` seconds inside the block; 0: never."""
    scraper = Scraper(server, interval)
    thread = threading.Thread(target=scraper.run, daemon=True)
    if interval:
        thread.start()
    yield scraper
    scraper.stop()
    if interval:
        thread.join(30)
