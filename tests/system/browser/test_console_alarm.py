"""What the console does when it is not looked at: the alarm, tokens that run out, gaps."""

import re
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from playwright.sync_api import Page, WebSocketRoute, expect

from incident_manager.http.auth import Role, issue_token
from incident_manager.http.sections import AuthSettings
from incident_manager.http.settings import Settings
from system.browser.desk import Desk, alert
from system.browser.stage import PATIENCE, Stage, Tab
from system.harness import local, run

pytestmark = pytest.mark.component("chromium")

MakeDesk = Callable[..., Desk]

expect.set_options(timeout=PATIENCE)

SECRET = "a secret of tests, long enough for HS256"
NOTED = """
  const noted = [], tones = [];
  let audio = null;
  const tell = () => Object.assign(document.documentElement.dataset, {
    noted: noted.join("; "), tones: tones.join("; "), seen: document.hasFocus(),
    audio: audio?.state,
  });
  window.Notification = class extends Notification {
    constructor(title, options) {
      super(title, options);
      this.addEventListener("show", () => tell(noted.push(`${title} (${options.body})`)));
    }
  };
  const { start } = OscillatorNode.prototype;
  OscillatorNode.prototype.start = function (at) {
    audio = this.context;
    audio.onstatechange = tell;
    tell(tones.push(this.frequency.value));
    return start.call(this, at);
  };
  for (const each of ["focus", "blur"]) addEventListener(each, tell);
  addEventListener("DOMContentLoaded", tell);
"""
"""Notes on the page what is shown and sounded, which is really done, too."""


def told(page: Page, name: str, text: str) -> None:
    """Wait until that is noted."""
    expect(page.locator("html")).to_have_attribute(f"data-{name}", text)


def live(page: Page) -> None:
    """Wait until all is loaded, and streams."""
    expect(page.locator("im-status.open .word")).to_have_text("Live")


async def test_a_sound_and_a_notification_for_what_is_critical(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)

        def scene(tab: Tab) -> None:
            page = tab.page
            page.context.grant_permissions(["notifications"])
            page.add_init_script(NOTED)
            page.reload()
            live(page)
            page.get_by_role("button", name="Alarm off").click()
            expect(page.get_by_role("button", name="Alarm on")).to_be_visible()
            # a sound at once, so that one knows how it sounds
            told(page, "tones", "880; 660")
            told(page, "audio", "running")
            desk.send(alert("not so bad", "P2"))
            expect(page.get_by_role("option")).to_have_count(1)
            desk.send(alert("very bad", "P0", source="probe-eu"))
            expect(page.get_by_role("option")).to_have_count(2)
            # whoever looks at the page needs no notification
            told(page, "noted", "")

            session = page.context.new_cdp_session(page)
            session.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
            other = page.context.new_page()
            other.bring_to_front()
            told(page, "seen", "false")
            desk.send(alert("not so bad either", "P3"))
            desk.send(alert("down", "P1", source="probe-us"))
            told(page, "noted", "P1 down (probe-us)")
            desk.ask(
                """mutation ($id: UUID!) {
                    escalateIncident(incidentId: $id, newSeverity: P0, reason: "r") { id } }""",
                id=desk.send(alert("creeping", "P2"))[0],
            )
            told(page, "noted", "P1 down (probe-us); P0 creeping (grafana)")

        await browser.play(scene, f"{server.place.http}/")


async def test_without_being_asked_for_there_is_no_alarm(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)

        def scene(tab: Tab) -> None:
            page = tab.page
            page.context.grant_permissions(["notifications"])
            page.add_init_script(NOTED)
            page.reload()
            live(page)
            desk.send(alert("very bad", "P0"))
            expect(page.get_by_role("option")).to_have_count(1)
            told(page, "noted", "")
            told(page, "tones", "")

        await browser.play(scene, f"{server.place.http}/")


async def test_a_token_that_runs_out_is_replaced_and_nothing_is_missed(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    settings = Settings(auth=AuthSettings(jwt_secret=SECRET))

    def token(seconds: float) -> str:
        return issue_token(settings, Role.RESPONDER, "ann", seconds)

    async with run(tmp_path, auth__jwt_secret=SECRET) as server:
        desk = desk_at(server.place.http, token(600.0))
        desk.send(alert("before"))

        def scene(tab: Tab) -> None:
            page = tab.page
            signin = page.locator("im-signin")
            given = page.get_by_label("Token or API key")
            expect(signin).to_contain_text("This server asks who you are.")
            given.fill(token(10.0))
            page.keyboard.press("Enter")
            live(page)
            expect(page.locator(".toast")).to_contain_text("Your token runs out")
            expect(page.get_by_role("option")).to_have_count(1)

            page.get_by_label("Search incidents").fill("e")
            page.get_by_role("option").click()
            page.get_by_role("button", name="Comment").click()
            page.keyboard.insert_text("half a wo")

            expect(signin).to_contain_text(re.compile("expired|run out", re.IGNORECASE))
            assert page.evaluate("sessionStorage.length") == 0
            desk.send(alert("while nobody was signed in", "P1"))
            given.fill(token(600.0))
            page.keyboard.press("Enter")
            live(page)
            expect(page.get_by_role("option")).to_have_count(2)
            expect(page.locator(".row.fresh")).to_contain_text("while nobody was signed in")
            news = page.locator("im-news")
            expect(news).to_contain_text("While the connection was away: 1 new incident.")
            news.get_by_role("button", name="Dismiss").click()
            expect(page.locator(".row.fresh")).to_have_count(0)
            expect(page.get_by_role("textbox", name="Comment")).to_have_value("half a wo")
            expect(page).to_have_url(re.compile(r"\?q=e&incident="))

        await browser.play(scene, f"{server.place.http}/")


async def test_a_gap_is_told_and_everything_is_loaded_anew(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with local(tmp_path) as server:
        journal = server.gateway.running().journal
        desk = desk_at(server.http)
        old, gone = await trio.to_thread.run_sync(lambda: desk.send(alert("old"), alert("gone")))
        away = [False]
        sockets: list[WebSocketRoute] = []

        def between(socket: WebSocketRoute) -> None:
            if away[0]:
                socket.close(code=1012, reason="restarting")
                return
            socket.connect_to_server()
            sockets.append(socket)

        async def trim() -> None:
            """Retention removes all events but the last."""
            while await journal.trim(keep=1, before=0, limit=100):
                pass

        def scene(tab: Tab) -> None:
            page = tab.page
            page.route_web_socket("**/graphql/ws", between)
            page.reload()
            live(page)
            expect(page.get_by_role("option")).to_have_count(2)
            away[0] = True
            sockets[-1].close(code=1012, reason="restarting")
            expect(page.locator("im-status")).to_contain_text("Not connected (restarting)")
            desk.send(alert("new 1", "P1"), alert("new 2"))
            desk.resolve(gone)
            trio.from_thread.run(trim, trio_token=token)
            away[0] = False  # and it comes back by itself
            live(page)
            expect(page.locator("im-news")).to_contain_text("Some events are not kept any more")
            expect(page.get_by_role("option")).to_have_count(3)
            expect(page.locator(f"#row-{old}")).to_be_visible()
            expect(page.locator(f"#row-{gone}")).to_have_count(0)
            desk.send(alert("and on it goes"))
            expect(page.get_by_role("option")).to_have_count(4)

        token = trio.lowlevel.current_trio_token()
        await browser.play(scene, f"{server.http}/")
