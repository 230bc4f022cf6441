"""Who is asking: HS256 tokens (RFC 7519), three roles, and open mode (contract section 8)."""

import math
import time
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NoReturn

import jwt
from attrs import field, frozen

from incident_manager.actors.errors import ErrorCode, Refused
from incident_manager.actors.roles import Role
from incident_manager.http.config import SettingsError
from incident_manager.http.settings import Settings

__all__ = [
    "ANONYMOUS",
    "AuthError",
    "Authenticator",
    "Principal",
    "Role",
    "authorization_from_init",
    "issue_token",
]

#: The end of the year 9999: a date that every client can write down.
_LAST_INSTANT: Final = 253_402_300_799


class AuthError(Refused):
    """UNAUTHENTICATED: no credentials. UNAUTHORIZED: bad ones. FORBIDDEN: good, but not enough.

    The message never holds the token.
    """


@frozen(kw_only=True)
class Principal:
    """Who is asking, for as long as ``expires_at`` (seconds of the Unix epoch; None: for ever).

    ``selectors`` are the labels that this principal is confined to; empty: to none.
    """

    name: str
    role: Role
    expires_at: float | None = None
    selectors: Mapping[str, str] = field(factory=lambda: MappingProxyType({}))
    anonymous: bool = False

    def require(self, role: Role) -> None:
        """Raise AuthError (FORBIDDEN) unless this principal has ``role`` or a greater one."""
        if self.role < role:
            _refuse(ErrorCode.FORBIDDEN, f"This needs the role {role.name}.")

    def expired(self, now: float) -> bool:
        """Whether the credentials have run out at ``now`` (seconds of the Unix epoch)."""
        return self.expires_at is not None and now >= self.expires_at


#: Everybody, in open mode.
ANONYMOUS: Final = Principal(name="anonymous", role=Role.ADMIN, anonymous=True)


@frozen(kw_only=True)
class Authenticator:
    """Turns credentials into a Principal, by the settings alone: no state, no waiting.

    ``confines`` says that whoever uses the principals honours ``selectors``. Without it a token
    that bears selectors is refused: it must never see more than it was made for.
    """

    open: bool
    secret: str | None = field(default=None, repr=False)
    algorithm: str = "HS256"
    roles_claims: tuple[str, ...] = ("roles", "role")
    confines: bool = False

    @classmethod
    def from_settings(cls, settings: Settings, *, confines: bool = False) -> "Authenticator":
        """The authenticator that ``settings`` ask for."""
        claim = settings.auth.roles_claim
        return cls(
            open=settings.open,
            secret=settings.auth.jwt_secret,
            algorithm=settings.auth.jwt_algorithm,
            roles_claims=("roles", "role") if claim is None else (claim,),
            confines=confines,
        )

    def authenticate(self, authorization: str | None) -> Principal:
        """Who bears ``authorization``, the value of the header (``Bearer`` in any case).

        In open mode that is ANONYMOUS, whatever was sent.

        Raises:
            AuthError: UNAUTHENTICATED where nothing was sent; UNAUTHORIZED where the token is
                malformed, expired, signed otherwise than configured, or bears no ``exp``;
                FORBIDDEN where it bears no role.
        """
        if self.open:
            return ANONYMOUS
        token = _bearer(authorization)
        claims = self._verified(token)
        role = self._role(claims)
        selectors = _selectors(claims)
        if role is None:
            _refuse(ErrorCode.FORBIDDEN, "The token bears no role.")
        if selectors and not self.confines:
            _refuse(ErrorCode.FORBIDDEN, "Tokens with selectors are not available in this version.")
        return Principal(
            name=_subject(claims),
            role=role,
            expires_at=float(claims["exp"]),
            selectors=selectors,
        )

    def renew(self, current: Principal, authorization: str | None) -> Principal:
        """Who ``current`` is from now on, by a fresh token of the same subject.

        Raises:
            AuthError: as ``authenticate``, and UNAUTHORIZED for another subject.
        """
        renewed = self.authenticate(authorization)
        if renewed.name != current.name:
            _refuse(ErrorCode.UNAUTHORIZED, "The token is of another subject.")
        return renewed

    def _verified(self, token: str) -> dict[str, Any]:
        try:
            claims = jwt.decode(
                token,
                self.secret or "",
                # Never by what the token says of itself (RFC 8725 section 3.1).
                algorithms=[self.algorithm],
                options={
                    "require": ["exp"],
                    # Not configurable in this version, so it is not this server's to judge.
                    "verify_aud": False,
                    # RFC 7519 section 4.1.6: it tells the age and forbids nothing.
                    "verify_iat": False,
                },
            )
            # PyJWT rounds down what it compares; infinities get past it.
            usable = 0 < float(claims["exp"]) <= _LAST_INSTANT
        except jwt.ExpiredSignatureError:
            _refuse(ErrorCode.UNAUTHORIZED, "The token has expired.")
        except jwt.MissingRequiredClaimError:
            _refuse(ErrorCode.UNAUTHORIZED, "The token has no expiry (claim exp).")
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            _refuse(ErrorCode.UNAUTHORIZED, "The token is not valid.")
        if not usable:
            _refuse(ErrorCode.UNAUTHORIZED, "The token's expiry (claim exp) is not a usable time.")
        return claims

    def _role(self, claims: Mapping[str, Any]) -> Role | None:
        names: list[object] = []
        for claim in self.roles_claims:
            value = claims.get(claim)
            names += value if isinstance(value, list) else [value]
        spelled = {name.strip().upper() for name in names if isinstance(name, str)}
        held = [role for role in Role if role.name in spelled]
        return max(held, default=None)


