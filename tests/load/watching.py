"""What watching costs the server: its CPU with nobody looking, and with each of the pages open.

Over a thousand connections that are quiet, and then while some come and go.
"""

import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Final

import click
import trio
from playwright.sync_api import Page, expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from load.server import Server
from system.browser.stage import Stage, Tab, stage
from system.client import opened
from system.harness import ServerProcess, run

_STREAM: Final = "subscription { newIncidents { id title } }"
_COMING: Final = 5.0  # connections a second that come, and go


def _console(page: Page) -> None:
    expect(page.locator("im-status.open .word")).to_have_text("Live")


def _observer(page: Page) -> None:
    expect(page.locator("#chart")).to_contain_text("deliveries/s")


PAGES: Final[dict[str, tuple[str, Callable[[Page], None]]]] = {
    "nobody looks": ("/health", lambda page: None),
    "the console is open": ("/", _console),
    "the actor tree is open": ("/debug/actors", _observer),
}


async def _look(browser: Stage, server: ServerProcess, name: str, seconds: float) -> float:
    """The share of a core that the server takes while a page is open."""
    path, ready = PAGES[name]
    process = Server(server.running.pid, server.place.port)

    def scene(tab: Tab) -> float:
        ready(tab.page)
        before = process.usage().cpu
        tab.page.wait_for_timeout(seconds * 1_000)
        return (process.usage().cpu - before) / seconds

    return await browser.play(scene, server.place.http + path)


async def _stay(
    server: ServerProcess, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED
) -> None:
    async with opened(server.place.ws) as client:
        await client.subscribe(_STREAM)
        task_status.started()
        await trio.sleep_forever()


async def _come_and_go(server: ServerProcess) -> None:
    due = trio.current_time()
    while True:
        async with opened(server.place.ws) as client:
            await client.subscribe(_STREAM)
        due += 1 / _COMING
        await trio.sleep_until(due)


async def watch(connections: int, seconds: float) -> None:
    """Measure, and print a line for each."""
    settings = {"limits__connections_per_address": connections + 100}
    with tempfile.TemporaryDirectory() as folder, stage() as browser:
        async with run(Path(folder), **settings) as server, trio.open_nursery() as clients:
            for _ in range(connections):
                await clients.start(_stay, server)
            for name in PAGES:
                share = await _look(browser, server, name, seconds)
                print(
                    f"{connections:,} quiet connections, {name}: {share:.2%} of a core", flush=True
                )
            async with trio.open_nursery() as nursery:
                nursery.start_soon(_come_and_go, server)
                for name in PAGES:
                    share = await _look(browser, server, name, seconds)
                    told = f"and {_COMING:g} a second come and go, {name}: {share:.2%} of a core"
                    print(f"{connections:,} {told}", flush=True)
                nursery.cancel_scope.cancel()
            clients.cancel_scope.cancel()


@click.command()
@click.option("--connections", default=1_000, type=click.IntRange(0, 10_000))
@click.option("--seconds", default=20.0, type=click.FloatRange(1, 600), help="Of each measurement.")
def main(connections: int, seconds: float) -> None:
    """Tell what watching costs the server."""
    trio.run(watch, connections, seconds)


if __name__ == "__main__":
    main()
