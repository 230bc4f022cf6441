"""The same application under plain ``hypercorn``."""

import sys
from pathlib import Path

import httpx
import trio

from system.client import PATIENCE, opened
from system.event_source import source
from system.evidence import check_offsets, events
from system.harness import Place, environment, run

APPLICATION = "incident_manager.http.app:create_app()"
HYPERCORN = (
    sys.executable, "-m", "hypercorn", "--worker-class", "trio", "--bind", "127.0.0.1:{port}",
)  # fmt: skip
STREAM = "subscription { newIncidents { title } }"


async def test_it_streams_under_plain_hypercorn(tmp_path: Path) -> None:
    command = (*HYPERCORN, APPLICATION)
    async with run(tmp_path, command=command, ready_line="Running on") as server:
        async with opened(server.place.ws) as client:
            stream = await client.subscribe(STREAM)
            await client.submit("one")
            first = await client.next(stream)
            assert not [line for line in server.lines if "does not use" in line]
            assert first["data"]["newIncidents"]["title"] == "one"
            assert await server.stop() == 0
            assert (await client.closed()).code == 1001
        await server.start()
        async with opened(server.place.ws) as client:
            await client.submit("two")
            stream = await client.subscribe(STREAM, cursor=first["extensions"]["cursor"])
            payload = await client.next(stream)
            assert payload["data"]["newIncidents"]["title"] == "two"
            assert payload["extensions"]["recovered"] is True
        assert await server.stop() == 0
    bodies = events(server.place.journal)
    check_offsets(bodies)
    assert len(bodies) == 2


async def test_below_a_root_path_everything_is_served(tmp_path: Path) -> None:
    command = (*HYPERCORN, "--root-path", "/x", APPLICATION)
    async with run(tmp_path, command=command, ready_line="Running on") as server:
        async with opened(server.place.ws.replace("/graphql", "/x/graphql")) as client:
            stream = await client.subscribe(STREAM)
            async with httpx.AsyncClient(base_url=f"{server.place.http}/x") as web:
                async with source(web, STREAM) as events_of:
                    await client.submit("one")
                    payload = await client.next(stream)
                    assert payload["data"]["newIncidents"]["title"] == "one"
                    assert await events_of.title() == "one"
                assert (await web.get("/health")).status_code == 200
        assert await server.stop() == 0


async def test_it_says_which_settings_are_of_no_use(tmp_path: Path) -> None:
    given = {"server__host": "192.0.2.1", "server__http_port": 1, "server__unix_socket": "/x"}
    command, line = (*HYPERCORN, APPLICATION), "does not use"
    async with run(tmp_path, command=command, ready_line="Running on", **given) as server:
        said = await server.says(line)
        assert "server.host, server.http_port, server.unix_socket" in said
        assert not [other for other in server.lines if line in other]
        assert await server.stop() == 0


async def test_a_second_worker_is_refused(tmp_path: Path) -> None:
    place = Place(tmp_path)
    command = [part.replace("{port}", str(place.port)) for part in HYPERCORN]
    with trio.fail_after(PATIENCE):
        ended = await trio.run_process(
            [*command, "--workers", "2", APPLICATION],
            capture_stderr=True,
            env=environment(place.settings({})),
            cwd=tmp_path,
        )
    assert ended.stderr is not None
    text = ended.stderr.decode()
    assert f"{place.journal} is in use by another process (pid " in text
    assert "one process owns a journal" in text
