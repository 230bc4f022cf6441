"""The end of a server: orderly by a signal, and at the start where it must not run."""

import signal
import socket
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import httpx
import pytest
import trio

from incident_manager.actors import registry
from incident_manager.http.config import load_settings
from incident_manager.http.gateway import Gateway
from incident_manager.http.server import serve
from system.client import PATIENCE, SUBMIT, Client, Closed, alert_input, opened
from system.evidence import check_offsets, check_work, events
from system.harness import COMMAND, Place, environment, local, own_logging, run
from system.rude import deaf, masked, upgrade
from system.traffic import RestSender, Up, Work

STREAM = "subscription { newIncidents { title } }"


async def refused(place: Place, **settings: object) -> str:
    """Start a server that must not start; the one line that it says."""
    given = place.settings({key.replace("__", "."): value for key, value in settings.items()})
    with trio.fail_after(PATIENCE):
        ended = await trio.run_process(
            list(COMMAND),
            capture_stderr=True,
            capture_stdout=True,
            check=False,
            env=environment(given),
            cwd=place.directory,
        )
    assert ended.returncode == 2, ended.stderr
    assert ended.stdout == b"", "it says that it listens"
    assert ended.stderr is not None
    [line] = ended.stderr.decode().splitlines()
    assert line.startswith("incident-manager: ")
    return line


@pytest.mark.parametrize(
    "number", [signal.SIGTERM, pytest.param(signal.SIGINT, marks=pytest.mark.slow)]
)
async def test_a_signal_closes_everybody_1001(tmp_path: Path, number: signal.Signals) -> None:
    async with (
        run(tmp_path) as server,
        opened(server.place.ws) as idle,
        opened(server.place.ws) as quiet,
        opened(server.place.ws) as streaming,
    ):
        await quiet.subscribe(STREAM)
        stream = await streaming.subscribe(STREAM)
        await idle.submit("one")
        server.signal(number)
        for client in (idle, quiet, streaming):
            closed = await client.closed()
            assert (closed.code, closed.reason) == (1001, "Going away")
        assert await server.wait() == 0
        assert (await streaming.next(stream))["data"]["newIncidents"]["title"] == "one"
        assert server.complaints() == []


async def test_a_stop_in_the_middle_of_a_storm(tmp_path: Path) -> None:
    """Whatever got its answer is kept, and whoever did not get one can ask again."""
    work, up = Work(400), Up()
    async with run(tmp_path) as server:
        up.now()
        senders = [RestSender(work, up, server.place.http) for _ in range(4)]
        async with trio.open_nursery() as sending:
            for sender in senders:
                sending.start_soon(sender.run)
            await work.reached(200)
            up.no_more()
            assert await server.stop() == 0
            await server.start()
            up.now()
        assert await server.stop() == 0
        assert server.complaints() == []
    bodies = events(server.place.journal)
    check_offsets(bodies)
    check_work(bodies, work)
    assert len(work.acknowledged) == 400


async def test_a_client_that_answers_no_close_holds_nothing_up(tmp_path: Path) -> None:
    async with run(tmp_path, server__graceful_timeout=2) as server, deaf(server.place):
        assert await server.stop() == 0


async def test_a_client_that_reads_nothing_holds_nothing_up(tmp_path: Path) -> None:
    """Its socket is full, so that not even the close gets through."""
    async with (
        run(tmp_path, server__graceful_timeout=2, limits__outbox_bytes=65536) as server,
        deaf(server.place) as stream,
        opened(server.place.ws) as client,
    ):
        await stream.send_all(masked('{"type":"connection_init"}'))
        query = "subscription{newIncidents{description}}"
        await stream.send_all(
            masked(f'{{"type":"subscribe","id":"x","payload":{{"query":"{query}"}}}}')
        )
        for number in range(100):
            await client.submit(f"large {number}", description="d" * 60_000)
        assert await server.stop() == 0


async def test_probes_see_it_go_before_it_is_gone(tmp_path: Path) -> None:
    """With nobody to close, the listeners would close in the moment of the signal."""
    async with (
        local(tmp_path, server__drain_window=10) as server,
        httpx.AsyncClient(base_url=server.http) as http,
    ):
        server.gateway.drain()
        assert (await http.get("/health/ready")).status_code == 503
        async with await trio.open_tcp_stream("127.0.0.1", server.place.port) as stream:
            await stream.send_all(upgrade())
            assert (await stream.receive_some()).startswith(b"HTTP/1.1 503")


async def test_a_second_signal_ends_it_at_once(tmp_path: Path) -> None:
    async with run(tmp_path, server__drain_window=30) as server, deaf(server.place):
        server.signal(signal.SIGTERM)
        server.signal(signal.SIGINT)
        assert await server.wait() == 0


