import logging
import os
import socket
import ssl
from pathlib import Path

import pytest

from incident_manager.http.address import has_ipv6_loopback, probe
from incident_manager.http.config import SettingsError
from incident_manager.http.listeners import listeners
from incident_manager.http.sections import ServerSettings
from incident_manager.http.settings import Settings
from system import certificates


def on(**server: object) -> Settings:
    return Settings(server=ServerSettings(**server))  # type: ignore[arg-type]


def test_tcp_without_tls(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    with listeners(on(host="127.0.0.1", http_port=0)) as config:
        sockets = config.create_sockets()
        assert (sockets.secure_sockets, sockets.quic_sockets) == ([], [])
        [sock] = sockets.insecure_sockets
        with sock, socket.create_connection(sock.getsockname()):
            pass
        assert config.create_ssl_context() is None
        config.renew()
    assert caplog.messages == ["there is no certificate to read again: server.tls_cert is not set"]


def test_an_address_taken_meanwhile() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        listeners(on(host="127.0.0.1", http_port=taken.getsockname()[1])) as config,
        pytest.raises(
            SettingsError,
            match=r"^cannot listen on 127.0.0.1:\d+ \(server.http_port\): it is in use",
        ),
    ):
        config.create_sockets()


def test_both_loopbacks() -> None:
    port = probe("127.0.0.1", 0)
    with listeners(on(http_port=port)) as config:
        sockets = config.create_sockets().insecure_sockets
        names = {sock.getsockname()[:2] for sock in sockets}
        for sock in sockets:
            sock.close()
    assert names - {("::1", port)} == {("127.0.0.1", port)}
    assert (("::1", port) in names) is has_ipv6_loopback()


def test_a_unix_socket(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with listeners(on(unix_socket="s")) as config:
        [sock] = config.create_sockets().insecure_sockets
        assert sock.getsockname() == "s"
        with pytest.raises(SettingsError) as refused, listeners(on(unix_socket="s")):
            pass
        assert str(refused.value) == (
            "cannot listen on s (server.unix_socket): another server listens there"
        )
    assert not os.path.lexists("s")


def test_a_unix_socket_with_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = certificates.make(tmp_path)
    given = on(unix_socket="s", tls_cert=str(made.cert), tls_key=str(made.key))
    with listeners(given) as config:
        sockets = config.create_sockets()
        assert len(sockets.secure_sockets) == 1
        assert sockets.insecure_sockets == []
        assert isinstance(config.create_ssl_context(), ssl.SSLContext)
    made.key.unlink()
    with pytest.raises(SettingsError, match=r"server\.tls_key"), listeners(given):
        pass
    assert not os.path.lexists("s")


@pytest.mark.parametrize(
    ("path", "why"), [("nowhere/s", "No such file or directory"), ("s" * 120, "too long")]
)
def test_a_unix_socket_that_cannot_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, why: str
) -> None:
    monkeypatch.chdir(tmp_path)
    with (
        pytest.raises(SettingsError, match=rf"\(server.unix_socket\): .*{why}"),
        listeners(on(unix_socket=path)),
    ):
        pass


def test_a_certificate_is_renewed_or_kept(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    made = certificates.make(tmp_path)
    given = on(host="127.0.0.1", tls_cert=str(made.cert), tls_key=str(made.key))
    with listeners(given) as config:
        config.renew()
        assert caplog.messages == ["read the certificate again, for new connections"]
        made.cert.write_text("")
        config.renew()
    said = caplog.records[-1]
    assert said.levelno == logging.ERROR
    assert said.getMessage().startswith("server.tls_cert and server.tls_key are not")
    assert said.getMessage().endswith("; the certificate in use is kept")
