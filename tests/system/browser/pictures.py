"""Take the pictures of the documentation anew: ``python tests/system/browser/pictures.py``."""

import sys
import tempfile
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

ROOT: Final = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests"))

from playwright.sync_api import expect  # noqa: E402

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


async def main() -> None:
    """Tell the story to a server, and take each picture of it."""
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


if __name__ == "__main__":
    trio.run(main)
