"""JSON Web Tokens: verified by one algorithm and known keys (RFC 7519, RFC 8725), and issued."""

import math
import time
from collections import OrderedDict
from hashlib import sha256
from typing import Any, Final

import jwt

from incident_manager.actors.errors import ErrorCode, Unavailable
from incident_manager.actors.roles import Role
from incident_manager.http.claims import ClaimRules
from incident_manager.http.config import SettingsError
from incident_manager.http.jwks import MOST_NAME
from incident_manager.http.keys import Key, KeySet, OneKey
from incident_manager.http.principal import (
    LAST_INSTANT,
    Principal,
    UnknownKeyError,
    refuse,
)
from incident_manager.http.settings import Settings
from incident_manager.http.trust import TokenTrust

__all__ = ["MOST_TOKEN", "TokenVerifier", "issue_token"]

MOST_TOKEN: Final = 16 * 1024
"""Characters of a token at most."""
_LEEWAY: Final = 30.0  # seconds that the clock of the issuer may be ahead of ours (nbf, iat)
_REMEMBERED: Final = 4096  # principals of verified tokens; the least recently used one goes


class TokenVerifier:
    """Turns a token into its principal.

    A good token is remembered (its hash, not the token) until it expires or the keys change: to
    verify a signature takes longer than anything else of a small request.
    """

    def __init__(
        self, trust: TokenTrust, rules: ClaimRules, keys: OneKey | KeySet | None = None
    ) -> None:
        self.trust = trust
        self._rules = rules
        self._keys = keys
        self._remembered: OrderedDict[bytes, Principal] = OrderedDict()

    @property
    def keys(self) -> OneKey | KeySet | None:
        """The keys that verify; None: not known yet."""
        return self._keys

    def learn(self, keys: OneKey | KeySet) -> None:
        """These keys verify from now on, and no others."""
        if keys != self._keys:
            self._keys = keys
            self._remembered.clear()

    def verify(self, token: str) -> Principal:
        """Who bears ``token``.

        Raises:
            AuthError: UNAUTHORIZED where it is malformed, expired, for others, or signed otherwise
                than configured; FORBIDDEN where it bears no role.
            UnknownKeyError: it names a key that is not known.
            Unavailable: no keys are known yet.
        """
        if len(token) > MOST_TOKEN:
            refuse(ErrorCode.UNAUTHORIZED, f"The token is longer than {MOST_TOKEN} characters.")
        mark = sha256(token.encode(errors="surrogatepass")).digest()
        principal = self._remembered.get(mark)
        if principal is None:
            principal = self._rules.principal(self._claims(token))
            self._remembered[mark] = principal
            if len(self._remembered) > _REMEMBERED:
                self._remembered.popitem(last=False)
        elif principal.expired(time.time()):
            del self._remembered[mark]
            refuse(ErrorCode.UNAUTHORIZED, "The token has expired.")
        else:
            self._remembered.move_to_end(mark)
        return principal

    def _key(self, token: str) -> Key:
        """The key that the token names, if the rest of its header is as it must be.

        Where a header says to find a key (``jku``, ``x5u``, ``jwk``, ``x5c``) nobody looks.
        """
        try:
            header = jwt.get_unverified_header(token)
        except (jwt.PyJWTError, ValueError, TypeError):
            refuse(ErrorCode.UNAUTHORIZED, "The token is not valid.")
        # Never by what the token says of itself (RFC 8725 section 3.1).
        if header.get("alg") != self.trust.algorithm:
            refuse(ErrorCode.UNAUTHORIZED, f"The token is not signed by {self.trust.algorithm}.")
        if "crit" in header:  # RFC 7515 section 4.1.11: we understand none of them
            refuse(ErrorCode.UNAUTHORIZED, "The token has critical headers that are not known.")
        name = header.get("kid")
        if name is not None and (not isinstance(name, str) or len(name) > MOST_NAME):
            refuse(ErrorCode.UNAUTHORIZED, "The token's key name (kid) cannot be one.")
        if self._keys is None:
            raise Unavailable("The keys that verify tokens are not known yet.", known=True)
        key = self._keys.find(name)
        if key is None:
            raise UnknownKeyError
        return key

    def _claims(self, token: str) -> dict[str, Any]:
        key = self._key(token)
        trust = self.trust
        required = ["exp"]
        required += ["iss"] if trust.issuer is not None else []
        required += ["aud"] if trust.audience is not None else []
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[trust.algorithm],
                issuer=trust.issuer,
                audience=trust.audience,
                leeway=_LEEWAY,
                options={"require": required, "verify_aud": trust.audience is not None},
            )
            # PyJWT rounds down what it compares, gives leeway, and infinities get past it.
            expires = float(claims["exp"])
            usable = 0 < expires <= LAST_INSTANT
        except jwt.ExpiredSignatureError:
            refuse(ErrorCode.UNAUTHORIZED, "The token has expired.")
        except jwt.ImmatureSignatureError:
            refuse(ErrorCode.UNAUTHORIZED, "The token is not valid yet (claim nbf or iat).")
        except jwt.InvalidAudienceError:
            refuse(ErrorCode.UNAUTHORIZED, "The token is for another audience (claim aud).")
        except jwt.InvalidIssuerError:
            refuse(ErrorCode.UNAUTHORIZED, "The token is of another issuer (claim iss).")
        except jwt.MissingRequiredClaimError as missing:
            what = "expiry (claim exp)" if missing.claim == "exp" else f"claim {missing.claim}"
            refuse(ErrorCode.UNAUTHORIZED, f"The token has no {what}.")
        except (jwt.PyJWTError, ValueError, TypeError, OverflowError):
            refuse(ErrorCode.UNAUTHORIZED, "The token is not valid.")
        if not usable:
            refuse(ErrorCode.UNAUTHORIZED, "The token's expiry (claim exp) is not a usable time.")
        if expires <= time.time():
            refuse(ErrorCode.UNAUTHORIZED, "The token has expired.")
        return claims


def issue_token(settings: Settings, role: Role, subject: str, ttl: float) -> str:
    """An HS256 token for ``subject`` with ``role``, good for ``ttl`` seconds from now.

    It bears the issuer and the audience that the settings ask for.

    Raises:
        SettingsError: no secret is configured, or the time ends after the year 9999.
    """
    auth = settings.auth
    if auth.jwt_secret is None:
        raise SettingsError(
            "auth.jwt_secret is not set: give LIM_AUTH_JWT_SECRET (32 bytes or more), the same one"
            " that the server has"
        )
    now = time.time()
    expires = math.ceil(now + ttl)
    if expires > LAST_INSTANT:
        raise SettingsError("--ttl reaches beyond the year 9999")
    claims: dict[str, object] = {
        "sub": subject,
        auth.roles_claim or "roles": [role.name],
        "iat": int(now),
        "exp": expires,
    }
    if auth.issuer is not None:
        claims["iss"] = auth.issuer
    if auth.audience is not None:
        claims["aud"] = auth.audience
    return jwt.encode(claims, auth.jwt_secret, algorithm="HS256")
