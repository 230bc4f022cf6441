"""The server over TLS, and its certificate changed while it runs."""

import json
import signal
import ssl
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
import trio
from cryptography import x509
from websockets.sync.client import connect

from incident_manager.http.client import Refused, Unreachable, open_client
from system import certificates
from system.certificates import Certificates
from system.client import PATIENCE, opened
from system.harness import Place, local, run
from system.test_hypercorn import APPLICATION, HYPERCORN
from system.test_shutdown import refused

STREAM = "subscription { newIncidents { title } }"
HEALTH = "{ health { status } }"


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    """An authority, and a certificate of its for a server on this machine."""
    return certificates.make(tmp_path / "tls")


async def serial(place: Place, trust: ssl.SSLContext) -> int:
    """The number of the certificate that a new connection is shown."""
    stream = await trio.open_ssl_over_tcp_stream(
        "127.0.0.1", place.port, ssl_context=trust, https_compatible=True
    )
    async with stream:
        await stream.do_handshake()
        der = stream.getpeercert(binary_form=True)
    return x509.load_der_x509_certificate(der).serial_number


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
async def test_https_and_wss(tmp_path: Path, made: Certificates, version: ssl.TLSVersion) -> None:
    trust = made.trust()
    trust.minimum_version = trust.maximum_version = version
    async with local(tmp_path, tls=made) as server:
        async with httpx.AsyncClient(verify=trust) as web:
            answer = await web.get(f"{server.http}/health/ready")
            assert answer.status_code == 200, answer.text
        async with opened(server.ws, tls=trust) as client:
            stream = await client.subscribe(STREAM)
            await client.submit("by wss")
            assert (await client.next(stream))["data"]["newIncidents"]["title"] == "by wss"


async def test_the_products_own_client(tmp_path: Path, made: Certificates) -> None:
    async with (
        local(tmp_path, tls=made) as server,
        open_client(server.ws, ssl_context=made.trust()) as client,
    ):
        assert (await client.execute(HEALTH))["health"]["status"] == "HEALTHY"


async def test_who_does_not_know_the_authority_stays_away(
    tmp_path: Path, made: Certificates
) -> None:
    async with (
        local(tmp_path, tls=made) as server,
        open_client(server.ws, patience=0.1) as client,
    ):
        with pytest.raises((Unreachable, Refused), match=r"(?i)certificate"):
            await client.execute(HEALTH)


async def test_the_websockets_library(tmp_path: Path, made: Certificates) -> None:
    def talk(url: str) -> list[str]:
        with connect(url, ssl=made.trust(), subprotocols=["graphql-transport-ws"]) as socket:  # type: ignore[list-item]
            socket.send('{"type":"connection_init"}')
            first = json.loads(socket.recv(PATIENCE))
            query = {"type": "subscribe", "id": "1", "payload": {"query": HEALTH}}
            socket.send(json.dumps(query))
            return [first["type"], *(json.loads(socket.recv(PATIENCE))["type"] for _ in range(2))]

    async with local(tmp_path, tls=made) as server:
        told = await trio.to_thread.run_sync(talk, server.ws)
    assert told == ["connection_ack", "next", "complete"]


async def test_whoever_speaks_no_tls_is_not_answered(tmp_path: Path, made: Certificates) -> None:
    async with local(tmp_path, tls=made) as server:
        async with await trio.open_tcp_stream("127.0.0.1", server.place.port) as stream:
            await stream.send_all(b"GET /health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n")
            with trio.fail_after(PATIENCE):
                assert not (await stream.receive_some()).startswith(b"HTTP/")
        assert await serial(server.place, made.trust())


async def test_a_new_certificate_by_sighup(tmp_path: Path, made: Certificates) -> None:
    """New connections get it, the ones that there are go on."""
    async with run(tmp_path, tls=made) as server:
        async with opened(server.place.ws, tls=made.trust()) as client:
            stream = await client.subscribe(STREAM)
            first = await serial(server.place, made.trust())

            new = made.renew()
            assert await serial(server.place, made.trust()) == first
            server.signal(signal.SIGHUP)
            await server.says("read the certificate again")
            assert await serial(server.place, made.trust()) == new

            made.cert.write_bytes(made.issue().cert)  # of which the key is missing
            server.signal(signal.SIGHUP)
            line = json.loads(await server.says("the certificate in use is kept"))
            assert line["level"] == "error"
            assert "server.tls_cert and server.tls_key are not a certificate" in line["event"]
            assert await serial(server.place, made.trust()) == new

            made.key.unlink()
            server.signal(signal.SIGHUP)
            assert "server.tls_key: cannot read" in await server.says("certificate in use is kept")

            await client.submit("still there")
            assert (await client.next(stream))["data"]["newIncidents"]["title"] == "still there"
        assert await server.stop() == 0
        assert server.complaints() == []


async def test_sighup_without_tls_does_nothing(tmp_path: Path) -> None:
    async with run(tmp_path) as server, opened(server.place.ws) as client:
        server.signal(signal.SIGHUP)
        await server.says("there is no certificate to read again")
        await client.submit("still there")
        assert await server.stop() == 0
        assert server.complaints() == []


def _other_key(made: Certificates) -> None:
    made.key.write_bytes(made.issue().key)


@pytest.mark.parametrize(
    ("harm", "settings", "words"),
    [
        (lambda made: made.cert.unlink(), {}, "server.tls_cert: cannot read"),
        (lambda made: made.key.unlink(), {}, "server.tls_key: cannot read"),
        (_other_key, {}, "server.tls_cert and server.tls_key are not a certificate and its"),
        (None, {"server__tls_cert": None}, "server.tls_key needs server.tls_cert too"),
        (None, {"server__tls_key": None}, "server.tls_cert needs server.tls_key too"),
    ],
)
async def test_a_pair_that_cannot_be_used_stops_the_start(
    tmp_path: Path,
    made: Certificates,
    harm: Callable[[Certificates], None] | None,
    settings: dict[str, None],
    words: str,
) -> None:
    if harm is not None:
        harm(made)
    pair = {"server__tls_cert": made.cert, "server__tls_key": made.key}
    given = {key: value for key, value in (pair | settings).items() if value is not None}
    line = await refused(Place(tmp_path), **given)
    assert line.startswith(f"incident-manager: {words}")
    assert not (tmp_path / "incidents.db").exists()


async def test_tls_under_plain_hypercorn(tmp_path: Path, made: Certificates) -> None:
    pair = ("--certfile", str(made.cert), "--keyfile", str(made.key))
    command = (*HYPERCORN, *pair, APPLICATION)
    async with run(tmp_path, command=command, ready_line="Running on https") as server:
        place = Place(tmp_path, server.place.port, made)
        trust = made.trust(("h2", "http/1.1"))
        async with httpx.AsyncClient(verify=trust, http2=True) as web:
            assert (await web.get(f"{place.http}/health/live")).http_version == "HTTP/2"
        async with opened(place.ws, tls=made.trust()) as client:
            await client.submit("by wss")
        weak = made.trust()
        weak.maximum_version = ssl.TLSVersion.TLSv1_2
        weak.set_ciphers("ECDHE-ECDSA-AES128-SHA256")
        with pytest.raises(trio.BrokenResourceError):
            await serial(place, weak)
        assert await server.stop() == 0
