"""API keys: made, written down as a hash, and recognised. Pure functions and values.

A key is ``lim_NAME_SECRET``; the secret is 32 random bytes in base 62. What is kept is its SHA-256:
a slow hash is for passwords, which can be guessed; 2**256 secrets cannot, and a fast one costs a
request nothing.
"""

import hmac
import re
import secrets
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from hashlib import sha256
from types import MappingProxyType
from typing import Final
from urllib.parse import quote, unquote

from attrs import evolve, field, frozen

from incident_manager.actors.errors import ErrorCode
from incident_manager.actors.roles import Role
from incident_manager.http.principal import Principal, can_confine, refuse

__all__ = ["ApiKey", "ApiKeys", "check_name", "new_key", "read_entries", "read_entry"]

_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_BYTES: Final = 32
_LENGTH: Final = 43  # digits of base 62 for 32 bytes
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]{0,62}[A-Za-z0-9])?")
_KEY: Final = re.compile(rf"lim_({_NAME.pattern})_([0-9A-Za-z]{{{_LENGTH}}})")
_HASH: Final = re.compile(r"sha256:([0-9a-f]{64})")
_PREFIX: Final = "api-key:"
_NOBODY: Final = bytes(32)


@frozen(kw_only=True)
class ApiKey:
    """What is kept of a key. ``expires_at``: seconds of the Unix epoch; None: never."""

    name: str
    role: Role
    digest: bytes = field(repr=False)
    expires_at: float | None = None
    selectors: Mapping[str, str] = field(factory=lambda: MappingProxyType({}))

    @property
    def principal(self) -> Principal:
        """Who bears the key. The prefix keeps it from being taken for the subject of a token."""
        return Principal(
            name=f"{_PREFIX}{self.name}",
            role=self.role,
            expires_at=self.expires_at,
            selectors=self.selectors,
            api_key=self.digest.hex(),
        )

    def entry(self) -> str:
        """The value in ``auth.api_keys`` (without commas or quotes): see :func:`read_entry`."""
        words = [self.role.name, f"sha256:{self.digest.hex()}"]
        if self.expires_at is not None:
            until = datetime.fromtimestamp(self.expires_at, UTC)
            words.append(f"expires:{until.isoformat(timespec='seconds').replace('+00:00', 'Z')}")
        words += [f"{quote(key, '')}={quote(value, '')}" for key, value in self.selectors.items()]
        return " ".join(words)


def check_name(name: str) -> str:
    """``name``, if a key can have it.

    Raises:
        ValueError: it cannot.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(
            "is not a name of 1 to 64 letters, digits, - and _ (not at its beginning or end)"
        )
    return name


def new_key(
    name: str,
    role: Role,
    *,
    expires_at: float | None = None,
    selectors: Mapping[str, str] | None = None,
) -> tuple[str, ApiKey]:
    """A new key's text, which is shown once, and what is kept of it."""
    number = int.from_bytes(secrets.token_bytes(_BYTES), "big")
    digits: list[str] = []
    for _ in range(_LENGTH):
        number, digit = divmod(number, len(_DIGITS))
        digits.append(_DIGITS[digit])
    text = f"lim_{check_name(name)}_{''.join(reversed(digits))}"
    kept = ApiKey(
        name=name,
        role=role,
        digest=sha256(text.encode()).digest(),
        expires_at=expires_at,
        selectors=MappingProxyType(dict(selectors or {})),
    )
    return text, kept


def read_entry(name: str, entry: str) -> ApiKey:
    """The key of one entry: ``ROLE sha256:HASH [expires:TIME] [label=value …]``.

    TIME is of RFC 3339; labels and values may be percent-encoded.

    Raises:
        ValueError: it is not one. The text names the key, and repeats nothing of the entry.
    """
    words = entry.split()
    role = words[0].upper() if words else ""
    if not _NAME.fullmatch(name):
        raise ValueError(f"has a name that cannot be an API key's: {name[:64]!r}")
    if role not in Role.__members__:
        raise ValueError(f"has for {name!r} no role ({', '.join(Role.__members__)})")
    found = _HASH.fullmatch(words[1]) if len(words) > 1 else None
    if found is None:
        raise ValueError(f"has for {name!r} no hash (sha256: and 64 hexadecimal digits)")
    key = ApiKey(name=name, role=Role[role], digest=bytes.fromhex(found[1]))
    rest = words[2:]
    if rest and rest[0].startswith("expires:"):
        key = evolve(key, expires_at=_time(name, rest.pop(0).removeprefix("expires:")))
    selectors: dict[str, str] = {}
    for word in rest:
        label, sign, value = word.partition("=")
        if not label or not sign or unquote(label) in selectors:
            raise ValueError(f"has for {name!r} a word that is no label=value, or is twice there")
        selectors[unquote(label)] = unquote(value)
    if not can_confine(selectors):
        raise ValueError(f"has for {name!r} labels that nothing can bear: too long, or too many")
    return evolve(key, selectors=MappingProxyType(selectors))


def read_entries(entries: Mapping[str, str]) -> Mapping[str, ApiKey]:
    """The keys of a map of entries; raises ValueError as :func:`read_entry`."""
    return MappingProxyType({name: read_entry(name, entry) for name, entry in entries.items()})


def _time(name: str, text: str) -> float:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise ValueError(f"has for {name!r} an expiry that is no time (2027-01-31T00:00:00Z)")
    return moment.timestamp()


class ApiKeys:
    """The keys that are good now."""

    __slots__ = ("_keys",)

    def __init__(self, keys: Mapping[str, ApiKey] | None = None) -> None:
        self._keys = dict(keys or {})

    def __len__(self) -> int:
        return len(self._keys)

    def learn(self, keys: Mapping[str, ApiKey]) -> None:
        """These keys are good from now on, and no others."""
        self._keys = dict(keys)

    def holds(self, principal: Principal) -> bool:
        """Whether the key that ``principal`` came by is good still, and gives the same."""
        key = self._keys.get(principal.name.removeprefix(_PREFIX))
        return key is not None and key.principal == principal

    def verify(self, text: str) -> Principal:
        """Who bears the key ``text``.

        Raises:
            AuthError: UNAUTHORIZED where there is no such key, or it has expired.
        """
        found = _KEY.fullmatch(text.strip())
        key = None if found is None else self._keys.get(found[1])
        digest = sha256(text.strip().encode(errors="surrogatepass")).digest()
        # Compared where there is no such name too: it takes the same time.
        same = hmac.compare_digest(digest, _NOBODY if key is None else key.digest)
        if key is None or not same:
            refuse(ErrorCode.UNAUTHORIZED, "The API key is not valid.")
        principal = key.principal
        if principal.expired(time.time()):
            refuse(ErrorCode.UNAUTHORIZED, "The API key has expired.")
        return principal
