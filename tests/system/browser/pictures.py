"""Take the pictures of the documentation anew: ``python tests/system/browser/pictures.py``."""

import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

ROOT: Final = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import expect  # noqa: E402

from system.browser.desk import Desk, alert  # noqa: E402
from system.browser.stage import Tab, stage  # noqa: E402
from system.browser.story import tell  # noqa: E402
from system.harness import run  # noqa: E402

IMAGES: Final = ROOT / "docs" / "images"


@frozen
class Shot:
    """One picture: of what address, how large, in what scheme, after which keys."""

    name: str
    address: str
    size: tuple[int, int]
    scheme: str
    keys: tuple[str, ...] = ()

    def take(self, tab: Tab) -> None:
        page = tab.page
        expect(page.locator("im-status.open .word")).to_have_text("Live")
        for key in self.keys:
            page.keyboard.press(key)
        if "Enter" in self.keys:
            expect(page.get_by_role("heading", name="Timeline")).to_be_visible()
        if "charts" in self.address:
            expect(page.locator("im-charts")).to_contain_text("prometheus")
        page.screenshot(path=IMAGES / f"{self.name}.png")


SHOTS: Final = (
    Shot("console-light", "/", (1360, 820), "light", ("Enter",)),
    Shot("console-dark", "/?charts=on", (1360, 820), "dark", ("j",)),
    Shot("console-narrow", "/", (360, 720), "light"),
)


def take_playground(tab: Tab, desk: Desk) -> None:
    """GraphiQL, with a subscription that has just received an event."""
    page = tab.page
    expect(page.locator(".graphiql-query-editor .view-line").first).to_be_visible()
    expect(page.locator(".graphiql-spin")).to_have_count(0)
    page.get_by_role("button", name="NewIncidents", exact=True).click()
    page.get_by_role("button", name="Execute query").click()
    expect(page.locator("#stream .word")).to_have_text("live")
    desk.send(alert("Time to first token above 4 s (search-2f1c)", "P1", source="prometheus"))
    expect(page.locator("#events")).to_have_text("1 event")
    page.get_by_role("button", name="Show Documentation Explorer").click()
    page.get_by_role("link", name="Subscription", exact=True).click()
    page.mouse.move(700, 400)
    expect(page.locator(".graphiql-plugin")).to_contain_text("newIncidents")
    expect(page.locator(".result-window .view-lines")).to_contain_text("search-2f1c")
    page.screenshot(path=IMAGES / "playground.png", animations="disabled")


LOOKS: Final = 12
"""Looks of the actors' page at the server's figures before it is pictured."""


def take_actors(tab: Tab, desk: Desk) -> None:
    """The tree while three consoles look at what comes in."""
    page = tab.page
    for _ in range(3):
        console = page.context.new_page()
        console.goto(page.url.replace("/debug/actors", "/"))
        expect(console.locator("im-status.open .word")).to_have_text("Live")
    page.bring_to_front()
    age = page.locator("tbody tr").first.locator("td").nth(2)
    for look in range(LOOKS):
        before = age.inner_text()
        for number in range(3 * (look % 4) + 4):
            desk.send(alert(f"Answers drift from the reference set ({look}-{number})", "P3"))
        expect(age).not_to_have_text(before)
    page.mouse.move(700, 20)
    page.screenshot(path=IMAGES / "actors.png")


async def main() -> None:
    """Tell the story to a server, and take each picture of it."""
    subprocess.run(["make", "--silent", "playground"], cwd=ROOT, check=True)
    with tempfile.TemporaryDirectory() as name, stage() as browser:
        await tell(Path(name) / "incidents.db")
        async with run(Path(name)) as server:
            for shot in SHOTS:
                width, height = shot.size
                await browser.play(
                    shot.take,
                    server.place.http + shot.address,
                    color_scheme=shot.scheme,
                    viewport={"width": width, "height": height},
                )
            with closing(Desk(server.place.http)) as desk:
                await browser.play(
                    lambda tab: take_actors(tab, desk),
                    f"{server.place.http}/debug/actors",
                    viewport={"width": 1360, "height": 820},
                )
                await browser.play(
                    lambda tab: take_playground(tab, desk),
                    f"{server.place.http}/graphql/playground",
                    viewport={"width": 1360, "height": 820},
                )


if __name__ == "__main__":
    trio.run(main)
