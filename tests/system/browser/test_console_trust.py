"""What the console makes of what others send in, of refusals, and of who looks."""

import time
from collections.abc import Callable
from pathlib import Path

import jwt
import pytest
from playwright.sync_api import Locator, Page, WebSocketRoute, expect

from system.browser.desk import Desk, alert
from system.browser.stage import PATIENCE, Stage, Tab
from system.harness import run

pytestmark = pytest.mark.component("chromium")

MakeDesk = Callable[..., Desk]

expect.set_options(timeout=PATIENCE)

SECRET = "a secret of tests, long enough for HS256"
NARROW = {"width": 360, "height": 720}
MARKUP = (
    '<img src=x onerror="document.documentElement.dataset.hit = 1">',
    '"><script>document.documentElement.dataset.hit = 1</script>',
    "</style><svg onload='document.documentElement.dataset.hit = 1'>",
    "javascript:document.documentElement.dataset.hit=1",
)
TURNED = "\u202eabc"
"""Bears the sign after which text runs from right to left."""


def token(name: str, **claims: object) -> str:
    given = {"sub": name, "role": "RESPONDER", "exp": int(time.time()) + 600, **claims}
    return jwt.encode(given, SECRET, "HS256")


def live(page: Page) -> None:
    """Wait until all is loaded, and streams."""
    expect(page.locator("im-status.open .word")).to_have_text("Live")


def pane_of(page: Page) -> Locator:
    return page.get_by_role("region", name="The incident")


async def test_markup_in_any_field_is_text(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)
        for text in MARKUP:
            [incident] = desk.send(
                alert(
                    text,
                    "P1",
                    source=text,
                    description=text,
                    runbook_url=text,
                    affected_services=[text],
                    labels={text: text, "gen_ai.request.model": text},
                )
            )
            desk.ask(
                """mutation ($id: UUID!, $text: String!) {
                    assignIncident(incidentId: $id, assignees: [$text]) { id }
                    addComment(incidentId: $id, comment: $text) { id }
                    escalateIncident(incidentId: $id, newSeverity: P0, reason: $text) { id }
                    resolveIncident(id: $id, input: {
                        method: MANUAL, notes: $text, rootCause: $text }) { id }
                    reopenIncident(id: $id, reason: $text) { id } }""",
                id=incident,
                text=text,
            )

        def scene(tab: Tab) -> None:
            page = tab.page
            live(page)
            page.keyboard.press("g")
            expect(page.locator("im-charts")).to_contain_text(MARKUP[0])
            for text in MARKUP:
                page.get_by_role("option").filter(has_text=text).first.click()
                pane = pane_of(page)
                expect(pane.locator(".comments .text")).to_have_text(text)
                expect(pane.locator(".raw")).to_contain_text(text)
                expect(pane.locator("a[href]")).to_have_count(0)
                page.keyboard.press("s")
                expect(pane.get_by_label("Who works on it")).to_have_value(text)
                page.keyboard.press("Escape")
            expect(page.locator("main :is(img, script, [onload])")).to_have_count(0)
            expect(page.locator("html")).not_to_have_attribute("data-hit", "1")

        await browser.play(scene, f"{server.place.http}/")


async def test_the_chart_of_alerts_leaves_none_out(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)
        desk.send(*(alert(f"{n}", source=f"s{n % 11}") for n in range(25)))

        def scene(tab: Tab) -> None:
            page = tab.page
            live(page)
            page.keyboard.press("g")
            chart = page.locator("im-charts figure").filter(has_text="Alerts per source")
            expect(chart).to_contain_text("25 in 24 h")
            expect(chart.locator("g")).to_have_count(9)
            expect(chart.locator("g").last).to_contain_text("(others)")

        await browser.play(scene, f"{server.place.http}/")


async def test_text_that_runs_backwards_turns_nothing_else_round(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)
        desk.send(alert("turned", source=TURNED))

        def scene(tab: Tab) -> None:
            page = tab.page
            live(page)
            page.get_by_role("option").click()
            about = pane_of(page).locator(".plain .by")
            expect(about).to_contain_text(TURNED)
            # what comes after it is drawn after it
            source, time = (about.locator(each).bounding_box() for each in ("bdi", "time"))
            assert source is not None
            assert time is not None
            assert time["x"] > source["x"] + source["width"]

        await browser.play(scene, f"{server.place.http}/")


async def test_an_incident_that_is_not_on_the_board_can_be_worked_on(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)
        [done] = desk.send(alert("solved long ago"))
        desk.resolve(done)

        def scene(tab: Tab) -> None:
            page = tab.page
            live(page)
            pane = pane_of(page)
            expect(pane.locator(".summary .state")).to_have_text("Resolved")
            pane.get_by_role("button", name="Reopen").click()
            page.keyboard.press("Enter")
            expect(pane.locator(".summary .state")).to_have_text("Investigating")
            expect(page.get_by_role("option")).to_contain_text("solved long ago")
            expect(pane.get_by_role("alert")).to_be_hidden()

        await browser.play(scene, f"{server.place.http}/?incident={done}")
        assert desk.incident(done)["state"] == "INVESTIGATING"


