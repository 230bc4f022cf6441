"""Tokens by public keys: from a file, a key set and an issuer; rotation, outage, lies, forgery."""

import hmac
import json
import os
import signal
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import trio
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from joserfc.jwk import ECKey, OctKey, RSAKey

from incident_manager.http.gateway import Gateway
from system.client import PATIENCE, connected, opened
from system.harness import LocalServer, free_port, local
from system.key_server import KeyServer, key_server, make_key, sign

WHO = "{ me { name } }"
ALGORITHMS = ("RS256", "ES256", "EdDSA")


async def ask(server: LocalServer, authorization: str | None) -> tuple[int, str | None]:
    """The status of a reading, and the code of its problem."""
    headers = {} if authorization is None else {"Authorization": authorization}
    async with httpx.AsyncClient(base_url=server.http) as http:
        answer = await http.get("/v1/incidents", headers=headers)
    body = answer.json()
    return answer.status_code, body.get("code")


GOOD = (200, None)
BAD = (403, "UNAUTHORIZED")


async def until(gateway: Gateway, wanted: Callable[[dict[str, Any]], bool]) -> None:
    """Wait until the figures of the keeper of keys are as wanted."""
    with trio.fail_after(PATIENCE):
        while True:
            assert gateway.system is not None
            found = gateway.authenticator.statistics()["keys"]
            if wanted(found):
                return
            await trio.lowlevel.checkpoint()


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_a_key_in_a_file(tmp_path: Path, algorithm: str) -> None:
    key, other = make_key("one", algorithm), make_key("one", algorithm)
    pem = tmp_path / "key.pem"
    pem.write_bytes(key.as_pem(private=False))
    async with local(tmp_path, auth__jwt_public_key=pem, auth__jwt_algorithm=algorithm) as server:
        good = sign(key, algorithm=algorithm)
        assert await ask(server, good) == GOOD
        assert await ask(server, sign(other, algorithm=algorithm)) == BAD
        assert await ask(server, None) == (401, "UNAUTHENTICATED")
        async with opened(server.ws, {"Authorization": good}) as client:
            assert (await client.data(WHO))["me"]["name"] == "ann"
        # Another key in the file, read at SIGHUP.
        pem.write_bytes(other.as_pem(private=False))
        os.kill(os.getpid(), signal.SIGHUP)
        fresh = sign(other, algorithm=algorithm)
        with trio.fail_after(PATIENCE):
            while await ask(server, fresh) != GOOD:
                pass
        assert await ask(server, good) == BAD


@pytest.mark.parametrize("algorithm", ALGORITHMS)
async def test_an_issuer(tmp_path: Path, algorithm: str) -> None:
    key = make_key("one", algorithm)
    with key_server(key, make_key("two", "ES256")) as keys:
        async with local(
            tmp_path,
            auth__issuer=keys.url,
            auth__audience="lim",
            auth__jwt_algorithm=algorithm,
        ) as server:
            good = {"iss": keys.url, "aud": ["other", "lim"]}
            assert await ask(server, sign(key, algorithm=algorithm, **good)) == GOOD
            for wrong in (
                {"iss": "https://other.example"},
                {"iss": None},
                {"iss": [keys.url]},
                {"aud": "other"},
                {"aud": None},
                {"exp": None},
                {"exp": int(time.time()) - 1},
                {"nbf": int(time.time()) + 600},
                {"iat": int(time.time()) + 600},
            ):
                token = sign(key, algorithm=algorithm, **{**good, **wrong})
                assert await ask(server, token) == BAD, wrong


async def test_a_document_of_another_issuer_is_not_believed(tmp_path: Path) -> None:
    key = make_key("one")
    with key_server(key) as keys:
        keys.issuer = f"{keys.url}/"
        async with local(tmp_path, auth__issuer=keys.url, auth__jwt_algorithm="ES256") as server:
            token = sign(key, iss=keys.url)
            assert await ask(server, token) == (503, "SERVICE_UNAVAILABLE")
            assert keys.asked == 0