def authorization_from_init(payload: object) -> str | None:
    """The ``Authorization`` (in any case) of a ``connection_init`` payload; None without one.

    What is not a string is no credential. The first one in the payload's order counts.
    """
    if isinstance(payload, Mapping):
        for key, value in payload.items():
            if isinstance(key, str) and key.lower() == "authorization" and isinstance(value, str):
                return value
    return None


def issue_token(settings: Settings, role: Role, subject: str, ttl: float) -> str:
    """An HS256 token for ``subject`` with ``role``, good for ``ttl`` seconds from now.

    Raises:
        SettingsError: no secret is configured, or the time ends after the year 9999.
    """
    secret = settings.auth.jwt_secret
    if secret is None:
        raise SettingsError(
            "auth.jwt_secret is not set: give LIM_AUTH_JWT_SECRET (32 bytes or more), the same one"
            " that the server has"
        )
    now = time.time()
    expires = math.ceil(now + ttl)
    if expires > _LAST_INSTANT:
        raise SettingsError("--ttl reaches beyond the year 9999")
    claims = {
        "sub": subject,
        settings.auth.roles_claim or "roles": [role.name],
        "iat": int(now),
        "exp": expires,
    }
    return jwt.encode(claims, secret, algorithm="HS256")


def _bearer(authorization: str | None) -> str:
    scheme, _, token = (authorization or "").strip().partition(" ")
    token = token.strip()
    if not scheme or (scheme.lower() == "bearer" and not token):
        _refuse(ErrorCode.UNAUTHENTICATED, "Credentials are needed: Authorization: Bearer <token>.")
    if scheme.lower() != "bearer":
        _refuse(ErrorCode.UNAUTHORIZED, "The Authorization must be: Bearer <token>.")
    return token


def _subject(claims: Mapping[str, Any]) -> str:
    """``sub``: it goes into records and is shown, so it must be text of a sensible length."""
    name = claims.get("sub") or "unknown"
    try:
        usable = len(name) <= 255 and b"\0" not in name.encode()
    except UnicodeEncodeError:
        usable = False
    if not usable:
        _refuse(ErrorCode.UNAUTHORIZED, "The token's subject (claim sub) is not usable as a name.")
    return str(name)


def _selectors(claims: Mapping[str, Any]) -> Mapping[str, str]:
    given = claims.get("selectors")
    if given is None:
        return MappingProxyType({})
    if not isinstance(given, dict) or not all(isinstance(value, str) for value in given.values()):
        _refuse(ErrorCode.UNAUTHORIZED, "The token's selectors are not a map of strings.")
    return MappingProxyType(given)


def _refuse(code: ErrorCode, message: str) -> NoReturn:
    # "from None": the cause may hold what was sent.
    raise AuthError(code, message) from None
