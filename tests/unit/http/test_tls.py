import ssl
from pathlib import Path

import pytest
from cryptography import x509

from incident_manager.http.config import SettingsError
from incident_manager.http.sections import ServerSettings
from incident_manager.http.settings import Settings
from incident_manager.http.tls import ALPN, RenewableContext, server_context
from system import certificates
from system.certificates import Certificates


@pytest.fixture
def made(tmp_path: Path) -> Certificates:
    return certificates.make(tmp_path)


def of(cert: object, key: object) -> Settings:
    return Settings(server=ServerSettings(tls_cert=str(cert), tls_key=str(key)))


def shaken(client: ssl.SSLContext, server: ssl.SSLContext) -> ssl.SSLObject:
    """The client's side of a connection in memory, after the handshake."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(down, up, server_hostname="localhost")
    theirs = server.wrap_bio(up, down, server_side=True)
    waiting = [ours, theirs]
    while waiting:
        side = waiting.pop(0)
        try:
            side.do_handshake()
        except ssl.SSLWantReadError:
            waiting.append(side)
    return ours


def serial(connection: ssl.SSLObject) -> int:
    der = connection.getpeercert(binary_form=True)
    assert der is not None
    return x509.load_der_x509_certificate(der).serial_number


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("alpn", [ALPN, ("http/1.1", "h2"), ("http/1.1",), ()])
def test_versions_and_protocols(
    made: Certificates, version: ssl.TLSVersion, alpn: tuple[str, ...]
) -> None:
    client = made.trust(alpn)
    client.minimum_version = client.maximum_version = version
    connection = shaken(client, server_context(of(made.cert, made.key)))
    assert connection.version() == version.name.replace("_", ".")
    assert connection.selected_alpn_protocol() == ("h2" if "h2" in alpn else (*alpn, None)[0])
    assert connection.compression() is None


def test_tls_before_1_2_is_refused(made: Certificates) -> None:
    client = made.trust()
    client.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.minimum_version = ssl.TLSVersion.TLSv1_1
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        client.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError) as refused:
        shaken(client, server_context(of(made.cert, made.key)))
    assert refused.value.reason == "UNSUPPORTED_PROTOCOL"


def test_every_cipher_authenticates_what_it_encrypts(made: Certificates) -> None:
    ciphers = server_context(of(made.cert, made.key)).get_ciphers()
    assert ciphers
    assert all(cipher["aead"] for cipher in ciphers), ciphers


@pytest.mark.parametrize("cipher", ["ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA"])
def test_a_cipher_without_that_is_refused(made: Certificates, cipher: str) -> None:
    client = made.trust()
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    client.set_ciphers(cipher)
    with pytest.raises(ssl.SSLError) as refused:
        shaken(client, server_context(of(made.cert, made.key)))
    assert refused.value.reason == "NO_SHARED_CIPHER"


def test_files_that_cannot_be_used(made: Certificates, tmp_path: Path) -> None:
    empty = tmp_path / "empty.pem"
    empty.touch()
    missing = tmp_path / "missing.pem"
    other = certificates.make(tmp_path / "other")
    unusable = "server.tls_cert and server.tls_key are not a certificate and its unencrypted key"
    for cert, key, words in (
        (missing, made.key, f"server.tls_cert: cannot read '{missing}': No such file"),
        (made.cert, missing, f"server.tls_key: cannot read '{missing}': No such file"),
        (tmp_path, made.key, f"server.tls_cert: cannot read '{tmp_path}': Is a directory"),
        (empty, made.key, unusable),
        (made.cert, empty, unusable),
        (made.cert, other.key, f"{unusable} (KEY_VALUES_MISMATCH)"),
        (made.key, made.cert, unusable),
    ):
        with pytest.raises(SettingsError) as refused:
            server_context(of(cert, key))
        assert str(refused.value).startswith(words)
        assert "\n" not in str(refused.value)


def test_a_renewed_certificate_is_for_new_connections(made: Certificates) -> None:
    context = RenewableContext(lambda: server_context(of(made.cert, made.key)))
    first = shaken(made.trust(), context)
    new = made.renew()
    assert serial(shaken(made.trust(), context)) == serial(first) != new
    context.renew()
    assert serial(shaken(made.trust(), context)) == new


def test_where_renewal_fails_the_one_before_serves_on(made: Certificates) -> None:
    context = RenewableContext(lambda: server_context(of(made.cert, made.key)))
    before = serial(shaken(made.trust(), context))
    made.cert.write_bytes(made.issue().cert)
    with pytest.raises(SettingsError, match="KEY_VALUES_MISMATCH"):
        context.renew()
    assert serial(shaken(made.trust(), context)) == before
