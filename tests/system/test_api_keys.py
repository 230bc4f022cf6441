"""API keys: made and revoked by command while the server runs, over HTTP and WebSocket."""

import os
import sys
import time
from pathlib import Path

import httpx
import pytest
import trio

from incident_manager.actors.roles import Role
from incident_manager.http.api_key_file import rewriting
from incident_manager.http.api_keys import new_key
from incident_manager.http.auth import issue_token
from system.client import PATIENCE, Client, connected, opened
from system.harness import LocalServer, environment, local

WHO = "{ me { name roles } }"
ALERT = {"source": "s", "title": "t", "description": "d", "severity": "P1"}


async def command(*words: str, file: Path) -> str:
    """``incident-manager api-key`` in a process of its own; what it prints."""
    with trio.fail_after(PATIENCE):
        done = await trio.run_process(
            [sys.executable, "-m", "incident_manager", "api-key", *words],
            env=environment({"auth.api_keys_file": str(file)}),
            capture_stdout=True,
            capture_stderr=True,
        )
    assert b"lim_" not in done.stderr
    return done.stdout.decode().strip()


async def status(server: LocalServer, key: str | None, *, change: bool = False) -> int:
    headers = {} if key is None else {"x-api-key": key}
    async with httpx.AsyncClient(base_url=server.http, headers=headers) as http:
        if change:
            return (await http.post("/v1/alerts", json=ALERT)).status_code
        return (await http.get("/v1/incidents")).status_code


async def closed(client: Client) -> tuple[int, str]:
    with trio.fail_after(PATIENCE):
        found = await client.closed()
    return found.code, found.reason


async def test_a_key_lives_and_ends_while_the_server_runs(tmp_path: Path) -> None:
    file = tmp_path / "keys.toml"
    async with local(tmp_path, auth__api_keys_file=file) as server:
        assert await status(server, None) == 401
        reader = await command("create", "reader", "--role", "viewer", file=file)
        writer = await command("create", "ci", "--role", "responder", file=file)
        with trio.fail_after(PATIENCE):
            while await status(server, writer) != 200:
                pass
        assert await status(server, writer, change=True) == 202
        assert await status(server, reader, change=True) == 403
        assert await status(server, reader[:-1] + "_") == 403
        assert await status(server, reader.replace("reader", "ci")) == 403
        listed = await command("list", file=file)
        assert listed.splitlines() == [
            "reader  VIEWER  never expires",
            "ci  RESPONDER  never expires",
        ]
        kept = file.read_text()
        assert reader.rpartition("_")[2] not in kept
        assert file.stat().st_mode & 0o777 == 0o600
        header = [(b"X-API-Key", writer.encode())]
        async with (
            connected(server.ws, headers=header) as by_header,
            opened(server.ws, {"X-Api-Key": writer}) as by_payload,
            opened(server.ws, {"x-api-key": reader}) as other,
        ):
            await by_header.init()
            for client in (by_header, by_payload):
                me = (await client.data(WHO))["me"]
                assert me == {"name": "api-key:ci", "roles": ["VIEWER", "RESPONDER"]}
            await by_payload.subscribe("subscription { newIncidents { title } }")
            await command("revoke", "ci", file=file)
            for client in (by_header, by_payload):
                assert await closed(client) == (4403, "The API key is not valid any more")
            assert (await other.data(WHO))["me"]["name"] == "api-key:reader"
        assert await status(server, writer) == 403
        assert await status(server, reader) == 200
        async with connected(server.ws, headers=header) as client:
            await client.send("connection_init")
            assert (await closed(client))[0] == 4403


@pytest.mark.parametrize(
    ("path", "first", "last"),
    [
        ("/debug/actors?watch", "event: snapshot", 'data: {"reason":"revoked"}'),
        ("/graphql/stream?query=subscription{newIncidents{id}}", "retry: 1000", None),
    ],
)
async def test_a_stream_ends_with_its_key(
    tmp_path: Path, path: str, first: str, last: str | None
) -> None:
    file = tmp_path / "keys.toml"
    with rewriting(file) as keys:
        text, keys["ops"] = new_key("ops", Role.ADMIN)
        _, keys["other"] = new_key("other", Role.VIEWER)
    async with (
        local(tmp_path, auth__api_keys_file=file) as server,
        httpx.AsyncClient(headers={"x-api-key": text}, timeout=PATIENCE) as http,
        http.stream("GET", f"{server.http}{path}") as response,
    ):
        lines = response.aiter_lines()
        assert await anext(lines) == first
        # Only a key that is its own ends it.
        for name in ("other", "ops"):
            with rewriting(file) as keys:
                del keys[name]
            server.gateway.authenticator.reload()
        with trio.fail_after(PATIENCE):
            said = [line async for line in lines]
        assert (last is None and said == []) or last in said