async def test_keys_are_rotated_without_a_pause(tmp_path: Path) -> None:
    old, new = make_key("old"), make_key("new")
    with key_server(old) as keys:
        async with local(
            tmp_path, auth__jwks_url=keys.jwks_url, auth__jwt_algorithm="ES256"
        ) as server:
            assert await ask(server, sign(old)) == GOOD
            async with opened(server.ws, {"Authorization": sign(old)}) as client:
                keys.keys = [old, new]
                pong = await client.ping({"authorization": sign(new)})
                assert pong["payload"]["authorization"] == "accepted"
            assert await ask(server, sign(old)) == GOOD
            keys.keys = [new]
            asked = keys.asked
            server.gateway.authenticator.reload()
            await until(server.gateway, lambda found: found["fetches"] > asked)
            assert await ask(server, sign(new)) == GOOD
            assert await ask(server, sign(old)) == BAD  # remembered no longer, either


async def test_unknown_keys_cost_the_key_server_little(tmp_path: Path) -> None:
    key, stranger = make_key("one"), make_key("two")
    with key_server(key) as keys:
        async with local(
            tmp_path, auth__jwks_url=keys.jwks_url, auth__jwt_algorithm="ES256"
        ) as server:
            assert await ask(server, sign(key)) == GOOD
            before, began = keys.asked, trio.current_time()
            async with trio.open_nursery() as nursery:
                for number in range(20):
                    token = sign(stranger, header={"kid": f"../../{number}"})
                    nursery.start_soon(ask, server, token)
            allowed = 1 + int((trio.current_time() - began) / 5.0)
            assert 1 <= keys.asked - before <= allowed + 1
            assert await ask(server, sign(key)) == GOOD


async def test_an_outage_changes_nothing_for_keys_that_are_known(tmp_path: Path) -> None:
    old, new = make_key("old"), make_key("new")
    with key_server(old) as keys:
        async with local(
            tmp_path, auth__jwks_url=keys.jwks_url, auth__jwt_algorithm="ES256"
        ) as server:
            assert await ask(server, sign(old)) == GOOD
            keys.lie = (500, {}, b"")
            server.gateway.authenticator.reload()
            await until(server.gateway, lambda found: found["failures_in_a_row"] > 0)
            assert await ask(server, sign(old)) == GOOD
            assert await ask(server, sign(old, sub="bob")) == GOOD  # one not seen before
            assert await ask(server, sign(new)) == BAD
            async with httpx.AsyncClient(base_url=server.http) as http:
                health = (await http.get("/health")).json()
                assert health["status"] == "DEGRADED"
                assert (await http.get("/health/ready")).status_code == 200
            keys.lie, keys.keys = None, [old, new]
            await until(server.gateway, lambda found: found["failures_in_a_row"] == 0)
            assert await ask(server, sign(new)) == GOOD


async def test_a_server_starts_while_its_key_server_is_down(tmp_path: Path) -> None:
    key, port = make_key("one"), free_port()
    async with local(
        tmp_path,
        auth__jwks_url=f"http://127.0.0.1:{port}/keys",
        auth__jwt_algorithm="ES256",
    ) as server:
        assert await ask(server, sign(key)) == (503, "SERVICE_UNAVAILABLE")
        assert await ask(server, sign(key, algorithm="ES256") + "x" * 20_000) == BAD
        assert await ask(server, None) == (401, "UNAUTHENTICATED")
        async with connected(server.ws) as client:
            await client.send("connection_init", payload={"Authorization": sign(key)})
            assert (await client.closed()).code == 1013  # stock clients come back after it
        with key_server(key, port=port):
            await until(server.gateway, lambda found: found["keys"] == 1)
            assert await ask(server, sign(key)) == GOOD


