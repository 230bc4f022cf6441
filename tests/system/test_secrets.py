"""Credentials go in by every door, good ones and bad ones, and through crashes: none comes out."""

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import jwt
import pytest
import trio

from incident_manager.actors.journal.sqlite import SqliteJournal
from incident_manager.http.api_keys import new_key
from incident_manager.http.auth import Role, issue_token
from system.client import PATIENCE, connected, opened
from system.harness import LocalServer, environment, free_port, local

MARK = "Marker7d1f"  # is in every secret, and nowhere else
SECRET = f"{MARK} is a secret that signs tokens, and long enough"
FORGED = jwt.encode({"sub": "eve", "exp": 9_999_999_999, "role": "ADMIN"}, f"{MARK} of another" * 2)
WRONG_KEY = f"lim_{MARK}_{'x' * 43}"
QUERY = f"token={MARK}q1&access_token={MARK}q2&api_key={MARK}q3"


class Secrets:
    """All that must not come out, and all that did."""

    def __init__(self) -> None:
        self.texts: set[str] = {MARK, SECRET, FORGED, FORGED.rpartition(".")[2], WRONG_KEY}
        self.heard: dict[str, str] = {}

    def add(self, secret: str) -> str:
        self.texts.add(secret)
        if secret.startswith("eyJ"):
            self.texts.add(secret.rpartition(".")[2])
        return secret

    def hear(self, whence: str, text: str) -> None:
        self.heard[f"{len(self.heard)} {whence}"] = text

    def check(self) -> None:
        assert self.heard
        found = [
            (whence, text[max(0, text.find(secret) - 300) :][:700])
            for whence, text in self.heard.items()
            for secret in self.texts
            if secret in text
        ]
        assert not found, found[0]


def crash(*secrets: str) -> Any:
    """What fails with everything in its message and its locals."""

    async def fail(*given: object, **named: object) -> object:
        held = dict(enumerate(secrets))
        said = "; ".join(
            [
                *(f"Authorization: Bearer {each}" for each in held.values()),
                f"password={MARK}p",
                f"https://user:{MARK}u@keys.example/jwks",
                f"Cookie: session={MARK}c",
            ]
        )
        raise RuntimeError(said)

    return fail


@pytest.fixture
def secrets(capfd: pytest.CaptureFixture[str]) -> Iterator[Secrets]:
    found = Secrets()
    yield found
    out, err = capfd.readouterr()
    found.hear("standard output", out)
    found.hear("standard error", err)
    found.check()


async def exchange(server: LocalServer, secrets: Secrets, headers: dict[str, str]) -> set[int]:
    """Ask everything with these credentials; the statuses."""
    seen: set[int] = set()
    missing = "00000000-0000-4000-8000-000000000000"
    asked: list[tuple[str, str, dict[str, Any]]] = [
        *(
            ("GET", path, {})
            for path in (
                f"/v1/incidents?{QUERY}",
                "/v1/incidents",
                f"/v1/incidents/{missing}",
                "/v1/audit",
                "/v1/events",
                "/health",
                "/metrics",
                "/debug/actors",
                "/debug/actors/root.registry",
                f"/nothing?{QUERY}",
                f"/graphql?query=%7Bme%7Bname%7D%7D&{QUERY}",
            )
        ),
        ("POST", "/v1/alerts", {"content": b"{", "headers": {"Content-Type": "application/json"}}),
        ("POST", "/v1/alerts", {"json": {"token": f"{MARK}b", "password": f"{MARK}b2"}}),
        ("POST", "/graphql", {"json": {"query": "{ me { name nothing } }"}}),
        ("POST", "/graphql", {"json": {"query": "{ incidents { cursor } }"}}),
        ("DELETE", "/v1/incidents", {}),
        ("OPTIONS", "/v1/incidents", {}),
    ]
    cookie = {"Cookie": f"session={MARK}c1; token={MARK}c2"}
    async with httpx.AsyncClient(base_url=server.http) as http:
        for method, path, given in asked:
            sent = {**headers, **cookie, **given.pop("headers", {})}
            answer = await http.request(method, path, headers=sent, **given)
            seen.add(answer.status_code)
            secrets.hear(f"{method} {path}", f"{answer.headers}\n{answer.text}")
        page = await http.get("/debug/actors", headers={"Accept": "text/html", **headers})
        secrets.hear("the page", page.text)
    return seen


async def socket(server: LocalServer, secrets: Secrets, payload: dict[str, object]) -> int:
    """Say these credentials on a WebSocket; the code that it is closed with."""
    headers = [(b"cookie", f"session={MARK}w".encode())]
    async with connected(server.ws, headers=headers) as client:
        await client.send("connection_init", payload=payload)
        closed = await client.closed()
        secrets.hear("a close", f"{closed} {client.kept}")
        return closed.code


