"""The server on a Unix socket."""

import json
import stat
import sys
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import httpx
import pytest
import trio
from trio_websocket import wrap_client_stream

from system import certificates
from system.client import PATIENCE, Client
from system.harness import COMMAND, Place, environment, local, run
from system.rude import upgrade
from system.test_hypercorn import APPLICATION
from system.test_shutdown import refused

STREAM = "subscription { newIncidents { title } }"


@pytest.fixture
def place() -> Iterator[Path]:
    """Where the socket is to be; the kernel takes no long paths."""
    with TemporaryDirectory(prefix="im-") as folder:
        yield Path(folder) / "im.sock"


def web(place: Path, scheme: str = "http", **options: Any) -> httpx.AsyncClient:
    """A client of HTTP through the socket."""
    transport = httpx.AsyncHTTPTransport(uds=str(place), **options)
    return httpx.AsyncClient(transport=transport, base_url=f"{scheme}://localhost")


@asynccontextmanager
async def opened(place: Path) -> AsyncIterator[Client]:
    """A WebSocket through the socket, acknowledged."""
    stream = await trio.open_unix_socket(str(place))
    async with stream, trio.open_nursery() as nursery:
        try:
            with trio.fail_after(PATIENCE):
                socket = await wrap_client_stream(
                    nursery,
                    stream,
                    "localhost",
                    "/graphql/ws",
                    subprotocols=["graphql-transport-ws"],
                )
            client = Client(socket, stream)
            await client.init()
            yield client
            with trio.fail_after(PATIENCE):
                await socket.aclose()
        finally:
            nursery.cancel_scope.cancel()


async def curl(*arguments: str) -> str:
    """What the real curl prints."""
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(["curl", "-sS", *arguments], capture_stdout=True)
    assert done.stdout is not None
    return done.stdout.decode()


async def test_everything_works_through_it(tmp_path: Path, place: Path) -> None:
    async with local(tmp_path, server__unix_socket=place) as server, web(place) as http:
        assert (await http.get("/health/ready")).status_code == 200
        async with opened(place) as client:
            stream = await client.subscribe(STREAM)
            alert = {"source": "s", "title": "by unix", "description": "d", "severity": "P2"}
            assert (await http.post("/v1/alerts", json=alert)).status_code == 202
            assert (await client.next(stream))["data"]["newIncidents"]["title"] == "by unix"
            [connection] = _peers((await http.get("/debug/actors")).json())
            assert connection == "unix"
            by_peer = await http.get("/debug/actors", params={"peer": "unix"})
            assert by_peer.status_code == 200
            assert _peers(by_peer.json()) == ["unix"]
        with pytest.raises(OSError):  # nothing listens on the port
            await trio.open_tcp_stream("127.0.0.1", server.place.port)
    assert not place.exists()


def _peers(tree: Any) -> list[str]:
    """Every ``peer`` in an answer of the debug doors."""
    found: list[str] = []
    if isinstance(tree, Mapping):
        found += [tree["peer"]] if isinstance(tree.get("peer"), str) else []
        for value in tree.values():
            found += _peers(value)
    elif isinstance(tree, list):
        for value in tree:
            found += _peers(value)
    return found


@pytest.mark.component("curl")
async def test_curl(tmp_path: Path, place: Path) -> None:
    async with local(tmp_path, server__unix_socket=place):
        at = ("--unix-socket", str(place))
        for host in ("localhost", "127.0.0.1"):
            assert json.loads(await curl(*at, f"http://{host}/health"))["status"] == "HEALTHY"
        version = await curl(
            *at, "--http2-prior-knowledge", "-o", "/dev/null", "-w", "%{http_version}",
            "http://localhost/health",
        )  # fmt: skip
        assert version == "2"


async def test_an_open_server_answers_to_localhost_only(tmp_path: Path, place: Path) -> None:
    """A proxy before it may be reached by names that others choose."""
    async with local(tmp_path, server__unix_socket=place), web(place) as http:
        answer = await http.get("/v1/incidents", headers={"Host": "evil.example"})
        assert answer.status_code == 403
        async with await trio.open_unix_socket(str(place)) as stream:
            await stream.send_all(upgrade().replace(b"127.0.0.1", b"evil.example"))
            with trio.fail_after(PATIENCE):
                assert (await stream.receive_some()).startswith(b"HTTP/1.1 403 ")


async def test_tls_through_it(tmp_path: Path, place: Path) -> None:
    made = certificates.make(tmp_path / "tls")
    options = {"verify": made.trust(("h2", "http/1.1")), "http2": True}
    async with (
        local(tmp_path, tls=made, server__unix_socket=place),
        web(place, "https", **options) as http,
    ):
        answer = await http.get("/health/ready")
        assert (answer.status_code, answer.http_version) == (200, "HTTP/2")


async def test_a_second_server_is_refused_and_a_dead_one_replaced(
    tmp_path: Path, place: Path
) -> None:
    other = tmp_path / "other"
    other.mkdir()
    async with run(tmp_path, server__unix_socket=place) as server:
        assert stat.S_IMODE(place.lstat().st_mode) == 0o660
        line = await refused(Place(other), server__unix_socket=place)
        assert line.endswith(
            f"cannot listen on {place} (server.unix_socket): another server listens there"
        )
        async with opened(place) as client:
            await client.submit("before")
        await server.kill()
        assert place.is_socket()
        await server.start()
        async with web(place) as http:
            found = (await http.get("/v1/incidents")).json()["incidents"]
        assert [incident["title"] for incident in found] == ["before"]
        assert await server.stop() == 0
        assert not place.exists()
        assert server.complaints() == []


async def test_a_file_in_its_place_is_kept(tmp_path: Path, place: Path) -> None:
    place.write_text("precious")
    line = await refused(Place(tmp_path), server__unix_socket=place)
    assert "(server.unix_socket): there is something that is no socket" in line
    assert place.read_text() == "precious"


async def test_the_second_on_a_journal_does_not_say_that_it_listens(
    tmp_path: Path, place: Path
) -> None:
    """And leaves no socket behind."""
    async with run(tmp_path) as server:
        line = await refused(server.place, server__unix_socket=place, server__http_port=0)
        assert "is in use by another process" in line
        assert not place.exists()


async def test_the_banner_tells_of_it(tmp_path: Path, place: Path) -> None:
    given = Place(tmp_path).settings({"server.unix_socket": place})
    process = await trio.lowlevel.open_process(
        list(COMMAND), stdout=-1, stderr=-3, env=environment(given), cwd=tmp_path
    )
    assert process.stdout is not None
    async with process.stdout:
        try:
            text = b""
            with trio.fail_after(PATIENCE):
                while b"  try " not in text:
                    text += await process.stdout.receive_some()
        finally:
            process.terminate()
            with trio.CancelScope(shield=True):
                assert await process.wait() == 0
    assert f"  listens  unix:{place} (http)" in text.decode()


async def test_a_unix_socket_of_plain_hypercorn(tmp_path: Path, place: Path) -> None:
    command = (sys.executable, "-m", "hypercorn", "--worker-class", "trio", "--bind")
    async with run(
        tmp_path, command=(*command, f"unix:{place}", APPLICATION), ready_line="Running on"
    ) as server:
        async with opened(place) as client:
            await client.submit("one")
        assert await server.stop() == 0