async def test_a_slow_key_server_holds_up_nobody_else(tmp_path: Path) -> None:
    key, stranger = make_key("one"), make_key("two")
    with key_server(key) as keys:
        async with local(
            tmp_path, auth__jwks_url=keys.jwks_url, auth__jwt_algorithm="ES256"
        ) as server:
            assert await ask(server, sign(key)) == GOOD
            keys.held.clear()
            answered: list[tuple[int, str | None]] = []

            async def wait() -> None:
                answered.append(await ask(server, sign(stranger)))

            async with trio.open_nursery() as nursery:
                nursery.start_soon(wait)
                await until(server.gateway, lambda found: found["fetches"] == 2)
                assert await ask(server, sign(key)) == GOOD
                assert not answered
                keys.held.set()
            assert answered == [BAD]


LIES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "html": (200, {"Content-Type": "text/html"}, b"<html>Sign in</html>"),
    "no keys": (200, {}, b'{"keys": []}'),
    "no list": (200, {}, b'{"keys": {"kty": "EC"}}'),
    "deep": (200, {}, b"[" * 100_000),
    "giant": (200, {}, b" " * 300_000 + b'{"keys": []}'),
    "compressed": (200, {"Content-Encoding": "gzip"}, b"\x1f\x8b"),
    "elsewhere": (302, {"Location": "http://127.0.0.1:1/"}, b""),
    "cut off": (200, {"Content-Length": "5000"}, b'{"keys": ['),
    "symmetric": (
        200,
        {},
        json.dumps({"keys": [OctKey.generate_key(256, {"kid": "one"}).as_dict(True)]}).encode(),
    ),
    "private": (200, {}, json.dumps({"keys": [make_key("one").as_dict(private=True)]}).encode()),
    "two of one name": (
        200,
        {},
        json.dumps({"keys": [make_key("one").as_dict(private=False) for _ in "ab"]}).encode(),
    ),
}


async def test_what_a_lying_key_server_says_changes_nothing(tmp_path: Path) -> None:
    key = make_key("one")
    with key_server(key) as keys:
        async with local(
            tmp_path, auth__jwks_url=keys.jwks_url, auth__jwt_algorithm="ES256"
        ) as server:
            assert await ask(server, sign(key)) == GOOD
            failures = 0
            for name, keys.lie in LIES.items():
                server.gateway.authenticator.reload()
                await until(
                    server.gateway, lambda found, seen=failures: found["failures_in_a_row"] > seen
                )
                failures = server.gateway.authenticator.statistics()["keys"]["failures_in_a_row"]
                assert await ask(server, sign(key, jti=name)) == GOOD, name


async def test_forged_tokens_are_refused(tmp_path: Path) -> None:
    key, thief = make_key("one", "RS256"), make_key("one", "RS256")
    pem = key.as_pem(private=False)
    public = key.as_dict(private=False)
    claims = {"sub": "eve", "roles": ["ADMIN"], "exp": int(time.time()) + 600}

    def hs256(secret: bytes) -> str:
        # By hand: no library makes a secret of a public key.
        parts = ({"alg": "HS256", "kid": "one"}, claims)
        signed = b".".join(urlsafe_b64encode(json.dumps(part).encode()) for part in parts)
        signed = signed.replace(b"=", b"")
        mac = urlsafe_b64encode(hmac.digest(secret, signed, "sha256")).replace(b"=", b"")
        return f"Bearer {(signed + b'.' + mac).decode()}"

    head, _, rest = sign(key, algorithm="RS256").removeprefix("Bearer ").partition(".")
    body = rest.partition(".")[0]
    none = "eyJhbGciOiJub25lIn0"
    forged = [
        sign(thief, algorithm="RS256"),
        sign(thief, algorithm="RS256", header={"jwk": thief.as_dict(private=False)}),
        sign(thief, algorithm="RS256", header={"jku": "http://127.0.0.1:1/keys"}),
        sign(thief, algorithm="RS256", header={"x5u": "http://127.0.0.1:1/keys"}),
        sign(thief, algorithm="RS256", header={"kid": "/dev/null"}),
        sign(thief, algorithm="RS256", header={"kid": "' OR 1=1 --"}),
        sign(thief, algorithm="RS256", header={"kid": "x" * 10_000}),
        hs256(pem),
        hs256(json.dumps(public).encode()),
        hs256(public["n"].encode()),
        f"Bearer {none}.{body}.",
        f"Bearer {head}.{body}.",
        f"Bearer {head}.{body}",
        f"Bearer {none}.{rest}",
    ]
    with key_server(key) as keys:
        async with local(tmp_path, auth__jwks_url=keys.jwks_url) as server:
            assert await ask(server, sign(key, algorithm="RS256")) == GOOD
            for token in forged:
                assert await ask(server, token) == BAD, token
            async with connected(server.ws) as client:
                await client.send("connection_init", payload={"Authorization": forged[0]})
                assert (await client.closed()).code == 4403