async def test_without_its_stream_it_does_not_say_live(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)
        desk.send(alert("before"))
        refused: list[str] = []

        def between(socket: WebSocketRoute) -> None:
            """The first connection gets no stream."""
            upstream = socket.connect_to_server()
            first = not refused

            def said(message: str | bytes) -> None:
                if first and "incidentUpdates" in str(message):
                    refused.append(str(message))
                    end = '{"type":"error","id":"%s","payload":[{"message":"Too many."}]}'
                    number = str(message).partition('"id":"')[2].partition('"')[0]
                    socket.send(end % number)
                else:
                    upstream.send(message)

            socket.on_message(said)

        def scene(tab: Tab) -> None:
            page = tab.page
            page.route_web_socket("**/graphql/ws", between)
            page.reload()
            expect(page.locator("im-status.waiting")).to_contain_text("Not connected (Too many.)")
            desk.send(alert("meanwhile"))
            page.get_by_role("button", name="Try now").click()
            live(page)
            expect(page.get_by_role("option")).to_have_count(2)
            desk.send(alert("after"))
            expect(page.get_by_role("option")).to_have_count(3)

        await browser.play(scene, f"{server.place.http}/")
        assert len(refused) == 1


async def test_another_principal_sees_nothing_of_what_the_one_before_saw(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path, auth__jwt_secret=SECRET) as server:
        desk = desk_at(server.place.http, token("ann"))
        [theirs, _] = desk.send(
            alert("of acme", labels={"tenant": "acme"}),
            alert("of umbra", labels={"tenant": "umbra"}),
        )
        seen: list[str] = []

        def scene(tab: Tab) -> None:
            page = tab.page
            given = page.get_by_label("Token or API key")
            expect(page.locator("im-counts")).to_be_hidden()
            expect(page.get_by_role("button", name="Charts")).to_be_hidden()
            given.fill(token("ann"))
            page.keyboard.press("Enter")
            live(page)
            expect(page.locator("im-counts")).to_be_visible()
            pane = pane_of(page)
            expect(pane.get_by_role("heading", level=2)).to_have_text("of acme")
            page.evaluate(WATCHED)
            sockets[-1].close(code=4403, reason="The token has expired")
            given.fill(token("umbert", selectors={"tenant": "umbra"}))
            page.keyboard.press("Enter")
            live(page)
            expect(page.get_by_role("option")).to_have_count(1)
            expect(pane).to_contain_text("There is no such incident, or you may not see it.")
            seen.extend(page.evaluate("window.seen"))

        sockets: list[WebSocketRoute] = []

        def routed(tab: Tab) -> None:
            def between(socket: WebSocketRoute) -> None:
                socket.connect_to_server()
                sockets.append(socket)

            tab.page.route_web_socket("**/graphql/ws", between)
            tab.page.reload()
            scene(tab)

        await browser.play(routed, f"{server.place.http}/?incident={theirs}")
        assert seen == []


WATCHED = """
  window.seen = [];
  const main = document.querySelector("#main"), pane = document.querySelector("im-detail");
  const look = () => {
    if (main.hidden) main.dataset.left ||= "yes";
    else if (main.dataset.left && pane.textContent.includes("of acme")) seen.push(pane.textContent);
  };
  new MutationObserver(look).observe(main, {
    attributes: true, childList: true, subtree: true, characterData: true,
  });
"""
"""Notes what the pane shows once somebody else may look."""


async def test_in_a_narrow_window_the_pane_has_the_focus_and_the_header_stays(
    tmp_path: Path, browser: Stage, desk_at: MakeDesk
) -> None:
    async with run(tmp_path) as server:
        desk = desk_at(server.place.http)
        desk.send(*(alert(f"one of many {n}") for n in range(40)))

        def scene(tab: Tab) -> None:
            page = tab.page
            live(page)
            for state in ("New", "Resolved", "Closed"):
                box = page.get_by_role("button", name=state, exact=True).bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= NARROW["width"]
            rows = page.get_by_role("option")
            expect(rows.first.locator(".state")).to_be_visible()
            page.get_by_role("listbox").focus()
            page.keyboard.press("End")
            before = page.locator('[aria-posinset="39"] .title').inner_text()
            page.keyboard.press("Enter")
            pane = pane_of(page)
            expect(pane).to_be_focused()
            expect(page.locator("im-status")).to_be_visible()
            expect(page.get_by_role("listbox")).to_be_hidden()
            page.keyboard.press("Tab")
            expect(pane.get_by_role("button", name="Close the incident")).to_be_focused()
            page.keyboard.press("k")
            expect(pane.get_by_role("heading", level=2)).to_have_text(before)
            page.keyboard.press("Escape")
            expect(page.get_by_role("listbox")).to_be_focused()
            expect(page.locator(".row.current")).to_be_in_viewport()
            expect(page.locator(".row.current")).to_contain_text(before)

        await browser.play(scene, f"{server.place.http}/", viewport=NARROW)
