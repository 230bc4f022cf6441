"""The playground at ``/graphql/playground`` in a real browser, against a real server."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trio
from playwright.sync_api import Locator, Page, Route, WebSocketRoute, expect

from incident_manager.http.auth import Role, issue_token
from incident_manager.http.sections import AuthSettings
from incident_manager.http.settings import Settings
from system import certificates
from system.browser.desk import Desk, alert
from system.browser.stage import PATIENCE, Stage, Tab
from system.harness import run

pytestmark = [
    pytest.mark.component("chromium"),
    pytest.mark.component("npm"),
    pytest.mark.component("make"),
    pytest.mark.usefixtures("playground"),
]

MakeDesk = Callable[..., Desk]

expect.set_options(timeout=PATIENCE)

SECRET = "a secret of tests, long enough for HS256"
PATH = "/graphql/playground"
SUBSCRIPTIONS = (
    "CriticalIncidents",
    "IncidentUpdates",
    "NewIncidents",
    "IncidentStateChanges",
    "Alerts",
)


def token(role: Role, name: str = "vic") -> str:
    return issue_token(Settings(auth=AuthSettings(jwt_secret=SECRET)), role, name, 600.0)


def painted(page: Page) -> None:
    """Wait until the editors are there, and the schema."""
    expect(page.locator(".graphiql-query-editor .view-line").first).to_be_visible()
    expect(page.locator(".graphiql-spin")).to_have_count(0)


def choose(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    expect(page.get_by_role("tabpanel", name=name)).to_be_visible()


def execute(page: Page) -> None:
    page.get_by_role("button", name="Execute query").click()


def stream(page: Page) -> Locator:
    return page.locator("#stream .word")


def result(page: Page) -> Locator:
    return page.locator(".result-window .view-lines")


def editor(page: Page) -> Locator:
    return page.locator(".graphiql-query-editor .view-lines")


IMPORTED = re.compile(r'(?:from|import)"\./(chunk-\w+\.js)"')


def needed_at_once(http: str) -> set[str]:
    """The parts that the page is made of before it loads its editors."""
    found: set[str] = set()
    left = ["main.js"]
    while left:
        text = httpx.get(f"{http}{PATH}/{left.pop()}", timeout=60).text
        more = set(IMPORTED.findall(text)) - found
        found |= more
        left += more
    return found


KEPT = """(words) => new Promise((done) => {
  const look = () => (localStorage.getItem("graphiql:tabState")?.includes(words)
    ? done() : requestAnimationFrame(look));
  look();
})"""
"""Waits until the tabs are kept with these words in them."""


def sign_in(page: Page, given: str) -> None:
    page.get_by_label("Token").fill(given)
    page.keyboard.press("Enter")


async def test_a_query_runs_and_the_schema_is_explained(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)
        desk.send(alert("the one and only"))

        def scene(tab: Tab) -> None:
            page = tab.page
            painted(page)
            choose(page, "ActiveIncidents")
            execute(page)
            expect(result(page)).to_contain_text("the one and only")
            page.get_by_role("button", name="Show Documentation Explorer").click()
            page.get_by_role("link", name="Subscription", exact=True).click()
            expect(page.locator(".graphiql-plugin")).to_contain_text("criticalIncidents")
            page.get_by_role("button", name="Show History").click()
            expect(page.locator(".graphiql-history-items")).to_contain_text("ActiveIncidents")
            assert page.context.cookies() == []

        await browser.play(scene, server.place.http + PATH)
        assert server.complaints() == []


async def test_a_tab_that_is_chosen_before_the_editors_are_there(
    tmp_path: Path, browser: Stage
) -> None:
    async with run(tmp_path) as server:
        early = await trio.to_thread.run_sync(needed_at_once, server.place.http)
        late: list[Route] = []
        held = [True]

        def hold(route: Route) -> None:
            if held[0] and route.request.url.rpartition("/")[2] not in early:
                late.append(route)
            else:
                route.continue_()

        def scene(tab: Tab) -> None:
            page = tab.page
            page.route("**/chunk-*.js", hold)
            page.reload(wait_until="commit")
            choose(page, "SubmitAlert")
            assert late
            expect(editor(page)).to_have_count(0)
            held[0] = False
            for each in late:
                each.continue_()
            painted(page)
            expect(editor(page)).to_contain_text("submitAlert")
            expect(page.locator(".graphiql-editor-tool .view-lines").first).to_contain_text(
                "Time to first token above"
            )
            execute(page)
            expect(result(page)).to_contain_text("ACCEPTED")

        await browser.play(scene, server.place.http + PATH)


async def test_tabs_and_what_was_written_in_them_are_kept(tmp_path: Path, browser: Stage) -> None:
    def scene(tab: Tab) -> None:
        page = tab.page
        painted(page)
        choose(page, "ActiveIncidents")
        expect(editor(page)).to_contain_text("activeIncidents")
        editor(page).click()
        page.keyboard.press("Control+Home")
        page.keyboard.insert_text("# of mine\n")
        page.evaluate(KEPT, "of mine")
        page.reload()
        painted(page)
        expect(page.get_by_role("tabpanel", name="ActiveIncidents")).to_be_visible()
        expect(editor(page)).to_contain_text("of mine")
        choose(page, "CriticalIncidents")
        expect(editor(page)).to_contain_text("criticalIncidents")

    async with run(tmp_path) as server:
        await browser.play(scene, server.place.http + PATH)


@pytest.mark.parametrize("name", SUBSCRIPTIONS)
async def test_a_subscription_in_its_ready_made_tab(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk, name: str
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)
        [moved] = desk.send(alert("is moved", "P0"))

        def scene(tab: Tab) -> None:
            page = tab.page
            painted(page)
            choose(page, name)
            execute(page)
            expect(stream(page)).to_have_text("live")
            if name == "IncidentStateChanges":
                desk.resolve(moved)
                expect(result(page)).to_contain_text("RESOLVED")
            else:
                desk.send(alert("has just come", "P0"))
                expect(result(page)).to_contain_text("has just come")
            expect(page.locator("#events")).to_have_text("1 event")
            page.get_by_role("button", name="Stop query").click()
            expect(stream(page)).to_have_text("stopped")

        await browser.play(scene, server.place.http + PATH)


async def test_a_lost_connection_comes_back_and_misses_nothing(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)
        sockets: list[WebSocketRoute] = []
        resumed: list[str] = []

        def between(socket: WebSocketRoute) -> None:
            upstream = socket.connect_to_server()
            sockets.append(socket)

            def said(message: str | bytes) -> None:
                if len(sockets) == 2 and '"subscribe"' in str(message):
                    resumed.append(str(message))
                    desk.send(alert("once it was back"))
                upstream.send(message)

            socket.on_message(said)

        def scene(tab: Tab) -> None:
            page = tab.page
            page.route_web_socket("**/graphql/ws", between)
            page.reload()
            painted(page)
            choose(page, "NewIncidents")
            execute(page)
            expect(stream(page)).to_have_text("live")
            desk.send(alert("before"))
            expect(page.locator("#events")).to_have_text("1 event")
            sockets[0].close(code=1012, reason="restarting")
            desk.send(alert("while it was away"))
            expect(page.locator("#events")).to_have_text("3 events")
            expect(stream(page)).to_have_text("live")
            expect(result(page)).to_contain_text("once it was back")
            assert '"cursor"' in resumed[0]

        await browser.play(scene, server.place.http + PATH)


async def test_a_token_is_for_both_and_a_wrong_one_is_told(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path, auth__jwt_secret=SECRET) as server:
        desk = desk_at(server.place.http, token(Role.RESPONDER))

        def scene(tab: Tab) -> None:
            page = tab.page
            why = page.locator("#why")
            painted(page)
            expect(why).to_have_text("This server asks for a token.")
            sign_in(page, "not.a.token")
            expect(why).to_have_text("The server refuses this token.")
            choose(page, "ActiveIncidents")
            execute(page)
            expect(result(page)).to_contain_text("UNAUTHORIZED")
            choose(page, "NewIncidents")
            execute(page)
            expect(result(page)).to_contain_text("The server refuses these credentials")
            expect(result(page)).to_contain_text("4403")
            expect(stream(page)).to_have_text("failed")

            sign_in(page, token(Role.VIEWER))
            expect(why).to_be_hidden()
            painted(page)
            execute(page)
            expect(stream(page)).to_have_text("live")
            desk.send(alert("for those who may see"))
            expect(result(page)).to_contain_text("for those who may see")
            page.get_by_role("button", name="Stop query").click()

            choose(page, "SubmitAlert")
            execute(page)
            expect(result(page)).to_contain_text("FORBIDDEN")
            assert "Bearer" not in page.evaluate("JSON.stringify(localStorage)")
            page.get_by_role("button", name="Forget").click()
            expect(why).to_have_text("This server asks for a token.")
            assert page.evaluate("sessionStorage.length") == 0

        # a browser reports each answer of 401 by itself
        await browser.play(scene, server.place.http + PATH, upset=True)


async def test_headers_go_with_fetches_and_with_connection_init(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path, auth__jwt_secret=SECRET) as server:
        desk = desk_at(server.place.http, token(Role.RESPONDER))
        given = token(Role.VIEWER)

        def scene(tab: Tab) -> None:
            page = tab.page
            painted(page)
            expect(page.locator("#why")).to_have_text("This server asks for a token.")
            choose(page, "NewIncidents")
            page.get_by_role("button", name="Headers", exact=True).click()
            page.locator(".graphiql-editor-tool:visible .view-lines:visible").last.click()
            page.keyboard.insert_text(json.dumps({"Authorization": f"Bearer {given}"}))
            execute(page)
            expect(stream(page)).to_have_text("live")
            desk.send(alert("by a header"))
            expect(result(page)).to_contain_text("by a header")
            page.get_by_role("button", name="Show History").click()
            expect(page.locator(".graphiql-history-items")).to_contain_text("NewIncidents")
            assert given not in page.evaluate("JSON.stringify(localStorage)")

        await browser.play(scene, server.place.http + PATH, upset=True)


async def test_over_tls_and_http2(tmp_path: Path, browser: Stage, desk_at: MakeDesk) -> None:
    made = certificates.make(tmp_path / "tls")
    async with run(tmp_path, tls=made) as server:
        desk = desk_at(server.place.http, verify=made.trust())

        def scene(tab: Tab) -> None:
            page = tab.page
            painted(page)
            how = page.evaluate("performance.getEntriesByType('navigation')[0].nextHopProtocol")
            assert how == "h2"
            choose(page, "Alerts")
            execute(page)
            expect(stream(page)).to_have_text("live")
            desk.send(alert("over one connection"))
            expect(result(page)).to_contain_text("over one connection")

        await browser.play(scene, server.place.http + PATH, ignore_https_errors=True)


THEIRS = {"color-contrast", "nested-interactive"}
"""What axe finds in GraphiQL itself (comments and line numbers of its editor; the close button
inside a tab), which are its own to mend. Any other finding there is for us to look at.
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1360, 360])
async def test_axe_finds_nothing_of_ours(
    tmp_path: Path, browser: Stage, axe: str, scheme: str, width: int
) -> None:
    def scene(tab: Tab) -> None:
        page = tab.page
        painted(page)
        execute(page)
        expect(stream(page)).to_have_text("live")
        sign_in(page, "a token that an open server ignores")
        expect(page.get_by_role("button", name="Forget")).to_be_visible()
        page.evaluate(axe)
        ours = page.evaluate(
            "axe.run({exclude: [['#playground']]}).then((found) => found.violations)"
        )
        assert ours == [], json.dumps(ours, indent=1)
        whole = page.evaluate("axe.run().then((found) => found.violations)")
        assert {each["id"] for each in whole} <= THEIRS, json.dumps(whole, indent=1)
        wide = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
        assert page.evaluate(wide) == 0

    async with run(tmp_path) as server:
        size = {"width": width, "height": 800}
        await browser.play(scene, server.place.http + PATH, color_scheme=scheme, viewport=size)