async def test_the_payload_counts_before_the_headers(tmp_path: Path) -> None:
    good, key = new_key("ci", Role.VIEWER)
    async with (
        local(tmp_path, auth__api_keys=f"ci={key.entry()}") as server,
        connected(server.ws, headers=[(b"X-API-Key", good.encode())]) as client,
    ):
        await client.send("connection_init", payload={"X-API-Key": "lim_no_key"})
        assert (await closed(client))[0] == 4403


async def test_keys_and_tokens_side_by_side(tmp_path: Path) -> None:
    text, key = new_key("ci", Role.RESPONDER)
    async with local(
        tmp_path,
        auth__api_keys=f"ci={key.entry()}",
        auth__jwt_secret="a secret of tests that is long enough",
    ) as server:
        token = issue_token(server.gateway.settings, Role.ADMIN, "api-key:ci", 60)
        bearer = {"Authorization": f"Bearer {token}"}
        async with httpx.AsyncClient(base_url=server.http, headers=bearer) as http:
            assert (await http.get("/debug/actors")).status_code == 200
            # With both, the API key counts, and it is no ADMIN's.
            answer = await http.get("/debug/actors", headers={"X-API-Key": text})
            assert answer.json()["code"] == "FORBIDDEN"
            wrong = {"X-API-Key": "lim_x_y"}
            assert (await http.get("/debug/actors", headers=wrong)).status_code == 403
        async with opened(server.ws, {"x-api-key": text}) as client:
            # Nobody turns into somebody else: a token of that name is not that key.
            pong = await client.ping({"authorization": f"Bearer {token}"})
            assert pong["payload"] == {"authorization": "rejected", "expiresAt": None}


async def test_a_key_expires(tmp_path: Path) -> None:
    text, key = new_key("ci", Role.VIEWER, expires_at=int(time.time()) + 4)
    async with local(tmp_path, auth__api_keys=f"ci={key.entry()}") as server:
        async with opened(server.ws, {"x-api-key": text}) as client:
            assert await closed(client) == (4403, "The API key has expired")
        assert await status(server, text) == 403


async def test_a_key_with_selectors_is_not_let_see_everything(tmp_path: Path) -> None:
    text, key = new_key("ci", Role.VIEWER, selectors={"tenant": "acme"})
    async with local(tmp_path, auth__api_keys=f"ci={key.entry()}") as server:
        assert await status(server, text) == 200
        async with httpx.AsyncClient(headers={"x-api-key": text}) as http:
            assert (await http.get(f"{server.http}/metrics")).status_code == 403


@pytest.mark.parametrize("content", ["this is no TOML", "a = 7", 'a = "ADMIN"', "\xff"])
async def test_a_file_that_cannot_be_used_changes_nothing(tmp_path: Path, content: str) -> None:
    file = tmp_path / "keys.toml"
    with rewriting(file) as keys:
        text, keys["ci"] = new_key("ci", Role.VIEWER)
    async with local(tmp_path, auth__api_keys_file=file) as server:
        auth = server.gateway.authenticator
        good = file.read_bytes()
        file.write_bytes(content.encode("latin-1"))
        os.utime(file, (1, 1))
        with trio.fail_after(PATIENCE):
            while auth.failure is None:
                assert await status(server, text) == 200
        auth.reload()
        assert await status(server, text) == 200
        file.write_bytes(good)
        auth.reload()
        with trio.fail_after(PATIENCE):
            while auth.failure is not None:
                assert await status(server, text) == 200


async def test_no_key_is_in_the_logs(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    text, key = new_key("ci", Role.VIEWER)
    async with local(
        tmp_path, auth__api_keys=f"ci={key.entry()}", observability__log_level="debug"
    ) as server:
        assert await status(server, text) == 200
        assert await status(server, text + "x") == 403
        async with connected(server.ws) as client:
            await client.send("connection_init", payload={"x-api-key": text + "x"})
            assert (await closed(client))[0] == 4403
    said = "".join(capfd.readouterr())
    assert "ready" in said
    assert text not in said
    assert key.digest.hex() not in said
