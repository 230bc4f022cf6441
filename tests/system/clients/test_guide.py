"""Every sample of the client guide follows a real server, and comes back where it says so."""

from pathlib import Path

import pytest
import trio

from incident_manager.http.client import Backoff, Client, open_client
from incident_manager.http.close_codes import CloseCode
from system.client import PATIENCE, SUBMIT, alert_input
from system.clients.follower import SECRET, Token
from system.clients.guide import GUIDE, Printer, command, printing, samples
from system.clients.proxy import proxied
from system.docs.test_truth import rows, section
from system.harness import Place, run

pytestmark = pytest.mark.slow

AT_ONCE = Backoff(first=0.01, most=0.05)
NEEDS = {
    ".mjs": "node",
    ".ts": "node",
    ".go": "go",
    ".rs": "cargo",
}
PARTS = {"resuming-client.ts", "Cargo.toml", "backoff.mjs"}
"""What is no program, but a part of one."""
PAGES = {"browser.js", "apollo.tsx", "urql.tsx", "use-incidents.tsx"}
"""What a browser runs: see ``test_pages``."""
GUARDED = "renewal.mjs"
RESUMING = {
    "graphql-ws.ts",
    "own_client.py",
    "bridge.py",
    "websockets_client.py",
    "gql_client.py",
    "graphql-sse.mjs",
}
NOTICING = {"graphql-ws.ts", "own_client.py", "websockets_client.py"}


def each(names: set[str]) -> list[object]:
    marks = {name: NEEDS.get(Path(name).suffix) for name in names}
    marks["wscat.sh"] = "node"
    marks["stream.sh"] = "curl"
    return [
        pytest.param(name, id=name, marks=[] if needs is None else pytest.mark.component(needs))
        for name, needs in sorted(marks.items())
        if name in names
    ]


async def submit(client: Client, title: str) -> None:
    with trio.fail_after(PATIENCE):
        given = alert_input(title, externalId=title, severity="P0")
        await client.execute(SUBMIT, {"input": given}, repeatable=True)


async def begun(client: Client, printer: Printer) -> None:
    """Send alerts in until the sample shows one: from then on it follows."""
    for number in range(1_000):
        title = f"probe {number}."
        await submit(client, title)
        with trio.move_on_after(0.5):
            await printer.prints(title)
            return
    raise AssertionError(printer.lines)


@pytest.mark.parametrize("name", each(set(samples()) - PARTS - PAGES - RESUMING - {GUARDED}))
async def test_it_follows(name: str, tmp_path: Path) -> None:
    async with (
        run(tmp_path) as server,
        open_client(server.place.ws, backoff=AT_ONCE) as client,
        printing(*command(name, server.place)) as printer,
    ):
        await begun(client, printer)
        await submit(client, "Disk full")
        await printer.prints("Disk full")


@pytest.mark.parametrize("name", each(RESUMING))
async def test_it_comes_back_and_has_missed_nothing(name: str, tmp_path: Path) -> None:
    async with (
        run(tmp_path) as server,
        open_client(server.place.ws, backoff=AT_ONCE) as client,
        printing(*command(name, server.place)) as printer,
    ):
        await begun(client, printer)
        await server.kill()
        await server.start()
        for number in range(20):
            await submit(client, f"Disk full {number}.")
        await printer.prints("Disk full 19.")
        for number in range(20):
            lines = [line for line in printer.lines if f"Disk full {number}." in line]
            assert len(lines) == 1, lines


@pytest.mark.parametrize("name", each(NOTICING))
async def test_it_notices_a_connection_that_died_without_a_word(name: str, tmp_path: Path) -> None:
    """Only a new connection brings anything: it has asked for one by itself."""
    async with (
        run(tmp_path) as server,
        proxied(server.place.port) as proxy,
        open_client(server.place.ws, backoff=AT_ONCE) as client,
        printing(*command(name, Place(tmp_path, proxy.port))) as printer,
    ):
        await begun(client, printer)
        proxy.forget()
        await submit(client, "Disk full")
        await printer.prints("Disk full")


@pytest.mark.component("node")
async def test_a_token_is_renewed(tmp_path: Path) -> None:
    token = Token(tmp_path / "token").issue(3600)
    async with (
        run(tmp_path, auth__jwt_secret=SECRET) as server,
        printing(*command(GUARDED, server.place), TOKEN=token, RENEW_EVERY="200") as printer,
        open_client(server.place.ws, token) as client,
    ):
        await printer.prints("accepted")
        await begun(client, printer)


@pytest.mark.component("node")
async def test_the_backoff(tmp_path: Path) -> None:
    (tmp_path / "backoff.mjs").write_text(samples()["backoff.mjs"])
    (tmp_path / "try.mjs").write_text(
        """import { backoff } from './backoff.mjs';
        const waits = backoff();
        const many = (count, lived) => Array.from({ length: count }, () => waits.next(lived));
        const wild = many(50);
        const calm = many(50, 6_000);
        console.log(wild.every((wait) => wait >= 0 && wait < 10_000), Math.max(...wild) > 250);
        console.log(calm.every((wait) => wait < 250), 'done');"""
    )
    async with printing(("node", "try.mjs"), tmp_path) as printer:
        await printer.prints("done")
    assert printer.lines == ["true true", "true done"]


def test_close_codes() -> None:
    table = rows(section(GUIDE.read_text(), "Errors by close code"))
    codes = {int(row[0]): row[2] for row in table}
    assert set(codes) == set(CloseCode) | {1006}  # no server sends that one
    for code in CloseCode:
        if code is not CloseCode.NORMAL:
            assert codes[code] == ("no" if code.is_fatal else "yes"), code