async def test_a_second_server_on_the_same_journal(tmp_path: Path) -> None:
    async with run(tmp_path) as server, opened(server.place.ws) as client:
        other = Place(tmp_path)
        line = await refused(other)
        assert str(server.place.journal) in line
        assert f"in use by another process (pid {server.running.pid})" in line
        # By another name it is the same journal.
        link = tmp_path / "link.db"
        link.symlink_to(server.place.journal)
        assert "in use by" in await refused(other, state__url=f"sqlite:///{link}")
        assert (await client.submit("the first goes on"))["status"] == "ACCEPTED"
        await server.kill()
        await server.start()  # kill -9 leaves no lock behind


async def test_a_newer_journal(tmp_path: Path) -> None:
    async with run(tmp_path) as server:
        assert await server.stop() == 0
    with closing(sqlite3.connect(server.place.journal)) as connection:
        connection.execute("PRAGMA user_version = 999")
    before = server.place.journal.read_bytes()
    line = await refused(server.place)
    assert f"{server.place.journal} has schema version 999" in line
    assert server.place.journal.read_bytes() == before


@pytest.mark.parametrize("content", [b"no database at all", b"SQLite format 3\0" + bytes(100)])
async def test_a_file_that_is_no_journal(tmp_path: Path, content: bytes) -> None:
    place = Place(tmp_path)
    place.journal.write_bytes(content)
    assert str(place.journal) in await refused(place)
    assert place.journal.read_bytes() == content


async def test_a_directory_that_is_not_there(tmp_path: Path) -> None:
    place = Place(tmp_path)
    line = await refused(place, state__url=f"sqlite:///{tmp_path}/nowhere/incidents.db")
    assert f"{tmp_path}/nowhere" in line


async def test_a_port_that_is_in_use(tmp_path: Path) -> None:
    place = Place(tmp_path)
    with socket.create_server(("127.0.0.1", place.port)):
        line = await refused(place)
    assert f"127.0.0.1:{place.port}" in line
    assert "in use" in line
    assert not place.journal.exists()


async def test_readiness_and_the_first_words(tmp_path: Path) -> None:
    """What a person sees first, and what an orchestrator asks."""
    place = Place(tmp_path)
    process = await trio.lowlevel.open_process(
        list(COMMAND),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=environment(place.settings({})),
        cwd=tmp_path,
    )
    try:
        assert process.stdout is not None
        said = b""
        with trio.fail_after(PATIENCE):
            while b"\n  try " not in said or not said.endswith(b"\n"):
                said += await process.stdout.receive_some()
        text = said.decode()
        assert f"http://127.0.0.1:{place.port}" in text
        assert "open: no credentials are set" in text
        assert str(place.journal) in text
    finally:
        process.terminate()
        with trio.fail_after(PATIENCE):
            assert await process.wait() in (0, -signal.SIGTERM)
        await process.stdout.aclose()


async def test_health_of_a_server_that_does_well(tmp_path: Path) -> None:
    async with run(tmp_path) as server, httpx.AsyncClient(base_url=server.place.http) as http:
        for path in ("/health", "/health/live", "/health/ready"):
            answer = await http.get(path)
            assert answer.status_code == 200
            assert answer.json()["status"] == "HEALTHY"


async def refused_for_ever(client: Client) -> None:
    while True:
        result = await client.execute(SUBMIT, {"input": alert_input("x")})
        assert result["errors"][0]["extensions"]["code"] == "SERVICE_UNAVAILABLE"


async def test_a_system_that_gives_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An actor fails again and again: everybody is sent off to come back, and it ends with 1."""
    place, codes = Place(tmp_path), []
    settings = load_settings(place.settings({}), {}, lambda path: Path(path).read_bytes())

    async def serving(*, task_status: trio.TaskStatus[Gateway]) -> None:
        codes.append(await serve(settings, task_status=task_status))

    def broken(*args: object) -> None:
        raise RuntimeError("injected")

    with own_logging():
        async with trio.open_nursery() as nursery:
            with trio.fail_after(PATIENCE):
                gateway: Gateway = await nursery.start(serving)
            async with opened(place.ws) as idle, opened(place.ws) as sender:
                await idle.subscribe(STREAM)
                monkeypatch.setattr(registry, "settle", broken)
                with pytest.raises(Closed) as closed:
                    await refused_for_ever(sender)
                assert closed.value.code == 1012
                assert (await idle.closed()).code == 1012
                assert not gateway.ready
    assert codes == [1]
