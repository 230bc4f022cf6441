"""The console in a browser for half an hour, under 50 events a second: part of ``make soak``.

A thousand incidents are active all the time: as many come as are resolved. Each minute tells what
the page holds after a collection of garbage, and how long its frames took; at the end the board
must show what the server has, and the page must have complained of nothing.
"""

import sys
import tempfile
from collections import deque
from pathlib import Path
from typing import Any, Final

import click
import httpx
import trio
from attrs import define, field, frozen
from playwright.sync_api import expect

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from system.browser.desk import alert
from system.browser.frames import Frames, Held, held, read_frames, record_frames
from system.browser.stage import Tab, stage
from system.harness import run

_ACTIVE: Final = 1_000
_TURNS: Final = 5  # requests a second
_BUSY: Final = """query { activeIncidents(pagination: {first: 1}) { pageInfo { totalCount } } }"""
_MIB: Final = 2**20
_SOURCES: Final = ("prometheus", "grafana", "sentry", "evals")


@frozen
class Look:
    """The page after some minutes."""

    minutes: float
    events: int
    held: Held
    frames: Frames
    share: float
    """Of a core, what the page's thread took since the look before."""

    def row(self) -> str:
        """As a row of :data:`HEAD`."""
        return (
            f"| {self.minutes:g} | {self.events:,} | {self.held.heap / _MIB:.1f} "
            f"| {self.held.nodes:,} | {self.held.listeners:,} | {self.frames.count:,} "
            f"| {self.frames.median:.1f} | {self.frames.p99:.1f} | {self.frames.worst:.0f} "
            f"| {self.frames.long} | {self.share:.0%} |"
        )


HEAD: Final = (
    "| minute | events | heap, MB | nodes | listeners | frames | median, ms | p99, ms | worst, ms "
    "| 50 ms or more | of a core |\n| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: "
    "| ---: | ---: |"
)


@define
class Traffic:
    """Incidents that come, are spoken of, and go; ``events`` have been."""

    web: httpx.AsyncClient
    rate: float
    events: int = 0
    active: deque[str] = field(factory=deque)
    _made: int = 0
    _enough: bool = False
    _over: trio.Event = field(factory=trio.Event)

    async def fill(self) -> None:
        """As many as are to be active all the time."""
        for _ in range(_ACTIVE // 100):
            await self._come(100)

    async def flow(self) -> None:
        """Of five events two bring an incident, two resolve the oldest, one is a comment."""
        each = self.rate / _TURNS
        coming, speaking = round(each * 0.4), round(each * 0.2)
        due = trio.current_time()
        while not self._enough:
            await self._come(coming)
            await self._change(coming, speaking)
            due += 1 / _TURNS
            await trio.sleep_until(due)
        self._over.set()

    async def end(self) -> None:
        """End the flow, between two of its requests."""
        self._enough = True
        await self._over.wait()

    async def _come(self, count: int) -> None:
        alerts = []
        for _ in range(count):
            self._made += 1
            labels = {"gen_ai.request.model": "gpt-4o", "team": f"team {self._made % 7}"}
            title = f"Time to first token above 4 s ({self._made:06})"
            source = _SOURCES[self._made % len(_SOURCES)]
            # one of a hundred is critical, so that the alarm has its work too
            severity = "P1" if self._made % 100 == 0 else f"P{2 + self._made % 3}"
            alerts.append(alert(title, severity, source=source, labels=labels))
        answer = await self.web.post("/v1/alerts", json={"alerts": alerts})
        assert answer.status_code == 202, answer.text
        self.active.extend(ack["incident_id"] for ack in answer.json()["acks"])
        self.events += count

    async def _change(self, leaving: int, speaking: int) -> None:
        said = 'comment: "The provider confirms it."'
        done = 'input: {method: AUTOMATED, notes: "It went away."}'
        parts = [
            f'r{n}: resolveIncident(id: "{self.active.popleft()}", {done}) {{ id }}'
            for n in range(leaving)
        ]
        parts += [
            f'c{n}: addComment(incidentId: "{self.active[-1 - n]}", {said}) {{ id }}'
            for n in range(speaking)
        ]
        answer = await self.web.post(
            "/graphql", json={"query": f"mutation {{ {' '.join(parts)} }}"}
        )
        assert "errors" not in answer.json(), answer.text
        self.events += leaving + speaking

    async def left(self) -> int:
        """How many incidents the server has that are active."""
        answer = await self.web.post("/graphql", json={"query": _BUSY})
        total: int = answer.json()["data"]["activeIncidents"]["pageInfo"]["totalCount"]
        return total


async def soak(minutes: float, rate: float) -> list[Look]:
    """Run it, and tell of each minute as it has passed; raises AssertionError where the board does
    not show what the server has.
    """
    looks: list[Look] = []
    with tempfile.TemporaryDirectory() as folder, stage() as browser:
        async with (
            run(Path(folder)) as server,
            httpx.AsyncClient(base_url=server.place.http, timeout=60) as web,
            trio.open_nursery() as nursery,
        ):
            traffic = Traffic(web, rate)
            await traffic.fill()

            def scene(tab: Tab) -> None:
                page = tab.page
                session: Any = page.context.new_cdp_session(page)
                shown = page.locator("im-board .foot")
                expect(shown).to_have_text(f"{_ACTIVE:,} incidents active", timeout=60_000)
                trio.from_thread.run_sync(nursery.start_soon, traffic.flow, trio_token=token)
                record_frames(page)
                passed, before = 0.0, held(session).busy
                while passed < minutes:
                    step = min(1.0, minutes - passed)
                    page.wait_for_timeout(step * 60_000)
                    passed += step
                    now, frames = held(session), read_frames(page)
                    share = (now.busy - before) / (step * 60)
                    looks.append(Look(round(passed, 2), traffic.events, now, frames, share))
                    print(looks[-1].row(), flush=True)
                    before = now.busy
                trio.from_thread.run(traffic.end, trio_token=token)
                left = trio.from_thread.run(traffic.left, trio_token=token)
                expect(shown).to_have_text(f"{left:,} incidents active", timeout=60_000)

            token = trio.lowlevel.current_trio_token()
            await browser.play(scene, f"{server.place.http}/")
    return looks


@click.command()
@click.option("--minutes", default=30.0, type=click.FloatRange(0.1, 600))
@click.option("--rate", default=50.0, type=click.FloatRange(5, 500), help="Events a second.")
def main(minutes: float, rate: float) -> None:
    """Keep the console open under load, and tell what it holds and how long its frames take."""
    print(HEAD, flush=True)
    trio.run(soak, minutes, rate)


if __name__ == "__main__":
    main()
