"""``incident-manager watch``: in a terminal, in a pipe, through restarts."""

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio

from incident_manager.http.client import Client, open_client
from system.client import PATIENCE, SUBMIT, alert_input
from system.harness import LocalServer, Place, ServerProcess, environment, local, run
from system.terminal import in_terminal

WATCH = (sys.executable, "-m", "incident_manager", "watch")
RESOLVE = """mutation ($id: UUID!) {
    resolveIncident(id: $id, input: {method: MANUAL, notes: "n"}) { id } }"""


async def submit(client: Client, title: str, **fields: object) -> str:
    data = await client.execute(SUBMIT, {"input": alert_input(title, **fields)})
    found: str = data["submitAlert"]["incidentId"]
    return found


class Piped:
    """``watch`` with its output going into a pipe."""

    def __init__(self, process: trio.Process) -> None:
        self.process = process
        self._out, self._lines = trio.open_memory_channel[str](10_000)
        self._reading = trio.CancelScope()
        self.errors = ""

    async def read(self) -> None:
        assert self.process.stdout is not None
        rest = b""
        with self._reading, self._out:
            async for chunk in self.process.stdout:
                *lines, rest = (rest + chunk).split(b"\n")
                for line in lines:
                    self._out.send_nowait(line.decode())

    async def read_errors(self) -> None:
        assert self.process.stderr is not None
        async for chunk in self.process.stderr:
            self.errors += chunk.decode()

    async def line(self) -> str:
        with trio.fail_after(PATIENCE):
            return await self._lines.receive()

    async def object(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(await self.line())
        return found

    async def rest(self) -> list[str]:
        with trio.fail_after(PATIENCE):
            return [line async for line in self._lines]

    async def hang_up(self) -> None:
        """Read no more, as ``head`` does when it has enough."""
        self._reading.cancel()
        with trio.fail_after(PATIENCE):
            async for line in self._lines:
                raise AssertionError(f"not read: {line}")
        assert self.process.stdout is not None
        await self.process.stdout.aclose()

    async def end(self) -> int:
        with trio.fail_after(PATIENCE):
            return await self.process.wait()


@asynccontextmanager
async def piped(place: Place, *args: str, **settings: str) -> AsyncIterator[Piped]:
    process = await trio.lowlevel.open_process(
        [*WATCH, "--url", place.http, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=place.directory,
        env={**environment({}), **settings},
    )
    watched = Piped(process)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(watched.read)
        nursery.start_soon(watched.read_errors)
        try:
            yield watched
        finally:
            if process.poll() is None:
                process.kill()
            with trio.CancelScope(shield=True):
                await process.wait()


async def finished(place: Place, *args: str, **settings: str) -> tuple[int, list[str], str]:
    """Exit code, lines and errors of one that ends by itself."""
    async with piped(place, *args, **settings) as watched:
        lines = await watched.rest()
        code = await watched.end()
    return code, lines, watched.errors


@pytest.fixture
async def process(tmp_path: Path) -> AsyncIterator[ServerProcess]:
    async with run(tmp_path) as server:
        yield server


class TestTerminal:
    def command(self, place: Place, *args: str) -> Sequence[str]:
        return (*WATCH, "--url", place.http, *args)

    async def test_it_is_live_through_a_restart(self, process: ServerProcess) -> None:
        place = process.place
        async with (
            open_client(place.ws) as client,
            in_terminal(self.command(place), cwd=place.directory, env=environment({})) as screen,
        ):
            await screen.shows("● LIVE", "No active incidents that match.", "Ctrl-C ends")
            assert "\x1b[?1049h" in screen.written  # a screen of its own
            first = await submit(client, "Checkout is slow", severity="P1", source="shop")
            frame = await screen.shows("Checkout is slow", "1 active")
            [line] = [line for line in frame.splitlines() if " NEW " in line]
            assert [word for word in line.split() if word not in ("0s", "1s", "2s")] == [
                *["▌", "P1", "NEW", "Checkout", "is", "slow", "1", "shop", "-"]
            ]
            await submit(client, "Checkout is slow", severity="P1", source="shop")
            await screen.shows("\N{MULTIPLICATION SIGN}2")

            await process.kill()
            await screen.shows("○ RECONNECTING", "as of", "Checkout is slow")
            await process.start()
            await screen.shows("● LIVE", "nothing was missed")

            await client.execute(RESOLVE, {"id": first})
            await screen.shows("RESOLVED", "0 active")
            await screen.shows("No active incidents that match.")  # when it has lingered

            screen.type("\x03")
            assert await screen.end() == 0
            # The cursor is back, and so is what was on the screen before.
            assert screen.written.rstrip().endswith("\x1b[?25h\x1b[?1049l")
            assert "Traceback" not in screen.written

    async def test_it_fits_a_narrow_terminal_and_follows_its_size(
        self, server: LocalServer
    ) -> None:
        place = server.place
        async with open_client(server.ws) as client:
            await submit(client, "A title that is much too long for a terminal of this size")
        async with in_terminal(
            self.command(place), cwd=place.directory, env=environment({}), columns=44
        ) as screen:
            frame = await screen.shows("LIVE", "NEW", "A title")
            assert "…" in frame
            assert "SOURCE" not in frame
            assert max(map(len, frame.splitlines())) <= 44
            screen.resize(120, 24)
            await screen.shows("SOURCE", "for a terminal of this size")

    async def test_once_leaves_a_table_behind(self, server: LocalServer) -> None:
        place = server.place
        async with open_client(server.ws) as client:
            await submit(client, "Checkout is slow", severity="P0")
        async with in_terminal(
            self.command(place, "--once"), cwd=place.directory, env=environment({})
        ) as screen:
            assert await screen.end() == 0
            await screen.shows("SEV", "P0", "Checkout is slow", "1 active")
            assert "\x1b[?1049h" not in screen.written

    async def test_a_refusal_is_one_line_on_a_screen_that_is_as_it_was(
        self, tmp_path: Path
    ) -> None:
        async with local(tmp_path, auth__jwt_secret="s" * 40) as server:
            place = server.place
            async with in_terminal(
                self.command(place), cwd=place.directory, env=environment({})
            ) as screen:
                assert await screen.end() == 1
                await screen.until(lambda _: screen.over or "4403" in screen.written)
                last = screen.written.rpartition("\x1b[?1049l")[2]
                assert "incident-manager: the server refused the connection (4403)" in last
                assert "Traceback" not in last


class TestPipe:
    async def test_a_line_for_each_event(self, process: ServerProcess) -> None:
        place = process.place
        async with open_client(place.ws) as client:
            held = await submit(client, "there before", severity="P3")
            async with piped(place) as watched:
                line = await watched.line()
                assert line.endswith(f"PRESENT       P3 NEW           there before [tests] {held}")
                await submit(client, "a\u001bb")
                assert "CREATED       P2 NEW           a\ufffdb [tests]" in await watched.line()
                await process.stop()
                await process.start()
                await client.execute(RESOLVE, {"id": held})
                line = await watched.line()
                assert f"RESOLVED      P3 RESOLVED      there before [tests] {held}" in line
                watched.process.send_signal(signal.SIGINT)
                assert await watched.end() == 0
            errors = watched.errors.splitlines()
            assert errors[0] == "incident-manager: connected"
            assert errors[1].startswith("incident-manager: no connection: Going away; try 2 in")
            assert errors[-1] == "incident-manager: connected again, nothing was missed"

    async def test_an_object_for_each_event(self, server: LocalServer) -> None:
        async with open_client(server.ws) as client:
            first = await submit(client, "one")
            async with piped(server.place, "--json") as watched:
                found = await watched.object()
                assert (found["kind"], found["incident"]["id"]) == ("incident", first)
                second = await submit(client, "two")
                found = await watched.object()
                assert (found["kind"], found["updateType"]) == ("update", "CREATED")
                assert found["incident"]["id"] == second
                assert (await client.execute("{ cursor }"))["cursor"] == found["cursor"]

    async def test_the_conditions(self, server: LocalServer) -> None:
        async with open_client(server.ws) as client:
            await submit(client, "one", severity="P0", source="a", labels={"team": "x"})
            await submit(client, "two", severity="P1", source="a", labels={"team": "y"})
            three = await submit(client, "three", severity="P0", source="b")
            await client.execute(RESOLVE, {"id": three})

        async def titles(*args: str) -> list[str]:
            code, lines, errors = await finished(server.place, "--once", "--json", *args)
            assert code == 0, errors
            return [json.loads(line)["incident"]["title"] for line in lines]

        assert await titles() == ["one", "two"]
        assert await titles("--all") == ["one", "two", "three"]
        assert await titles("--severity", "p0", "--all") == ["one", "three"]
        assert await titles("--source", "a", "--label", "team=y") == ["two"]
        assert await titles("--state", "resolved") == ["three"]

    async def test_more_than_a_page(self, server: LocalServer) -> None:
        async with open_client(server.ws) as client:
            for number in range(150):
                await submit(client, f"i{number}")
        code, lines, _ = await finished(server.place, "--once", "--json")
        assert code == 0
        shown = [json.loads(line)["incident"]["title"] for line in lines]
        assert shown == [f"i{number}" for number in range(150)]

    async def test_after_a_gap_it_looks_anew(self, tmp_path: Path) -> None:
        """A server that keeps nothing has another journal after a restart."""
        async with (
            run(tmp_path, state__url="memory:") as server,
            piped(server.place, "--json") as watched,
            open_client(server.place.ws) as client,
        ):
            await submit(client, "before")
            assert (await watched.object())["incident"]["title"] == "before"
            await server.stop()
            await server.start()
            assert (await watched.object())["kind"] == "gap"
            await submit(client, "after")
            assert (await watched.object())["incident"]["title"] == "after"

    async def test_whoever_reads_may_have_enough(self, process: ServerProcess) -> None:
        async with open_client(process.place.ws) as client:
            await submit(client, "one")
            async with piped(process.place) as watched:
                await watched.line()
                await watched.hang_up()
                await submit(client, "two")
                assert await watched.end() == 0
            assert watched.errors == "incident-manager: connected\n"

    async def test_a_token(self, tmp_path: Path) -> None:
        secret = "a secret of tests that is long enough"
        made = subprocess.run(
            [sys.executable, "-m", "incident_manager", "token", "--role", "VIEWER"],
            env=environment({"auth.jwt_secret": secret}) | {"LIM_TOKEN": "not a setting"},
            capture_output=True,
            text=True,
            check=True,
        )
        async with local(tmp_path, auth__jwt_secret=secret) as server:
            place = server.place
            token = made.stdout.strip()
            assert (await finished(place, "--once", "--token", token))[0] == 0
            assert (await finished(place, "--once", LIM_TOKEN=token))[0] == 0
            code, lines, errors = await finished(place, "--once")
        assert (code, lines) == (1, [])
        assert errors == ("incident-manager: the server refused the connection (4403): Forbidden\n")

    @pytest.mark.slow
    async def test_no_server(self, tmp_path: Path) -> None:
        code, lines, errors = await finished(Place(tmp_path), "--once")
        assert (code, lines) == (1, [])
        assert errors.splitlines()[-1] == (
            "incident-manager: no connection for 10 seconds: Connection refused"
        )
