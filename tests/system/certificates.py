"""An authority of the test's own, and certificates by it for a server on loopback."""

import ipaddress
import ssl
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from attrs import frozen
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

__all__ = ["Certificates", "Pair", "make"]

_DAY = timedelta(days=1)


@frozen
class Pair:
    """A chain and its key, in PEM; ``serial`` is the leaf's."""

    cert: bytes
    key: bytes
    serial: int


@frozen
class Certificates:
    """An authority, and the two files that a server of its is given (``cert``, ``key``).

    ``ca`` is the file that clients other than Python's are given.
    """

    directory: Path
    _authority: x509.Certificate
    _authority_key: ec.EllipticCurvePrivateKey

    @property
    def ca(self) -> Path:
        return self.directory / "ca.pem"

    @property
    def cert(self) -> Path:
        return self.directory / "cert.pem"

    @property
    def key(self) -> Path:
        return self.directory / "key.pem"

    def issue(self) -> Pair:
        """A new leaf for ``localhost``, ``127.0.0.1`` and ``::1``, with a key of its own."""
        key = ec.generate_private_key(ec.SECP256R1())
        names: list[x509.GeneralName] = [
            x509.DNSName("localhost"),
            x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
            x509.IPAddress(ipaddress.ip_address("::1")),
        ]
        leaf = (
            _begun("localhost", self._authority.subject, key)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(
                    self._authority_key.public_key()
                ),
                critical=False,
            )
            .sign(self._authority_key, hashes.SHA256())
        )
        return Pair(_pem(leaf), _private(key), leaf.serial_number)

    def put(self, pair: Pair) -> None:
        """Put these into the server's two files."""
        self.cert.write_bytes(pair.cert)
        self.key.write_bytes(pair.key)

    def renew(self) -> int:
        """Put a new leaf into the server's two files; its serial number."""
        pair = self.issue()
        self.put(pair)
        return pair.serial

    def trust(self, alpn: Sequence[str] = ()) -> ssl.SSLContext:
        """What a client has that trusts this authority and no other."""
        context = ssl.create_default_context(cafile=self.ca)
        if alpn:
            context.set_alpn_protocols(list(alpn))
        return context


def make(directory: Path) -> Certificates:
    """An authority in a directory, and a first leaf for the server."""
    directory.mkdir(parents=True, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = _name("an authority for tests")
    authority = (
        _begun("an authority for tests", name, key)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=True,
                key_cert_sign=True,
                crl_sign=True,
                content_commitment=False,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
        .sign(key, hashes.SHA256())
    )
    certificates = Certificates(directory, authority, key)
    certificates.ca.write_bytes(_pem(authority))
    certificates.renew()
    return certificates


def _begun(
    subject: str, issuer: x509.Name, key: ec.EllipticCurvePrivateKey
) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _DAY)
        .not_valid_after(now + _DAY)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _private(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
