"""The actor tree at ``/debug/actors`` in a real browser, against a real server."""

import json
import re
from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest
import trio
from playwright.sync_api import Dialog, Locator, Page, expect

from incident_manager.http.api_keys import new_key
from incident_manager.http.auth import Role, issue_token
from incident_manager.http.sections import AuthSettings
from incident_manager.http.settings import Settings
from system.browser.desk import alert
from system.browser.stage import PATIENCE, Stage, Tab
from system.client import opened
from system.harness import local, run

pytestmark = pytest.mark.component("chromium")

expect.set_options(timeout=PATIENCE)

SECRET = "a secret of tests, long enough for HS256"


def row(page: Page, name: str) -> Locator:
    return page.locator("tbody tr").filter(has_text=re.compile(rf"^\W*{name}"))


async def test_the_tree_while_an_actor_is_restarted(tmp_path: Path, browser: Stage) -> None:
    def scene(tab: Tab) -> None:
        page = tab.page
        asked: list[str] = []

        def agree(dialog: Dialog) -> None:
            asked.append(dialog.message)
            dialog.accept()

        page.on("dialog", lambda dialog: agree(dialog))
        registry = row(page, "registry")
        expect(registry).to_contain_text("running")
        expect(registry).to_contain_text("0 / 1,024")
        expect(row(page, "root")).to_contain_text("0, 10 left")
        expect(page.locator("#chart")).to_contain_text("deliveries/s")
        registry.get_by_role("button", name="Restart").click()
        expect(registry.locator("td").nth(3)).to_have_text("1")
        expect(registry).to_contain_text("running")
        assert asked == ["Restart root.registry?"]

    async with local(tmp_path) as server:
        await browser.play(scene, f"{server.http}/debug/actors")


async def test_a_crash_shows_its_traceback(tmp_path: Path, browser: Stage) -> None:
    async with local(tmp_path) as server:
        system = server.gateway.running()

        async def crash() -> None:
            """What the registry trusts fails under it."""

            def broken() -> int:
                raise RuntimeError("the clock has stopped")

            kept = system.registry._clock
            system.registry._clock = broken
            async with httpx.AsyncClient(base_url=server.http, timeout=60) as web:
                answer = await web.post("/v1/alerts", json=alert("one more"))
                assert answer.status_code == 503
            system.registry._clock = kept

        def scene(tab: Tab) -> None:
            page = tab.page
            expect(row(page, "registry")).to_contain_text("running")
            trio.from_thread.run(crash, trio_token=token)
            registry = row(page, "registry")
            expect(registry.locator(".failure")).to_contain_text("the clock has stopped")
            registry.locator("summary").click()
            expect(registry.locator("pre")).to_contain_text("RuntimeError: the clock has stopped")

        token = trio.lowlevel.current_trio_token()
        await browser.play(scene, f"{server.http}/debug/actors")


async def test_it_is_for_an_admin(tmp_path: Path, browser: Stage) -> None:
    def token(role: Role) -> str:
        return issue_token(Settings(auth=AuthSettings(jwt_secret=SECRET)), role, "vic", 600.0)

    def scene(tab: Tab) -> None:
        page = tab.page
        field = page.get_by_label("Token")
        expect(field).to_be_focused()
        field.fill(token(Role.VIEWER))
        page.keyboard.press("Enter")
        expect(page.locator("#why")).to_contain_text("ADMIN")
        # it is good for the other pages, which are opened in this tab
        page.get_by_role("link", name="Incidents").click()
        expect(page.locator("im-tools .me")).to_have_text("vic · viewer")
        page.go_back()
        expect(page.locator("#why")).to_contain_text("ADMIN")
        field.fill(token(Role.ADMIN))
        page.keyboard.press("Enter")
        expect(row(page, "registry")).to_contain_text("running")

    async with run(tmp_path, auth__jwt_secret=SECRET) as server:
        # a browser reports each answer of 401 and 403 by itself
        await browser.play(scene, f"{server.place.http}/debug/actors", upset=True)


