"""The console at ``/`` in a real browser, against a real server."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import trio
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from incident_manager.http.auth import Role, issue_token
from incident_manager.http.sections import AuthSettings
from incident_manager.http.settings import Settings
from system import certificates
from system.browser.desk import Desk, alert
from system.browser.stage import PATIENCE, Stage, Tab
from system.harness import ServerProcess, run

pytestmark = pytest.mark.component("chromium")

expect.set_options(timeout=PATIENCE)

SECRET = "a secret of tests, long enough for HS256"
EVERY_STATE = "?state=NEW,INVESTIGATING,IDENTIFIED,MONITORING,RESOLVED,CLOSED"


def rows(page: Page) -> Locator:
    return page.get_by_role("option")


def live(page: Page) -> None:
    """Wait until all is loaded, and streams."""
    expect(page.locator("im-status.open .word")).to_have_text("Live")


def shown(page: Page, text: str) -> None:
    expect(page.locator("im-board .foot")).to_have_text(text)


@pytest.fixture
def desks() -> Iterator[list[Desk]]:
    """Desks that are closed at the end."""
    made: list[Desk] = []
    yield made
    for each in made:
        each.close()


def desk_of(desks: list[Desk], server: ServerProcess, **given: Any) -> Desk:
    made = Desk(server.place.http, **given)
    desks.append(made)
    return made


async def test_a_thousand_incidents_are_there_and_few_are_drawn(
    tmp_path: Path, browser: Stage, desks: list[Desk]
) -> None:
    def scene(tab: Tab) -> None:
        page = tab.page
        live(page)
        shown(page, "1,000 incidents active")
        expect(rows(page).first).to_have_attribute("aria-setsize", "1000")
        assert rows(page).count() < 60
        expect(rows(page).first.locator(".badge")).to_have_text("P0")
        page.get_by_role("listbox").focus()
        page.keyboard.press("End")
        expect(page.locator('[aria-posinset="1000"]')).to_be_visible()
        expect(page.locator('[aria-posinset="1000"] .badge')).to_have_text("P4")
        assert rows(page).count() < 60

    async with run(tmp_path) as server:
        desk = desk_of(desks, server)
        alerts = [alert(f"incident {n}", f"P{n % 5}") for n in range(1_000)]
        await trio.to_thread.run_sync(lambda: desk.send(*alerts))
        await browser.play(scene, f"{server.place.http}/")
        assert server.complaints() == []


async def test_an_alert_appears_and_changes_without_a_reload(
    tmp_path: Path, browser: Stage, desks: list[Desk]
) -> None:
    async with run(tmp_path) as server:
        desk = desk_of(desks, server)

        def scene(tab: Tab) -> None:
            page = tab.page
            live(page)
            expect(page.get_by_text("All quiet.")).to_be_visible()
            labels = {"gen_ai.request.model": "gpt-4o", "team": "search"}
            [mild] = desk.send(alert("mild <b>one</b>", "P3"))
            [bad] = desk.send(alert("bad one", "P0", labels=labels))
            expect(rows(page)).to_have_count(2)
            first = rows(page).first
            expect(first).to_contain_text("bad one")
            expect(first).to_contain_text("gpt-4o")
            expect(rows(page).last).to_contain_text("mild <b>one</b>")
            expect(page.locator("#spoken")).to_have_text("P0: bad one")
            expect(page).to_have_title("(1) Incidents")
            desk.send(alert("mild <b>one</b>", "P3"))
            expect(page.locator(f"#row-{mild} .alerts")).to_have_text("\u00d72")
            desk.resolve(bad)
            expect(rows(page)).to_have_count(1)
            expect(page).to_have_title("Incidents")

        await browser.play(scene, f"{server.place.http}/")


async def test_every_action(tmp_path: Path, browser: Stage, desks: list[Desk]) -> None:
    async with run(tmp_path) as server:
        desk = desk_of(desks, server)
        [incident] = desk.send(alert("to be worked on"))

        def scene(tab: Tab) -> None:
            page = tab.page
            pane = page.get_by_role("region", name="The incident")
            live(page)
            page.keyboard.press("j")
            page.keyboard.press("Enter")
            expect(pane.get_by_role("heading", level=2)).to_have_text("to be worked on")

            page.keyboard.press("a")
            expect(pane.locator(".summary .state")).to_have_text("Investigating")
            expect(pane.get_by_text(re.compile("^Acknowledged$"))).not_to_have_count(0)
            expect(page.locator(f"#row-{incident} .state")).to_have_text("Investigating")

            page.keyboard.press("s")
            pane.get_by_label("Who works on it").fill("ann, bo,ann")
            page.keyboard.press("Enter")
            expect(page.locator(f"#row-{incident} .who")).to_have_text("ann, bo")

            page.keyboard.press("c")
            pane.locator("[name=comment]").fill("The <provider> has it.\nSecond line.")
            page.keyboard.press("Control+Enter")
            expect(pane.locator(".comments")).to_contain_text("The <provider> has it.")

            page.keyboard.press("e")
            pane.get_by_label("To").select_option("P0")
            pane.get_by_label("Why").fill("all tenants")
            pane.get_by_role("form").get_by_role("button", name="Escalate").click()
            expect(page.locator(f"#row-{incident} .badge")).to_have_text("P0")
            expect(pane.get_by_role("button", name="Escalate")).to_have_count(0)

            page.keyboard.press("r")
            pane.get_by_label("What was done").fill("rolled back")
            pane.get_by_label("Root cause").fill("a timeout")
            pane.get_by_role("form").get_by_role("button", name="Resolve").click()
            expect(pane.locator(".summary .state")).to_have_text("Resolved")
            expect(pane.get_by_role("heading", name="Resolution")).to_be_visible()

            page.keyboard.press("r")
            pane.get_by_label("Why").fill("it came back")
            page.keyboard.press("Enter")
            expect(pane.locator(".summary .state")).to_have_text("Investigating")

            page.keyboard.press("r")
            pane.get_by_label("What was done").fill("rolled back again")
            page.keyboard.press("Control+Enter")
            pane.get_by_role("button", name="Close", exact=True).click()
            expect(pane.locator(".summary .state")).to_have_text("Closed")
            expect(pane.get_by_role("button", name="Reopen")).to_be_visible()
            # Shown at once; a page that is left before the server has been asked asks no more.
            done = pane.get_by_text("State changed from RESOLVED to CLOSED")
            expect(done).not_to_have_count(0)

            page.keyboard.press("Escape")
            expect(pane).to_be_hidden()

        await browser.play(scene, f"{server.place.http}/{EVERY_STATE}")
        now = desk.incident(incident)
        assert (now["state"], now["severity"], now["assignees"]) == ("CLOSED", "P0", ["ann", "bo"])
        assert now["resolution"] == {"notes": "rolled back again", "rootCause": None}
        [comment] = now["comments"]["comments"]
        assert comment["content"] == "The <provider> has it.\nSecond line."


async def test_a_change_that_comes_too_late_is_taken_back(
    tmp_path: Path, browser: Stage, desks: list[Desk]
) -> None:
    async with run(tmp_path) as server:
        desk = desk_of(desks, server)
        [incident] = desk.send(alert("contested"))

        def deaf(socket: WebSocketRoute) -> None:
            """The page hears answers, and no updates of incidents."""
            upstream = socket.connect_to_server()

            def heard(message: str | bytes) -> None:
                if "incidentUpdates" not in str(message):
                    socket.send(message)

            upstream.on_message(heard)

        def scene(tab: Tab) -> None:
            page = tab.page
            page.route_web_socket("**/graphql/ws", deaf)
            page.reload()
            live(page)
            rows(page).first.click()
            pane = page.get_by_role("region", name="The incident")
            expect(pane.get_by_role("heading", name="Timeline")).to_be_visible()
            desk.resolve(incident)
            page.keyboard.press("e")
            pane.get_by_label("Why").fill("worse")
            page.keyboard.press("Enter")
            expect(pane.get_by_role("alert")).to_contain_text("somebody changed the incident")
            expect(pane.locator(".summary .badge")).to_have_text("P2")
            expect(pane.locator(".summary .state")).to_have_text("Resolved")

        await browser.play(scene, f"{server.place.http}/")
        assert desk.incident(incident)["severity"] == "P2"


async def test_the_server_restarts_in_the_middle(
    tmp_path: Path, browser: Stage, desks: list[Desk]
) -> None:
    async with run(tmp_path) as server:
        desk = desk_of(desks, server)
        desk.send(alert("before"))

        def scene(tab: Tab) -> None:
            page = tab.page
            live(page)
            rows(page).first.click()
            trio.from_thread.run(server.kill, trio_token=token)
            expect(page.locator("im-status.waiting")).to_contain_text("Not connected")
            page.keyboard.press("a")
            pane = page.get_by_role("region", name="The incident")
            expect(pane.get_by_role("alert")).to_contain_text("no connection")
            expect(pane.locator(".summary .state")).to_have_text("New")
            trio.from_thread.run(server.start, trio_token=token)
            live(page)
            desk.send(alert("after", "P0"))
            expect(rows(page).first).to_contain_text("after")
            expect(rows(page)).to_have_count(2)

        token = trio.lowlevel.current_trio_token()
        await browser.play(scene, f"{server.place.http}/", upset=True)


async def test_what_came_while_the_connection_was_away_is_shown(
    tmp_path: Path, browser: Stage, desks: list[Desk]
) -> None:
    async with run(tmp_path) as server:
        desk = desk_of(desks, server)
        old, gone = desk.send(alert("old"), alert("gone"))
        sockets: list[WebSocketRoute] = []
        away = [False]

        def between(socket: WebSocketRoute) -> None:
            if away[0]:
                socket.close(code=1012, reason="restarting")
                return
            socket.connect_to_server()
            sockets.append(socket)

        def scene(tab: Tab) -> None:
            page = tab.page
            page.route_web_socket("**/graphql/ws", between)
            page.reload()
            live(page)
            away[0] = True
            sockets[-1].close(code=1012, reason="restarting")
            expect(page.locator("im-status")).to_contain_text("Not connected (restarting)")
            desk.send(alert("new 1", "P1"), alert("new 2"), alert("old"))
            desk.resolve(gone)
            away[0] = False
            page.get_by_role("button", name="Try now").click()
            live(page)
            news = page.locator("im-news")
            expect(news).to_contain_text("2 new incidents, 1 changed incident, 1 resolved incident")
            expect(rows(page)).to_have_count(3)
            expect(page.locator(".row.fresh")).to_have_count(3)
            expect(page.locator(f"#row-{old}")).to_be_visible()
            news.get_by_role("button", name="Dismiss").click()
            expect(page.locator(".row.fresh")).to_have_count(0)

        await browser.play(scene, f"{server.place.http}/")


async def test_the_filter_is_in_the_address(
    tmp_path: Path, browser: Stage, desks: list[Desk]
) -> None:
    async with run(tmp_path) as server:
        desk = desk_of(desks, server)
        one, two, done, _ = desk.send(
            alert("slow checkout", "P1", labels={"team": "payments"}),
            alert("slow search", "P2", source="sentry", labels={"team": "search"}),
            alert("slow login", "P2", description="the cryptic word"),
            alert("another", "P4"),
        )
        desk.resolve(done)

        def scene(tab: Tab) -> None:
            page = tab.page
            live(page)
            expect(rows(page)).to_have_count(3)
            page.keyboard.press("/")
            page.keyboard.type("slow")
            expect(rows(page)).to_have_count(2)
            expect(page).to_have_url(re.compile(r"\?q=slow$"))
            page.get_by_role("button", name="Resolved").click()
            expect(rows(page)).to_have_count(3)
            page.get_by_label("Label, as name=value").fill("team=search")
            page.keyboard.press("Enter")
            expect(rows(page)).to_have_count(1)
            expect(page.locator(f"#row-{two}")).to_be_visible()
            page.reload()
            live(page)
            expect(rows(page)).to_have_count(1)
            page.get_by_role("button", name="Clear").click()
            expect(rows(page)).to_have_count(3)
            page.get_by_role("button", name=re.compile("^P1.*active")).click()
            expect(rows(page)).to_have_count(1)
            expect(page.locator(f"#row-{one}")).to_be_visible()
            page.goto(f"{server.place.http}/?state=RESOLVED&q=cryptic")
            expect(page.locator(f"#row-{done}")).to_be_visible()
            page.goto(f"{server.place.http}/?source=sentry&incident={two}")
            expect(rows(page)).to_have_count(1)
            pane = page.get_by_role("region", name="The incident")
            expect(pane.get_by_role("heading", level=2)).to_have_text("slow search")
            page.goto(f"{server.place.http}/?incident={two[:-1]}{'0' if two[-1] != '0' else '1'}")
            expect(pane).to_contain_text("There is no such incident")
            page.go_back()
            expect(pane.get_by_role("heading", level=2)).to_have_text("slow search")

        await browser.play(scene, f"{server.place.http}/")


async def test_a_viewer_sees_no_button_that_would_fail(
    tmp_path: Path, browser: Stage, desks: list[Desk]
) -> None:
    def token(role: Role) -> str:
        return issue_token(Settings(auth=AuthSettings(jwt_secret=SECRET)), role, "vic", 600.0)

    async with run(tmp_path, auth__jwt_secret=SECRET) as server:
        desk = desk_of(desks, server, token=token(Role.RESPONDER))
        desk.send(alert("look, do not touch", "P1"))

        def scene(tab: Tab) -> None:
            page = tab.page
            field = page.get_by_label("Token or API key")
            field.fill("of bad news")
            page.keyboard.press("Enter")
            expect(page.locator("im-signin")).to_contain_text("The server says")
            field.fill(token(Role.VIEWER))
            page.keyboard.press("Enter")
            live(page)
            expect(page.locator("im-tools .me")).to_have_text("vic · viewer")
            rows(page).first.click()
            pane = page.get_by_role("region", name="The incident")
            expect(pane.get_by_role("heading", name="Timeline")).to_be_visible()
            expect(pane.locator(".actions")).to_be_hidden()
            for key in "arsce":
                page.keyboard.press(key)
            expect(pane.locator("form")).to_have_count(0)
            page.keyboard.press("?")
            expect(page.get_by_role("dialog")).to_be_visible()
            expect(page.get_by_role("dialog").get_by_text("acknowledge")).to_have_count(0)
            page.keyboard.press("Escape")
            page.reload()
            live(page)
            page.get_by_role("button", name="Sign out").click()
            expect(field).to_be_visible()

        await browser.play(scene, f"{server.place.http}/")


async def test_tls_and_http2_with_the_websocket_on_it(
    tmp_path: Path, browser: Stage, desks: list[Desk]
) -> None:
    made = certificates.make(tmp_path / "tls")
    async with run(tmp_path, tls=made) as server:
        desk = desk_of(desks, server, verify=made.trust())

        def scene(tab: Tab) -> None:
            page = tab.page
            talks = page.context.new_cdp_session(page)
            talks.send("Network.enable")
            answers: list[Any] = []
            talks.on(
                "Network.webSocketHandshakeResponseReceived", lambda told: answers.append(told)
            )
            page.reload()
            live(page)
            how = page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
            assert how == "h2"
            # RFC 8441: an extended CONNECT is answered with 200, an upgrade of HTTP/1.1 with 101
            assert {each["response"]["status"] for each in answers} == {200}
            desk.send(alert("over one connection"))
            expect(rows(page)).to_have_count(1)

        await browser.play(scene, f"{server.place.http}/", ignore_https_errors=True)


@pytest.mark.component("npm")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 360])
async def test_axe_finds_nothing(
    tmp_path: Path, browser: Stage, desks: list[Desk], axe: str, scheme: str, width: int
) -> None:
    labels = {"gen_ai.request.model": "gpt-4o", "team": "search"}

    def check(tab: Tab) -> None:
        tab.page.evaluate(axe)
        found = tab.page.evaluate("axe.run().then((found) => found.violations)")
        told = [(each["id"], [node["html"] for node in each["nodes"]]) for each in found]
        assert told == [], json.dumps(told, indent=1)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert tab.page.evaluate(wide) == 0

    async with run(tmp_path) as server:
        desk = desk_of(desks, server)
        sent = [
            alert(f"{n} {'long ' * 30 * (n % 2)}", f"P{n % 5}", labels=labels) for n in range(9)
        ]
        ids = desk.send(*sent)
        desk.resolve(ids[-1])

        def scene(tab: Tab) -> None:
            page = tab.page
            live(page)
            check(tab)
            page.keyboard.press("g")
            expect(page.get_by_text("Alerts per source")).to_be_visible()
            check(tab)
            rows(page).first.click()
            pane = page.get_by_role("region", name="The incident")
            expect(pane.get_by_role("heading", name="Timeline")).to_be_visible()
            page.keyboard.press("r")
            check(tab)
            page.keyboard.press("Escape")
            page.keyboard.press("?")
            check(tab)

        size = {"width": width, "height": 800}
        url = f"{server.place.http}/{EVERY_STATE}"
        await browser.play(scene, url, color_scheme=scheme, viewport=size)