@pytest.mark.filterwarnings("ignore:Key size should be")
async def test_keys_that_must_not_verify_do_not(tmp_path: Path) -> None:
    good = make_key("good", "RS256")
    encrypting = RSAKey.generate_key(2048, {"kid": "enc", "use": "enc"})
    other = RSAKey.generate_key(2048, {"kid": "ps", "alg": "PS256"})
    weak = RSAKey.import_key(
        rsa.generate_private_key(65537, 1024).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
        ),
        {"kid": "weak"},
    )
    wrapping = RSAKey.generate_key(2048, {"kid": "ops", "key_ops": ["wrapKey"]})
    curve = ECKey.generate_key("P-256", {"kid": "ec"})
    with key_server(good, encrypting, other, wrapping, curve, weak) as keys:
        async with local(tmp_path, auth__jwks_url=keys.jwks_url) as server:
            assert await ask(server, sign(good, algorithm="RS256")) == GOOD
            for key in (encrypting, other, wrapping, weak):
                plain = RSAKey.import_key(key.as_pem(private=True), {"kid": key.kid})
                assert await ask(server, sign(plain, algorithm="RS256")) == BAD, key.kid
            assert await ask(server, sign(curve)) == BAD


@pytest.mark.parametrize(
    ("settings", "claims", "status"),
    [
        ({"auth__roles_claim": "realm_access.roles"}, {"realm_access": {"roles": ["admin"]}}, 200),
        ({"auth__roles_claim": "realm_access.roles"}, {"roles": ["ADMIN"]}, 403),
        ({"auth__scope_roles": "lim:read=VIEWER"}, {"scope": "openid lim:read"}, 200),
        ({"auth__scope_roles": "lim:read=VIEWER"}, {"scp": ["lim:read"]}, 200),
        ({"auth__scope_roles": "lim:read=VIEWER"}, {"scope": "openid"}, 403),
        ({}, {}, 403),
    ],
)
async def test_where_roles_come_from(
    tmp_path: Path, settings: dict[str, str], claims: dict[str, object], status: int
) -> None:
    key = make_key("one")
    with key_server(key) as keys:
        async with local(
            tmp_path, auth__jwks_url=keys.jwks_url, auth__jwt_algorithm="ES256", **settings
        ) as server:
            answer = await ask(server, sign(key, **{"roles": None, **claims}))
            assert answer == (status, None if status == 200 else "FORBIDDEN")


async def test_a_token_of_an_issuer_expires_on_its_connection(tmp_path: Path) -> None:
    key = make_key("one")
    with key_server(key) as keys:
        async with local(
            tmp_path, auth__jwks_url=keys.jwks_url, auth__jwt_algorithm="ES256"
        ) as server:
            soon = sign(key, exp=time.time() + 2)
            async with opened(server.ws, {"Authorization": soon}) as client:
                closed = await client.closed()
                assert (closed.code, closed.reason) == (4403, "The token has expired")
            assert await ask(server, soon) == BAD


def test_the_key_server_of_the_tests_publishes_no_private_part() -> None:
    with key_server(make_key("one")) as keys:
        assert isinstance(keys, KeyServer)
        (key,) = httpx.get(keys.jwks_url).json()["keys"]
        assert "d" not in key
