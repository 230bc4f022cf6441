"""The console with ten thousand incidents: all are there, few are drawn, and it scrolls."""

from contextlib import closing
from pathlib import Path

import pytest
import trio
from playwright.sync_api import Page, expect

from system.browser.desk import Desk, alert
from system.browser.frames import Frames, forget_frames, held, read_frames, record_frames
from system.browser.stage import PATIENCE, Stage, Tab
from system.harness import run

pytestmark = [pytest.mark.component("chromium"), pytest.mark.slow]

expect.set_options(timeout=PATIENCE)

MANY = 10_000
WHEEL = 60  # turns of the wheel
SCROLL = """([turns, by]) => new Promise((done) => {
  const list = document.querySelector("[role=listbox]");
  const turn = () => {
    if (turns-- === 0) return done(list.scrollTop);
    list.scrollTop += by;
    requestAnimationFrame(turn);
  };
  requestAnimationFrame(turn);
})"""

CUT_OFF = """[...document.querySelectorAll("im-charts svg")].flatMap((svg) => {
  const { left, right } = svg.getBoundingClientRect();
  return [...svg.querySelectorAll(":scope > g > text")].filter((each) => {
    const box = each.getBoundingClientRect();
    return box.left < left || box.right > right;
  }).map((each) => each.textContent);
})"""


def scrolled(page: Page, by: int) -> Frames:
    """Scroll by so many pixels in each frame."""
    forget_frames(page)
    page.evaluate(SCROLL, [WHEEL, by])
    return read_frames(page)


async def test_ten_thousand_incidents_scroll(tmp_path: Path, browser: Stage) -> None:
    async with run(tmp_path) as server:

        def fill() -> None:
            with closing(Desk(server.place.http)) as desk:
                for first in range(0, MANY, 1_000):
                    desk.send(
                        *(alert(f"incident {n}", f"P{n % 5}") for n in range(first, first + 1_000))
                    )

        def scene(tab: Tab) -> None:
            page = tab.page
            options = page.get_by_role("option")
            expect(page.locator("im-board .foot")).to_have_text(f"{MANY:,} incidents active")
            record_frames(page)
            for name, by in (("slowly", 40), ("fast", 700), ("by leaps", 8_000)):
                frames = scrolled(page, by)
                print(name, frames)
                assert frames.count >= WHEEL
                assert options.count() < 60
            session = page.context.new_cdp_session(page)
            print(held(session))
            page.get_by_role("listbox").focus()
            page.keyboard.press("End")
            expect(page.locator(f'[aria-posinset="{MANY}"]')).to_be_visible()
            forget_frames(page)
            with closing(Desk(server.place.http)) as desk:
                desk.send(alert("one more", "P0"))
                expect(page.locator("im-board .foot")).to_have_text(
                    f"{MANY + 1:,} incidents active"
                )
            print("one more came", read_frames(page))
            page.keyboard.press("g")
            expect(page.locator("im-charts text").filter(has_text="20K")).to_be_visible()
            assert page.evaluate(CUT_OFF) == []
            page.screenshot(path=tmp_path / "many.png")

        await trio.to_thread.run_sync(fill)
        await browser.play(scene, f"{server.place.http}/")
