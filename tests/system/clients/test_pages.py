"""The samples of the client guide that are for browsers follow a real server from a real one."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import trio
from playwright.sync_api import Page, expect
from playwright.sync_api import TimeoutError as TooLate

from incident_manager.http.client import Client, open_client
from system.browser.stage import PATIENCE, Stage, Tab, stage
from system.clients.pages import site
from system.clients.test_guide import AT_ONCE, PAGES, submit
from system.harness import ServerProcess, run

pytestmark = [
    pytest.mark.slow,
    pytest.mark.component("node"),
    pytest.mark.component("chromium"),
]

COMPONENTS = sorted(PAGES - {"browser.js"})
MANY = 20

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="module")
def browser() -> Iterator[Stage]:
    with stage() as ready:
        yield ready


class World:
    """What happens outside of the page, done from the browser's thread."""

    def __init__(self, server: ServerProcess, client: Client) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._client = client
        self._server = server

    def _do(self, step: Callable[..., Any], *given: object) -> None:
        trio.from_thread.run(step, *given, trio_token=self._token)

    def submit(self, *titles: str) -> None:
        for title in titles:
            self._do(submit, self._client, title)

    def kill(self) -> None:
        self._do(self._server.kill)

    def start(self) -> None:
        self._do(self._server.start)


def begun(word: str, shown: Callable[[str], object]) -> str:
    """Send alerts in until the page shows one: from then on it follows."""
    for number in range(1_000):
        title = f"{word} {number}."
        try:
            shown(title)
        except (AssertionError, TooLate):
            continue
        return title
    raise AssertionError("the page shows nothing")


def in_the_list(page: Page, title: str) -> None:
    expect(page.locator("li", has_text=title)).to_have_count(1, timeout=1_000)


def listed(page: Page, world: World, title: str) -> None:
    """Send an alert in; the page lists it."""
    world.submit(title)
    in_the_list(page, title)


async def play(
    name: str, browser: Stage, tmp_path: Path, scene: Callable[[Tab, World], None], **settings: Any
) -> None:
    """Open a sample's page, which may talk to its server, and let the scene happen there."""
    async with site(tmp_path / "site") as pages:
        leave: dict[str, Any] = dict.fromkeys(
            ("server__allowed_origins", "server__cors_origins"), pages.origin
        )
        async with (
            run(tmp_path, **leave, **settings) as server,
            open_client(server.place.ws, backoff=AT_ONCE) as client,
        ):
            world = World(server, client)

            def played(tab: Tab) -> None:
                scene(tab, world)
                # Of the server, and of nobody else.
                assert {urlsplit(url).netloc for url in tab.abroad} == {
                    f"127.0.0.1:{server.place.port}"
                }
                tab.abroad.clear()

            address = await trio.to_thread.run_sync(pages.page, name, server.place)
            # It is upset while there is no server.
            await browser.play(played, address, upset=True)


async def test_the_browsers_own_websocket(browser: Stage, tmp_path: Path) -> None:
    def scene(tab: Tab, world: World) -> None:
        def logged(title: str) -> None:
            with tab.page.expect_console_message(
                lambda message: title in message.text, timeout=1_000
            ):
                world.submit(title)

        begun("probe", logged)
        logged("Disk full")
        with tab.page.expect_console_message(lambda message: "closed" in message.text) as closed:
            world.kill()
        assert closed.value.text.startswith("closed 1006")

    await play("browser.js", browser, tmp_path, scene)


@pytest.mark.parametrize("name", COMPONENTS)
async def test_its_state_survives_what_becomes_of_the_server(
    name: str, browser: Stage, tmp_path: Path
) -> None:
    def scene(tab: Tab, world: World) -> None:
        first = begun("probe", partial(listed, tab.page, world))
        world.kill()
        in_the_list(tab.page, first)
        world.start()
        titles = [f"Disk full {number}." for number in range(MANY)]
        world.submit(*titles)
        expect(tab.page.locator("li", has_text=titles[-1])).to_have_count(1)
        shown = tab.page.locator("li").all_inner_texts()
        for title in (first, *titles):
            assert sum(title in each for each in shown) == 1, (title, shown)
        assert not tab.page.locator("[role=alert]").count()

    await play(name, browser, tmp_path, scene)


async def test_queries_of_apollo_go_over_http(browser: Stage, tmp_path: Path) -> None:
    def scene(tab: Tab, world: World) -> None:
        expect(tab.page.get_by_text("0 were active when you came")).to_be_visible()
        world.submit("one", "two")
        tab.page.reload()
        expect(tab.page.get_by_text("2 were active when you came")).to_be_visible()
        kinds = {urlsplit(url).scheme for url in tab.abroad}
        assert kinds == {"http", "ws"}

    await play("apollo.tsx", browser, tmp_path, scene)


async def test_the_hook_begins_anew_where_there_is_a_gap(browser: Stage, tmp_path: Path) -> None:
    """The journal begins anew with the server, so what is shown is what the new one has."""

    def scene(tab: Tab, world: World) -> None:
        begun("before", partial(listed, tab.page, world))
        world.kill()
        world.start()
        begun("after", partial(listed, tab.page, world))
        expect(tab.page.locator("li", has_text="before")).to_have_count(0)

    await play("use-incidents.tsx", browser, tmp_path, scene, state__url="memory:")
