"""JSON Web Key Sets (RFC 7517): what of a key server's answer may verify tokens. Pure."""

import json
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from incident_manager.http.keys import KeySet, PublicKey, checked

__all__ = ["MOST_NAME", "BadKeySet", "read_key_set", "read_object"]

MOST_NAME: Final = 256
"""Characters of a key's name (``kid``) at most."""
_MOST_KEYS: Final = 100
_MOST_NUMBER: Final = 2048  # characters of a number: more than RSA of 8192 bits needs
_TYPES: Final = {"RS256": "RSA", "ES256": "EC", "EdDSA": "OKP"}
_READERS: Final[Mapping[str, Callable[[dict[str, Any]], object]]] = {
    "RS256": RSAAlgorithm.from_jwk,
    "ES256": ECAlgorithm.from_jwk,
    "EdDSA": OKPAlgorithm.from_jwk,
}
_SECRET_PARTS: Final = frozenset(("d", "p", "q", "dp", "dq", "qi", "oth", "k"))


class BadKeySet(ValueError):
    """What the key server answered cannot be used. The text says why, and repeats none of it."""


def read_object(content: bytes) -> dict[str, Any]:
    """The JSON object in ``content``.

    Raises:
        BadKeySet: there is none.
    """
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BadKeySet("the answer is not JSON") from error
    if not isinstance(found, dict):
        raise BadKeySet("the answer is not a JSON object")
    return found


def read_key_set(content: bytes, algorithm: str) -> KeySet:
    """The keys in a key set that verify tokens of ``algorithm``; the others are left out.

    Left out are keys of another type (symmetric ones above all), curve, ``alg`` or ``use``, weak
    ones, and any whose private part was published.

    Raises:
        BadKeySet: it is not a key set, holds no such key, too many, or two of one name.
    """
    keys = read_object(content).get("keys")
    if not isinstance(keys, list):
        raise BadKeySet("the answer has no list of keys")
    if len(keys) > _MOST_KEYS:
        raise BadKeySet(f"the answer has more than {_MOST_KEYS} keys")
    named: dict[str, PublicKey] = {}
    unnamed: list[PublicKey] = []
    for entry in keys:
        key = _read_key(entry, algorithm)
        if key is None:
            continue
        name = entry.get("kid")
        if name is None:
            if key not in unnamed:
                unnamed.append(key)
        elif named.setdefault(name, key) != key:
            raise BadKeySet("two different keys have the same name (kid)")
    if not named and not unnamed:
        raise BadKeySet(f"the answer has no usable key for {algorithm}")
    return KeySet(MappingProxyType(named), tuple(unnamed))


def _read_key(entry: object, algorithm: str) -> PublicKey | None:
    if not isinstance(entry, dict) or not _is_for(entry, algorithm):
        return None
    try:
        return checked(_READERS[algorithm](dict(entry)), algorithm)
    except (jwt.PyJWTError, UnsupportedAlgorithm, ValueError, TypeError, KeyError):
        return None


def _is_for(entry: Mapping[str, Any], algorithm: str) -> bool:
    name, operations = entry.get("kid"), entry.get("key_ops")
    return (
        entry.get("kty") == _TYPES[algorithm]
        and entry.get("use", "sig") == "sig"
        and entry.get("alg", algorithm) == algorithm
        and (operations is None or (isinstance(operations, list) and "verify" in operations))
        and (name is None or (isinstance(name, str) and len(name) <= MOST_NAME))
        and _SECRET_PARTS.isdisjoint(entry)
        and all(len(value) <= _MOST_NUMBER for value in entry.values() if isinstance(value, str))
    )