@pytest.mark.parametrize("json_logs", [True, False])
async def test_no_secret_comes_out(
    tmp_path: Path, secrets: Secrets, monkeypatch: pytest.MonkeyPatch, json_logs: bool
) -> None:
    key, kept = new_key("board", Role.ADMIN)
    entry = kept.entry()
    settings = {
        "auth__jwt_secret": SECRET,
        "auth__api_keys": f"board={entry}",
        "observability__log_level": "debug",
        "observability__json_logs": json_logs,
    }
    async with local(tmp_path, **settings) as server:
        loaded = server.gateway.settings
        token = secrets.add(issue_token(loaded, Role.ADMIN, "ann", 600))
        late = secrets.add(issue_token(loaded, Role.ADMIN, "ann", -600))
        secrets.texts |= {key, entry, kept.digest.hex()}
        for headers, wanted in (
            ({"Authorization": f"Bearer {token}"}, 200),
            ({"X-API-Key": key}, 200),
            ({"Authorization": f"Bearer {late}"}, 403),
            ({"Authorization": f"Bearer {FORGED}"}, 403),
            ({"Authorization": f"Basic {MARK}"}, 403),
            ({"X-API-Key": WRONG_KEY}, 403),
            ({}, 401),
        ):
            assert wanted in await exchange(server, secrets, headers)
        for payload in (
            {"Authorization": f"Bearer {late}"},
            {"Authorization": f"Bearer {FORGED}", "password": f"{MARK}i"},
            {"X-API-Key": WRONG_KEY},
            {"token": f"{MARK}t"},
        ):
            assert await socket(server, secrets, payload) == 4403
        good = {"Authorization": f"Bearer {token}"}
        async with opened(server.ws, {**good, "password": f"{MARK}j"}) as client:
            # A token that is renewed, and one that is not good.
            for each in (token, FORGED):
                pong = await client.ping({"authorization": f"Bearer {each}"})
                secrets.hear("a pong", json.dumps(pong["payload"]))
            await client.send_text(json.dumps({"type": f"{MARK}z"})[:-1])
            secrets.hear("a close", str(await client.closed()).replace(MARK, ""))

        # A reading fails, and an actor crashes: both say all that they know.
        all_of_them = (token, late, FORGED, key, SECRET)
        with monkeypatch.context() as patch:
            patch.setattr(SqliteJournal, "incidents", crash(*all_of_them))
            assert 500 in await exchange(server, secrets, good)
        tree = server.gateway.running().tree
        registry = tree.find("root.registry")
        assert registry is not None
        with monkeypatch.context() as patch:
            patch.setattr(SqliteJournal, "append", crash(*all_of_them))
            async with httpx.AsyncClient(base_url=server.http, headers=good) as http:
                alert = {"source": "s", "title": "t", "description": "d", "severity": "P1"}
                answer = await http.post("/v1/alerts", json=alert)
                assert answer.status_code == 503
                secrets.hear("a crash", answer.text)
                with trio.fail_after(PATIENCE):
                    while registry.last_failure is None:
                        await trio.lowlevel.checkpoint()
        await exchange(server, secrets, good)
    # The journal itself has names and hashes of keys at the most.
    for path in tmp_path.glob("incidents.db*"):
        secrets.hear(path.name, path.read_bytes().decode("latin-1"))


async def test_a_key_server_that_is_asked_with_a_secret(tmp_path: Path, secrets: Secrets) -> None:
    port = free_port()
    url = f"http://127.0.0.1:{port}/jwks?key={MARK}k"
    async with local(
        tmp_path, auth__jwks_url=url, auth__audience="im", observability__log_level="debug"
    ) as server:
        forged = {"Authorization": f"Bearer {FORGED}"}
        with trio.fail_after(PATIENCE):
            while server.gateway.authenticator.failure is None:
                await trio.lowlevel.checkpoint()
        await exchange(server, secrets, forged)


@pytest.mark.parametrize(
    ("settings", "arguments", "code"),
    [
        ({"auth.jwt_secret": SECRET}, ["serve", "--help"], 0),
        ({"auth.jwt_secret": f"{MARK} short"}, ["serve"], 2),
        ({"auth.api_keys": f"ann={MARK}"}, ["serve"], 2),
        ({"auth.jwks_url": f"https://user:{MARK}@keys.example/jwks"}, ["serve"], 2),
        ({"auth.issuer": f"https://{MARK}@keys.example"}, ["serve"], 2),
        ({"auth.jwt_secret": SECRET, "server.http_port": "x"}, ["serve"], 2),
        ({"auth.jwt_secret": SECRET}, ["serve", "--auth-jwt-secret", f"{MARK}"], 2),
        ({"auth.jwt_secret": SECRET}, ["serve", "--nothing"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
async def test_the_command_line_says_no_secret(
    tmp_path: Path, settings: dict[str, str], arguments: list[str], code: int
) -> None:
    with trio.fail_after(PATIENCE):
        ended = await trio.run_process(
            [sys.executable, "-m", "incident_manager", *arguments],
            env=environment(settings),
            cwd=tmp_path,
            capture_stdout=True,
            capture_stderr=True,
            check=False,
        )
    assert ended.returncode == code
    said = (ended.stdout + ended.stderr).decode()
    assert said
    assert MARK not in said