async def test_an_api_key_is_as_good_as_a_token(tmp_path: Path, browser: Stage) -> None:
    text, key = new_key("olga", Role.ADMIN)

    def scene(tab: Tab) -> None:
        page = tab.page
        page.get_by_label("Token or API key").fill(text)
        page.keyboard.press("Enter")
        expect(row(page, "registry")).to_contain_text("running")
        expect(page.locator("#chart")).to_contain_text("deliveries/s")

    async with run(tmp_path, auth__api_keys=f"olga={key.entry()}") as server:
        # a browser reports the answer of 401 by itself
        await browser.play(scene, f"{server.place.http}/debug/actors", upset=True)


async def test_what_has_the_focus_keeps_it_while_figures_change(
    tmp_path: Path, browser: Stage
) -> None:
    def scene(tab: Tab) -> None:
        page = tab.page
        registry = row(page, "registry")
        button = registry.get_by_role("button", name="Restart")
        button.focus()
        age = registry.locator("td").nth(2)
        for _ in range(2):
            expect(age).not_to_have_text(age.inner_text())
        expect(button).to_be_focused()
        page.once("dialog", lambda dialog: dialog.accept())
        page.keyboard.press("Enter")
        expect(registry.locator("td").nth(3)).to_have_text("1")
        expect(button).to_be_focused()

    async with run(tmp_path) as server:
        await browser.play(scene, f"{server.place.http}/debug/actors")


async def test_connections_are_found_by_peer_or_principal_and_paged(
    tmp_path: Path, browser: Stage
) -> None:
    def token(name: str, role: Role = Role.VIEWER) -> dict[str, str]:
        settings = Settings(auth=AuthSettings(jwt_secret=SECRET))
        return {"Authorization": f"Bearer {issue_token(settings, role, name, 600.0)}"}

    def scene(tab: Tab) -> None:
        page = tab.page
        connections = (
            page.locator("tbody tr")
            .filter(has_text="connection")
            .filter(has_not_text="connections")
        )
        page.get_by_label("Token").fill(token("olga", Role.ADMIN)["Authorization"])
        page.keyboard.press("Enter")
        where = page.locator("#where")
        expect(where).to_have_text("connections 1 to 50 of 60")
        page.get_by_role("button", name="Later").click()
        expect(where).to_have_text("connections 51 to 60 of 60")
        page.get_by_label("Principal").fill("eve")
        page.keyboard.press("Enter")
        expect(connections).to_have_count(2)
        expect(connections.first).to_contain_text("eve")
        expect(page.locator("#pages")).to_be_hidden()
        page.get_by_label("Principal").fill("")
        page.get_by_label("Peer").fill("127.0.0.1")
        page.keyboard.press("Enter")
        expect(where).to_have_text("connections 1 to 50 of 60")
        page.get_by_label("Peer").fill("10.1.1.1")
        page.keyboard.press("Enter")
        expect(page.locator("tbody")).to_contain_text("No connection is like that.")
        page.get_by_role("button", name="All").click()
        expect(row(page, "registry")).to_be_visible()
        expect(where).to_have_text("connections 1 to 50 of 60")

    async with run(tmp_path, auth__jwt_secret=SECRET) as server, AsyncExitStack() as clients:
        for name in ["ann"] * 58 + ["eve"] * 2:
            await clients.enter_async_context(opened(server.place.ws, payload=token(name)))
        # a browser reports the answer of 401 by itself
        await browser.play(scene, f"{server.place.http}/debug/actors", upset=True)


@pytest.mark.component("npm")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 360])
async def test_axe_finds_nothing(
    tmp_path: Path, browser: Stage, axe: str, scheme: str, width: int
) -> None:
    def scene(tab: Tab) -> None:
        page = tab.page
        expect(page.locator("#chart")).to_contain_text("deliveries/s")
        page.evaluate(axe)
        found = page.evaluate("axe.run().then((found) => found.violations)")
        told = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert told == [], json.dumps(told, indent=1)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) == 0

    async with run(tmp_path) as server, opened(server.place.ws):
        size = {"width": width, "height": 800}
        await browser.play(
            scene, f"{server.place.http}/debug/actors", color_scheme=scheme, viewport=size
        )
