"""Who asks (a value), and what those are told who may not."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NoReturn

from attrs import field, frozen

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.limits import LIMITS
from incident_manager.actors.roles import Role

__all__ = [
    "ANONYMOUS",
    "LAST_INSTANT",
    "AuthError",
    "Principal",
    "UnknownKeyError",
    "can_confine",
    "refuse",
]

LAST_INSTANT: Final = 253_402_300_799
"""The end of the year 9999 (seconds of the Unix epoch): a date every client can write down."""


class AuthError(Refused):
    """UNAUTHENTICATED: no credentials. UNAUTHORIZED: bad ones. FORBIDDEN: good, but not enough.

    The message never holds what was sent.
    """


class UnknownKeyError(AuthError):
    """The token is signed with a key that is not known: the key server may know it by now."""

    def __init__(self) -> None:
        super().__init__(ErrorCode.UNAUTHORIZED, "The token is signed with a key not known here.")


@frozen(kw_only=True)
class Principal:
    """Who is asking, for as long as ``expires_at`` (seconds of the Unix epoch; None: for ever).

    ``selectors`` are the labels that this principal is confined to; empty: to none. ``api_key`` is
    the hash of the API key that it came by; None: by a token.
    """

    name: str
    role: Role
    expires_at: float | None = None
    selectors: Mapping[str, str] = field(factory=lambda: MappingProxyType({}))
    anonymous: bool = False
    api_key: str | None = field(default=None, repr=False)

    def require(self, role: Role) -> None:
        """Raise AuthError (FORBIDDEN) unless this principal has ``role`` or a greater one."""
        if self.role < role:
            refuse(ErrorCode.FORBIDDEN, f"This needs the role {role.name}.")

    def expired(self, now: float) -> bool:
        """Whether the credentials have run out at ``now`` (seconds of the Unix epoch)."""
        return self.expires_at is not None and now >= self.expires_at


ANONYMOUS: Final = Principal(name="anonymous", role=Role.ADMIN, anonymous=True)
"""Everybody, in open mode."""


def can_confine(labels: Mapping[str, str]) -> bool:
    """Whether something can bear these labels: who is confined by others could do nothing, and
    what they send in could not be kept.
    """
    _, limit = LIMITS["labels"]
    try:
        limit("selectors", labels)
    except Refused:
        return False
    return True


def refuse(code: ErrorCode, message: str) -> NoReturn:
    """Raise AuthError."""
    # "from None": the cause may hold what was sent.
    raise AuthError(code, message) from None
