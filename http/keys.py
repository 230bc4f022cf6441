"""Public keys: which of them may verify tokens, by which algorithm (RFC 7518 section 3.1)."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, TypeAlias

from attrs import field, frozen
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key

__all__ = ["Key", "KeySet", "OneKey", "PublicKey", "checked", "read_pem"]

PublicKey: TypeAlias = RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
Key: TypeAlias = PublicKey | str
"""What verifies a token: a public key, or the secret of HS256."""

_LEAST_BITS: Final = 2048  # RFC 7518 section 3.3
_MOST_BITS: Final = 8192  # beyond, a verification takes longer than a request should


@frozen
class OneKey:
    """The only key there is: tokens need not name it."""

    key: Key = field(repr=False)

    def find(self, _name: str | None) -> Key | None:
        """The key, whatever the token calls it."""
        return self.key


@frozen
class KeySet:
    """The keys of a key server by their names (``kid``); ``unnamed`` are those without one."""

    named: Mapping[str, PublicKey] = field(factory=lambda: MappingProxyType({}))
    unnamed: tuple[PublicKey, ...] = ()

    def __len__(self) -> int:
        return len(self.named) + len(self.unnamed)

    def find(self, name: str | None) -> PublicKey | None:
        """The key of that name. Without a name, the only one there is."""
        if name is not None:
            return self.named.get(name)
        keys = (*self.named.values(), *self.unnamed)
        return keys[0] if len(keys) == 1 else None


def checked(key: object, algorithm: str) -> PublicKey:
    """``key``, if it is one that ``algorithm`` uses and strong enough.

    Raises:
        ValueError: why not; the text goes on after "the key".
    """
    match algorithm, key:
        case "RS256", RSAPublicKey():
            if not _LEAST_BITS <= key.key_size <= _MOST_BITS:
                raise ValueError(
                    f"is an RSA key of {key.key_size} bits, not of {_LEAST_BITS} to {_MOST_BITS}"
                )
            return key
        case "ES256", EllipticCurvePublicKey():
            if key.curve.name != "secp256r1":
                raise ValueError(f"is on the curve {key.curve.name}; ES256 needs P-256")
            return key
        case "EdDSA", Ed25519PublicKey():
            return key
        case _:
            needed = {"RS256": "an RSA key", "ES256": "a P-256 key", "EdDSA": "an Ed25519 key"}
            raise ValueError(f"is not a key of {algorithm}, which is {needed[algorithm]}")


def read_pem(content: bytes, algorithm: str) -> PublicKey:
    """The public key of a PEM file.

    Raises:
        ValueError: there is none, it is a private one, or it is not one for ``algorithm``.
    """
    if b"PRIVATE KEY" in content:
        raise ValueError("holds a private key, which the server must not have; give its public one")
    try:
        key = load_pem_public_key(content)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ValueError("holds no public key in PEM (BEGIN PUBLIC KEY)") from error
    return checked(key, algorithm)
