import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from incident_manager.http.jwks import BadKeySet, read_key_set, read_object

RSA = rsa.generate_private_key(65537, 2048).public_key()
WEAK = rsa.generate_private_key(65537, 1024).public_key()
P256 = ec.generate_private_key(ec.SECP256R1()).public_key()
ED = ed25519.Ed25519PrivateKey.generate().public_key()
RSA_JWK: dict[str, Any] = RSAAlgorithm.to_jwk(RSA, as_dict=True)
RSA_JWK.pop("key_ops")
P256_JWK: dict[str, Any] = ECAlgorithm.to_jwk(P256, as_dict=True)
ED_JWK: dict[str, Any] = OKPAlgorithm.to_jwk(ED, as_dict=True)


def document(*keys: object) -> bytes:
    return json.dumps({"keys": keys}).encode()


@pytest.mark.parametrize(
    ("algorithm", "entry", "key"),
    [("RS256", RSA_JWK, RSA), ("ES256", P256_JWK, P256), ("EdDSA", ED_JWK, ED)],
)
def test_a_key_set(algorithm: str, entry: dict[str, Any], key: object) -> None:
    everything = [
        {**each, "kid": f"{index}"} for index, each in enumerate((RSA_JWK, P256_JWK, ED_JWK))
    ]
    found = read_key_set(document({**entry, "kid": "a"}, *everything), algorithm)
    assert found.find("a") == key
    assert len(found) == 2
    assert found.find("b") is None
    assert found.find(None) is None  # which of the two?
    alone = read_key_set(document(entry, entry), algorithm)
    assert len(alone) == 1
    assert alone.find(None) == key
    assert alone.find("a") is None


@pytest.mark.parametrize(
    "change",
    [
        {"kty": "oct", "k": "AAAA"},
        {"kty": "EC"},
        {"kty": None},
        {"use": "enc"},
        {"use": None},
        {"alg": "PS256"},
        {"alg": "HS256"},
        {"alg": None},
        {"key_ops": ["sign"]},
        {"key_ops": "verify"},
        {"kid": 7},
        {"kid": "x" * 257},
        {"d": "AQAB"},
        {"n": 7},
        {"n": ""},
        {"n": "!"},
        {"n": "A" * 3000},
        {"n": RSAAlgorithm.to_jwk(WEAK, as_dict=True)["n"]},
        {"e": "AQ"},
        {"e": "Ag"},
        {"e": None},
    ],
)
def test_keys_that_are_left_out(change: dict[str, object]) -> None:
    with pytest.raises(BadKeySet, match="no usable key for RS256"):
        read_key_set(document({**RSA_JWK, **change}), "RS256")
    assert len(read_key_set(document({**RSA_JWK, **change}, RSA_JWK, 7), "RS256")) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not JSON"),
        (b"<html>", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "has no list of keys"),
        (b'{"keys": {}}', "has no list of keys"),
        (document(), "no usable key for ES256"),
        (document(*[P256_JWK] * 101), "more than 100 keys"),
        (
            document(
                {**P256_JWK, "kid": "a"},
                {
                    **ECAlgorithm.to_jwk(
                        ec.generate_private_key(ec.SECP256R1()).public_key(), as_dict=True
                    ),
                    "kid": "a",
                },
            ),
            "two different keys",
        ),
    ],
)
def test_what_is_no_key_set(content: bytes, message: str) -> None:
    with pytest.raises(BadKeySet, match=message):
        read_key_set(content, "ES256")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(
    st.sampled_from([("RS256", RSA_JWK), ("ES256", P256_JWK), ("EdDSA", ED_JWK)]),
    st.dictionaries(
        st.sampled_from(
            ["kty", "use", "alg", "key_ops", "kid", "n", "e", "crv", "x", "y", "d", "k", "x5c"]
        ),
        json_values,
    ),
)
def test_no_key_breaks_the_reading(
    given_key: tuple[str, dict[str, Any]], change: dict[str, object]
) -> None:
    algorithm, entry = given_key
    found = read_key_set(document({**entry, **change}, entry), algorithm)
    assert 1 <= len(found) <= 2


def test_an_object() -> None:
    assert read_object(b'{"a": 1}') == {"a": 1}
