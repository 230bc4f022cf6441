from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from incident_manager.http.keys import KeySet, OneKey, checked, read_pem

RSA = rsa.generate_private_key(65537, 2048).public_key()
WEAK = rsa.generate_private_key(65537, 1024).public_key()
P256 = ec.generate_private_key(ec.SECP256R1()).public_key()
P384 = ec.generate_private_key(ec.SECP384R1()).public_key()
ED = ed25519.Ed25519PrivateKey.generate().public_key()
ED448 = ed448.Ed448PrivateKey.generate().public_key()


@pytest.mark.parametrize(("key", "algorithm"), [(RSA, "RS256"), (P256, "ES256"), (ED, "EdDSA")])
def test_a_public_key_in_pem(key: Any, algorithm: str) -> None:
    pem = key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    assert read_pem(pem, algorithm) == key
    assert OneKey(read_pem(pem, algorithm)).find("any") == key
    for other in {"RS256", "ES256", "EdDSA"} - {algorithm}:
        with pytest.raises(ValueError, match=f"is not a key of {other}"):
            read_pem(pem, other)


def test_what_is_no_public_key_in_pem() -> None:
    private = ec.generate_private_key(ec.SECP256R1()).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    with pytest.raises(ValueError, match="must not have"):
        read_pem(private, "ES256")
    for content in (b"", b"secret", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----"):
        with pytest.raises(ValueError, match="no public key") as caught:
            read_pem(content, "ES256")
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "algorithm", "message"),
    [
        (WEAK, "RS256", "of 1024 bits"),
        (P384, "ES256", "on the curve secp384r1"),
        (ED448, "EdDSA", "not a key of EdDSA"),
        ("secret", "RS256", "not a key of RS256"),
    ],
)
def test_keys_that_are_not_good_enough(key: object, algorithm: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        checked(key, algorithm)


def test_no_keys_at_all() -> None:
    assert KeySet().find(None) is None
    assert KeySet().find("a") is None
    assert KeySet() == KeySet()
